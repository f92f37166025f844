"""Whether the process lives and whether it can do its work."""

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
async def test_a_server_that_can_work_says_so_without_a_sign_in(api: Api) -> None:
    live, ready = await api.http.get("/health/live"), await api.http.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "database": "ok", "storage": "ok"})


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_database_without_migrations_lives_but_is_not_ready(
    kind: str, empty_database: Callable[[str], str], tmp_path: Path
) -> None:
    async with running(quick_settings(empty_database(kind), tmp_path), idle=True) as server:
        assert (await server.api.http.get("/health/live")).status_code == 200
        ready = await server.api.http.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable", "database": "unavailable", "storage": "ok"}


@pytest.mark.any_database
async def test_a_storage_that_takes_nothing_is_not_ready(server: Running) -> None:
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
async def test_a_cluster_says_whether_workers_report_and_whether_redis_answers(
    settings: Settings, redis: RedisServer
) -> None:
    redis.start()
    good = {"status": "ok", "database": "ok", "storage": "ok", "redis": "ok", "workers": "ok"}

    async def is_good() -> bool:
        return await readiness(server) == (200, good)

    async def is_slower() -> bool:
        return await readiness(server) == (200, good | {"status": "degraded", "redis": "degraded"})

    async with running(settings.model_copy(update={"redis_url": redis.url}), idle=True) as server:
        assert await readiness(server) == (200, good | {"status": "degraded", "workers": "none seen"})
        async with running_worker(server.services, 1):
            await until(is_good)
            redis.kill()
            await until(is_slower)
            redis.start()
            await until(is_good)


async def test_a_database_that_hangs_is_not_ready_and_soon_said_to_be_so(
    empty_database: Callable[[str], str], tmp_path: Path
) -> None:
    database = empty_database("postgres")  # on SQLite, readers wait for nobody
    await migrate(database)
    async with running(quick_settings(database, tmp_path), health_seconds=0.2) as server:
        stranger = await asyncpg.connect(database)
        async with asyncio.timeout(2), stranger.transaction():
            await stranger.execute("LOCK TABLE aerich IN ACCESS EXCLUSIVE MODE")
            status, report = await readiness(server)
        await stranger.close()
        assert (status, report["database"], report["storage"]) == (503, "unavailable", "ok")

        async def is_back() -> bool:
            return (await readiness(server))[0] == 200

        await until(is_back)


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class Part:
    """Something that is asked how it is, and answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def ask(self) -> str:
        self.asked += 1
        await self.may_answer.wait()
        return "ok"


async def test_however_many_probes_come_a_part_is_asked_once_a_second() -> None:
    part, clock = Part(), Clock()
    part.may_answer.set()
    question = CachedCheck("storage", part.ask, 1.0, clock)
    assert set(await asyncio.gather(*(question.answer() for _ in range(50)))) == {"ok"}
    clock.now = 0.99
    assert await question.answer() == "ok"
    assert part.asked == 1
    clock.now = 1.01
    assert await question.answer() == "ok"
    assert part.asked == 2


async def test_a_part_that_hangs_is_not_asked_again_before_it_has_answered() -> None:
    part, clock = Part(), Clock()
    question = CachedCheck("storage", part.ask, 0.02, clock)
    for clock.now in (0.0, 10.0, 20.0):
        assert await question.answer() == "unavailable"
    assert part.asked == 1
    part.may_answer.set()
    assert await question.answer() == "ok"
    assert part.asked == 1
