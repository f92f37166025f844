"""A producer or a worker of generations without pictures: provider, sanitizer and storage take no time.

A process of its own: `python -m benchmarks.life_process` reads a task as JSON from the first line of its input and
prints a line when it is ready. A worker then works until its input ends. A producer requests as many generations as
each further line says, and prints how long that took.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop

from adapters import open_integrations
from composition import build_services, running_worker
from logs import configure_logs
from models import User
from models.database.connection import open_database
from models.database.postgres import REQUEST_LIMITS
from services.generations.specification import GenerationRequest
from services.integrations.images.sanitizer import CleanImage, Sanitizers
from services.integrations.password_hashing import HASH_KIB
from services.integrations.providers.protocol import FinalImage, ImageRequest, Progress, ProviderEvent
from services.integrations.providers.routing import Routes
from services.integrations.storage.protocol import Storage
from services.services import Services
from setting_types import LogLevel, Switch
from settings import Settings, load_settings

PROGRESS_EVENTS = 5
REQUESTS = 16  # of the producer at once
_IMAGE = CleanImage(b"-", "image/webp", 1024, 1024, "0" * 64, "data:,", {320: b"-"})


@dataclass(frozen=True)
class LifeTask:
    """What the process is and where its backends are. `users`: accounts of the producer's requests."""

    role: str
    database_url: str
    redis_url: str
    concurrency: int
    users: Sequence[str] = ()


class InstantProvider:
    """A provider that takes no time."""

    name = "demo"

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        return None

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        for number in range(PROGRESS_EVENTS):
            yield Progress(number / PROGRESS_EVENTS)
        yield FinalImage(b"-", "demo", None, None)

    async def check_key(self) -> None:
        """Need no key."""

    async def aclose(self) -> None:
        """Close nothing."""


class InstantSanitizer:
    """A sanitizer that returns the same small picture."""

    async def clean(self, *arguments: Any, **options: Any) -> CleanImage:
        return _IMAGE

    async def missing_formats(self) -> frozenset[str]:
        return frozenset()


class NoStorage:
    """A storage that keeps nothing; everything else is that of another."""

    def __init__(self, other: Storage) -> None:
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Keep nothing."""

    async def delete(self, key: str) -> None:
        """Delete nothing."""


@contextlib.asynccontextmanager
async def open_instant(settings: Settings) -> AsyncIterator[Services]:
    """Open the product's services with the three integrations above."""
    database = open_database(settings.database, pool_size=settings.database_pool_size, limits=REQUEST_LIMITS)
    async with database, open_integrations(settings, with_provider=False, hash_kib=HASH_KIB) as found:
        sanitizers: Any = Sanitizers(InstantSanitizer(), InstantSanitizer())  # type: ignore[arg-type]  # the methods that are called
        storage: Any = NoStorage(found.storage)
        services = build_services(
            settings, replace(found, routes=Routes([InstantProvider()]), sanitizers=sanitizers, storage=storage)
        )
        async with services.operations.maintenance.watching():
            yield services


async def produce(services: Services, users: Sequence[User], count: int) -> float:
    """Request generations of the accounts in turn, and return the seconds that it took."""
    numbers = iter(range(count))

    async def request() -> None:
        for number in numbers:
            await services.generations.requests.create(
                users[number % len(users)], GenerationRequest(prompt="a fox in the rain")
            )

    started = time.perf_counter()
    await asyncio.gather(*(request() for _ in range(REQUESTS)))
    return time.perf_counter() - started


async def run() -> None:
    read = sys.stdin.readline
    task = LifeTask(**json.loads(await asyncio.to_thread(read)))
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            _env_file=None,
            database_url=task.database_url,
            redis_url=task.redis_url,
            data_dir=Path(folder),
            rate_limits=Switch.OFF,
            log_level=LogLevel.ERROR,
            generation_user_concurrency=task.concurrency,
        )
        async with open_instant(settings) as services:
            if task.role == "worker":
                async with running_worker(services, task.concurrency):
                    print("{}", flush=True)
                    await asyncio.to_thread(sys.stdin.read)
                return
            users = await User.filter(id__in=list(task.users))
            print("{}", flush=True)
            while line := await asyncio.to_thread(read):
                print(json.dumps({"seconds": await produce(services, users, int(line))}), flush=True)


if __name__ == "__main__":
    configure_logs(load_settings(_env_file=None, log_level=LogLevel.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
