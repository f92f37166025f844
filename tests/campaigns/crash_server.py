"""What the crash campaign kills: a process that has imported everything forks servers and workers.

All servers take connections from one listening socket, so clients of a dead one wait for the next.
"""

import asyncio
import contextlib
import hashlib
import io
import os
import random
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite  # noqa: F401 - imported here once, so that no server has to
import asyncpg  # noqa: F401 - as above
import httptools  # noqa: F401 - as above
import uvicorn
import uvloop  # noqa: F401 - as above
from PIL import Image

from composition import open_services, running_worker, web_options
from logs import configure_logs
from main import prepare
from models.enum import ErrorCode
from services.core.crashpoint import POINTS, arm
from services.generations.worker import GenerationWorker, Times
from services.integrations.providers.protocol import FinalImage, ImageRequest, Progress, ProviderError, ProviderEvent
from services.integrations.storage import s3  # noqa: F401 - imported here once, as above
from services.services import Services
from settings import Settings, load_settings
from tests.campaigns.crash_mutants import MUTANTS
from tests.campaigns.crash_plan import ALONE, HALF_WRITTEN, SERVER, WORKER
from tests.campaigns.fork_server import fork_orders
from web.app import create_app

LEASE, SWEEP, ORPHAN = 0.5, 0.1, 1.5  # seconds
SENT_AHEAD = 3  # seconds that a picture sent ahead can be used; half of them, sent
CREDITS = 20_000  # of a new account
EXPORT_KEPT = 2  # seconds; shorter than a setting may be


@dataclass(frozen=True)
class Order:
    """One process: what it does and with what, and where it dies by itself."""

    database: str
    folder: str
    listener: int  # the socket's file descriptor, inherited
    role: str = ALONE
    settings: dict[str, Any] = field(default_factory=dict)  # beyond those that every process has
    point: str | None = None
    skip: int = 0  # how often the point is passed unharmed
    mutant: str | None = None


def tally(folder: Path) -> Path:
    """The file in which the provider counts its calls, one line each: for what, and in which process."""
    return folder / "calls"


def log(folder: Path) -> Path:
    """What the processes say."""
    return folder / "server.log"


def settings_of(order: Order) -> Settings:
    """What the process is told, and what it would be told by its environment."""
    settings = load_settings(
        _env_file=None,
        database_url=order.database,
        data_dir=order.folder,
        signup_credits=CREDITS,
        image_processes=1,
        generation_lease_seconds=LEASE,
        generation_sweep_seconds=SWEEP,
        file_orphan_seconds=ORPHAN,
        upload_seconds=SENT_AHEAD,
        log_level="warning",
        rate_limits="off",
        log_format="json",
        **order.settings,
    )
    return settings.model_copy(update={"data_export_seconds": EXPORT_KEPT})


class ScriptedProvider:
    """An ImageProvider whose answer depends on the generation's id alone: pictures, refusals, pauses, second tries."""

    name = "scripted"

    def __init__(self, calls: Path) -> None:
        self._calls = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._tried: set[str] = set()
        picture = io.BytesIO()
        Image.new("RGB", (64, 48), "#806040").save(picture, "JPEG")
        self._picture = picture.getvalue()

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        os.write(
            self._calls, f"{request.generation_id} {os.getpid()}\n".encode()
        )  # the kernel has it, whatever happens to us
        dice = random.Random(request.generation_id)
        fate = dice.random()
        yield Progress(0.2)
        await asyncio.sleep(dice.choice((0.0, 0.02, 0.2, 0.4)))  # some outlive a heartbeat
        if fate < 0.15:
            raise ProviderError(ErrorCode.CONTENT_REJECTED, "scripted")
        if fate < 0.3:
            raise ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "scripted", request_left=False)
        if fate < 0.4 and request.generation_id not in self._tried:
            self._tried.add(request.generation_id)
            raise ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "scripted", may_retry=True, retry_after=0.01)
        data = b"no picture" if fate > 0.95 else self._picture
        yield FinalImage(data, model="scripted", cost=0.01, request_id=hashlib.sha256(data).hexdigest())

    async def aclose(self) -> None:
        os.close(self._calls)


@contextlib.asynccontextmanager
async def open_scripted(settings: Settings, folder: Path, role: str) -> AsyncIterator[Services]:
    """The services of a process with this role, and the provider above."""
    times = Times(settings.generation_lease_seconds, settings.heartbeat_seconds, deadline=5.0)
    async with open_services(settings) as services:
        provider = ScriptedProvider(tally(folder))
        worker = GenerationWorker(
            provider,
            services.media.files,
            services.integrations.sanitizer,
            services.events.publisher,
            times,
            services.operations.maintenance,
        )
        services = replace(
            services,
            integrations=replace(services.integrations, provider=provider),
            generations=replace(services.generations, worker=worker),
        )
        async with contextlib.AsyncExitStack() as stack:
            if role != SERVER:
                await stack.enter_async_context(running_worker(services, settings.worker_concurrency))
            yield services


def die_in_a_write(skip: int) -> None:
    """Die when a file has been written, and not yet flushed or put under its name, for the `skip` + first time."""
    flush, left = os.fsync, skip

    def dying(file: Any) -> None:
        nonlocal left
        if left == 0:
            os._exit(137)
        left -= 1
        flush(file)

    os.fsync = dying  # type: ignore[assignment]  # its parameter has another name


async def work(settings: Settings, folder: Path) -> None:
    """What `main.py worker` does, until killed."""
    await prepare(settings)
    async with open_scripted(settings, folder, WORKER):
        await asyncio.Event().wait()


def live(order: Order) -> int:
    """Be what was ordered until killed."""
    folder = Path(order.folder)
    with log(folder).open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    settings = settings_of(order)
    configure_logs(settings)
    if order.mutant is not None:
        MUTANTS[order.mutant].apply()
    if order.point == HALF_WRITTEN:
        die_in_a_write(order.skip)
    for point in POINTS:
        if point == order.point:
            arm(point, order.skip)
    if order.role == WORKER:
        asyncio.run(work(settings, folder))
    asyncio.run(prepare(settings))
    app = create_app(partial(open_scripted, settings, folder, order.role), web_options(settings))
    config = uvicorn.Config(app, log_config=None, access_log=False, http="httptools", ws="websockets-sansio")
    uvicorn.Server(config).run([socket.socket(fileno=order.listener)])
    return 1  # nobody here ends but by being killed


if __name__ == "__main__":
    fork_orders(Order, live)
