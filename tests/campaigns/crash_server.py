"""The fork server of the servers and workers that a crash campaign kills.

All servers accept connections from one listening socket, so clients of a killed server wait for the next one.
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

import aiosqlite  # noqa: F401 - imported once, before the forks
import asyncpg  # noqa: F401 - as above
import httptools  # noqa: F401 - as above
import uvicorn
import uvloop  # noqa: F401 - as above
from PIL import Image

from composition import open_services, running_worker, web_options
from logs import configure_logs
from main import prepare
from models.enum import ErrorCode, Quality
from services.accounts import data_export
from services.core.crashpoint import POINTS, arm
from services.generations.worker import GenerationWorker, Times
from services.integrations.providers.circuit_rules import CircuitRules
from services.integrations.providers.openrouter.video_wire import VideoModel
from services.integrations.providers.openrouter.videos import OpenRouterVideos
from services.integrations.providers.protocol import (
    FinalImage,
    ImageProvider,
    ImageRequest,
    Progress,
    ProviderError,
    ProviderEvent,
)
from services.integrations.providers.routing import ModelAbilities, Routes, RoutingRules
from services.integrations.providers.safe_fetch import SafeFetch
from services.integrations.providers.video import VideoProvider
from services.integrations.storage import s3  # noqa: F401 - as above
from services.services import Services
from settings import Settings, load_settings
from tests.campaigns.crash_mutants import MUTANTS, PLAIN_MUTANTS
from tests.campaigns.crash_plan import BETWEEN_STATEMENTS, HALF_WRITTEN, SERVER, STANDALONE, WORKER
from tests.campaigns.crash_statements import crash_between_statements
from tests.campaigns.fork_server import serve_forks
from tests.support.fakes.openrouter import KEY
from web.app import create_app
from web.open_connections import ServerLimits
from web.server import uvicorn_options

LEASE, SWEEP, ORPHAN = 0.5, 0.1, 1.5  # seconds
UPLOAD_SECONDS = 3  # lifetime of an upload: its target takes bytes for the first half
VIDEO_SECONDS, VIDEO_POLL = 60.0, 0.3  # deadline of a video's job, and the longest pause between two questions
OTHER_VIDEO_MODEL = "other-video"  # tried where the ordered one refuses
CREDITS = 200_000  # of a new account
EXPORT_SECONDS = 2  # lifetime of a data export; shorter than the setting allows
EXPORT_PAUSE = 0.05  # minutes in which no export is begun after one whose workers were killed


@dataclass(frozen=True)
class ProcessSpec:
    """One process: its role, its settings, its crash point and its mutant."""

    database: str
    folder: str
    listener: int  # the socket's file descriptor, inherited
    role: str = STANDALONE
    settings: dict[str, Any] = field(default_factory=dict)  # in addition to those of every process
    point: str | None = None
    skip: int = 0  # how often the crash point is passed before it takes effect
    mutant: str | None = None


def call_log(folder: Path) -> Path:
    """Return the file in which the provider records its calls, one line each: generation id and process id."""
    return folder / "calls"


def log_file(folder: Path) -> Path:
    """Return the log file of the processes."""
    return folder / "server.log"


def _start_file(folder: Path) -> Path:
    return folder / "started"


def has_started(folder: Path, pid: int) -> bool:
    """Return whether the process serves requests or works."""
    file = _start_file(folder)
    return file.exists() and str(pid) in file.read_text().split()


def settings_of(spec: ProcessSpec) -> Settings:
    """Return the settings of the process."""
    settings = load_settings(
        _env_file=None,
        database_url=spec.database,
        data_dir=spec.folder,
        signup_credits=CREDITS,
        image_processes=1,
        generation_lease_seconds=LEASE,
        generation_sweep_seconds=SWEEP,
        file_orphan_seconds=ORPHAN,
        upload_seconds=UPLOAD_SECONDS,
        log_level="warning",
        rate_limits="off",
        log_format="json",
        **spec.settings,
    )
    return settings.model_copy(update={"data_export_seconds": EXPORT_SECONDS})


# The scripted outages are no outage: every generation meets the outcome of its id.
_NEVER_OPEN = RoutingRules(CircuitRules(min_calls=1_000_000))


class ScriptedProvider:
    """An ImageProvider whose response depends only on the generation id: pictures, refusals, pauses, retries."""

    name = "scripted"

    def __init__(self, calls: Path) -> None:
        self._calls = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._tried: set[str] = set()
        picture = io.BytesIO()
        Image.new("RGB", (64, 48), "#806040").save(picture, "JPEG")
        self._picture = picture.getvalue()

    def max_reference_bytes(self, request: ImageRequest) -> None:
        return

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        os.write(
            self._calls, f"{request.generation_id} {os.getpid()}\n".encode()
        )  # in the kernel, so it outlives this process
        rng = random.Random(request.generation_id)
        outcome = rng.random()
        yield Progress(0.2)
        await asyncio.sleep(rng.choice((0.0, 0.02, 0.2, 0.4)))  # some outlive a heartbeat
        if outcome < 0.15:
            raise ProviderError(ErrorCode.CONTENT_REJECTED, "scripted")
        if outcome < 0.3:
            raise ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "scripted", request_left=False)
        if outcome < 0.4 and request.generation_id not in self._tried:
            self._tried.add(request.generation_id)
            raise ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "scripted", may_retry=True, retry_after=0.01)
        data = b"no picture" if outcome > 0.95 else self._picture
        yield FinalImage(data, model="scripted", cost=0.01, request_id=hashlib.sha256(data).hexdigest())

    async def check_key(self) -> None:
        return

    async def aclose(self) -> None:
        os.close(self._calls)


def open_videos(settings: Settings) -> Routes[VideoProvider]:
    """Return the routes of the videos: the real client, whose service is the campaign's, with a second model."""
    model = VideoModel((Quality.STANDARD,), (), (4,), ())
    fetch = SafeFetch(frozenset(), origin=settings.openrouter_base_url)
    models = {"demo-video": model, OTHER_VIDEO_MODEL: model}
    return Routes(
        [OpenRouterVideos(KEY, models=models, fetch=fetch, base_url=settings.openrouter_base_url)],
        fallbacks=[("openrouter", OTHER_VIDEO_MODEL)],
        abilities={OTHER_VIDEO_MODEL: ModelAbilities(frozenset({Quality.STANDARD}))},
        rules=_NEVER_OPEN,
    )


@contextlib.asynccontextmanager
async def open_scripted(settings: Settings, folder: Path, role: str) -> AsyncIterator[Services]:
    """Open the services of a process with this role, using the scripted provider."""
    times = Times(
        settings.generation_lease_seconds,
        settings.heartbeat_seconds,
        deadline=5.0,
        video_deadline=VIDEO_SECONDS,
        video_poll=VIDEO_POLL,
    )
    async with open_services(settings, with_provider=True) as services:
        routes: Routes[ImageProvider] = Routes([ScriptedProvider(call_log(folder))], rules=_NEVER_OPEN)
        worker = GenerationWorker(
            routes,
            services.media.files,
            services.integrations.sanitizers.results,
            services.events.publisher,
            times,
            services.operations.maintenance,
            services.operations.provider_pauses,
            video_routes=open_videos(settings),
            video_sanitizer=services.integrations.videos,
        )
        services = replace(
            services,
            integrations=replace(services.integrations, routes=routes),
            generations=replace(services.generations, worker=worker),
        )
        async with contextlib.AsyncExitStack() as stack:
            if role != SERVER:
                await stack.enter_async_context(running_worker(services, settings.worker_concurrency))
            with _start_file(folder).open("a") as started:
                started.write(f"{os.getpid()}\n")
            yield services


def crash_during_write(skip: int) -> None:
    """Exit when a file has been written but not yet flushed and renamed, after `skip` such writes have passed."""
    flush, remaining = os.fsync, skip

    def crash_or_flush(file: Any) -> None:
        nonlocal remaining
        if remaining == 0:
            os._exit(137)
        remaining -= 1
        flush(file)

    os.fsync = crash_or_flush  # type: ignore[assignment]  # its parameter has another name


async def run_worker(settings: Settings, folder: Path) -> None:
    """Do what `main.py worker` does, until killed."""
    await prepare(settings)
    async with open_scripted(settings, folder, WORKER):
        await asyncio.Event().wait()


def run(spec: ProcessSpec) -> int:
    """Run the process that the spec describes until it is killed."""
    folder = Path(spec.folder)
    with log_file(folder).open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    settings = settings_of(spec)
    configure_logs(settings)
    data_export.PAUSE_MINUTES = EXPORT_PAUSE
    if spec.mutant is not None:
        (PLAIN_MUTANTS.get(spec.mutant) or MUTANTS[spec.mutant].apply)()
    if spec.point == HALF_WRITTEN:
        crash_during_write(spec.skip)
    if spec.point == BETWEEN_STATEMENTS:
        crash_between_statements(spec.skip)
    for point in POINTS:
        if point == spec.point:
            arm(point, spec.skip)
    if spec.role == WORKER:
        asyncio.run(run_worker(settings, folder))
    asyncio.run(prepare(settings))
    app = create_app(partial(open_scripted, settings, folder, spec.role), web_options(settings))
    config = uvicorn.Config(app, **uvicorn_options(settings.address, ServerLimits()))
    uvicorn.Server(config).run([socket.socket(fileno=spec.listener)])
    return 1  # not reached: these processes only end by being killed


if __name__ == "__main__":
    serve_forks(ProcessSpec, run)
