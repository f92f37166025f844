"""The liveness and readiness endpoints."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from composition import running_worker
from models.database.migrate import migrate
from settings import Settings
from tests.conftest import Running, quick_settings, running
from tests.support.client import Api, until
from tests.support.servers import RedisServer
from web.health import CachedCheck


@pytest.mark.any_database
async def test_healthy_server_is_ready_without_authentication(api: Api) -> None:
    live, ready = await api.http.get("/health/live"), await api.http.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "database": "ok", "storage": "ok"})


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_server_with_missing_migrations_is_live_but_not_ready(
    kind: str, empty_database: Callable[[str], str], tmp_path: Path
) -> None:
    async with running(quick_settings(empty_database(kind), tmp_path), idle=True) as server:
        assert (await server.api.http.get("/health/live")).status_code == 200
        ready = await server.api.http.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable", "database": "unavailable", "storage": "ok"}


@pytest.mark.any_database
async def test_server_whose_storage_is_not_writable_is_not_ready(server: Running) -> None:
    folder = server.settings.data_dir / "files"
    folder.rename(folder.with_name("files-elsewhere"))
    folder.write_bytes(b"a file where the folder should be")
    ready = await server.api.http.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable", "database": "ok", "storage": "unavailable"}


async def readiness(server: Running) -> tuple[int, dict[str, Any]]:
    answer = await server.api.http.get("/health/ready")
    return answer.status_code, answer.json()


@pytest.mark.any_database
async def test_readiness_of_a_cluster_includes_workers_and_redis(settings: Settings, redis: RedisServer) -> None:
    redis.start()
    healthy = {"status": "ok", "database": "ok", "storage": "ok", "redis": "ok", "workers": "ok"}

    async def is_healthy() -> bool:
        return await readiness(server) == (200, healthy)

    async def is_degraded() -> bool:
        return await readiness(server) == (200, healthy | {"status": "degraded", "redis": "degraded"})

    async with running(settings.model_copy(update={"redis_url": redis.url}), idle=True) as server:
        assert await readiness(server) == (200, healthy | {"status": "degraded", "workers": "none seen"})
        async with running_worker(server.services, 1):
            await until(is_healthy)
            redis.kill()
            await until(is_degraded)
            redis.start()
            await until(is_healthy)


async def test_hanging_database_is_reported_as_unavailable_within_the_timeout(
    empty_database: Callable[[str], str], tmp_path: Path
) -> None:
    database = empty_database("postgres")  # SQLite readers never wait for a lock
    await migrate(database)
    async with running(quick_settings(database, tmp_path), health_seconds=0.2) as server:
        other = await asyncpg.connect(database)
        async with asyncio.timeout(2), other.transaction():
            await other.execute("LOCK TABLE aerich IN ACCESS EXCLUSIVE MODE")
            status, report = await readiness(server)
        await other.close()
        assert (status, report["database"], report["storage"]) == (503, "unavailable", "ok")

        async def is_back() -> bool:
            return (await readiness(server))[0] == 200

        await until(is_back)


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class Part:
    """A part whose check finishes once a test allows it."""

    def __init__(self) -> None:
        self.checks = 0
        self.may_finish = asyncio.Event()

    async def check(self) -> str:
        self.checks += 1
        await self.may_finish.wait()
        return "ok"


async def test_concurrent_probes_check_a_part_once_per_second() -> None:
    part, clock = Part(), Clock()
    part.may_finish.set()
    cached = CachedCheck("storage", part.check, 1.0, clock)
    assert set(await asyncio.gather(*(cached.result() for _ in range(50)))) == {"ok"}
    clock.now = 0.99
    assert await cached.result() == "ok"
    assert part.checks == 1
    clock.now = 1.01
    assert await cached.result() == "ok"
    assert part.checks == 2


async def test_hanging_check_is_not_started_again_before_it_finishes() -> None:
    part, clock = Part(), Clock()
    cached = CachedCheck("storage", part.check, 0.02, clock)
    for clock.now in (0.0, 10.0, 20.0):
        assert await cached.result() == "unavailable"
    assert part.checks == 1
    part.may_finish.set()
    assert await cached.result() == "ok"
    assert part.checks == 1
