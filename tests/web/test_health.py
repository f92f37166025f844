"""The liveness and readiness endpoints."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis import Redis

from composition import running_worker
from models.database.connection import database_time
from models.database.migrate import migrate
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, quick_settings, running
from tests.support.client import Api, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.servers import RedisServer


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
    assert ready.json() == {"status": "unavailable", "database": "migrations are missing", "storage": "ok"}


@pytest.mark.any_database
async def test_server_whose_storage_takes_no_files_is_degraded_and_still_serves(server: Running) -> None:
    folder = server.settings.data_dir / "files"
    folder.rename(folder.with_name("files-elsewhere"))
    folder.write_bytes(b"a file where the folder should be")
    ready = await server.api.http.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {"status": "degraded", "database": "ok", "storage": "failed"}


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
        return await readiness(server) == (200, healthy | {"status": "degraded", "redis": "unreachable"})

    async with running(settings.model_copy(update={"redis_url": redis.url}), idle=True) as server:
        assert await readiness(server) == (200, healthy | {"status": "degraded", "workers": "none seen"})
        async with running_worker(server.services, 1):
            await until(is_healthy)
            redis.kill()
            await until(is_degraded)
            redis.start()
            await until(is_healthy)


@pytest.mark.any_database
async def test_problem_with_the_provider_s_key_degrades_a_server_that_still_serves(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    healthy = {"status": "ok", "database": "ok", "storage": "ok", "provider openrouter": "ok"}
    async with running(scripted_settings) as server:

        async def is_known() -> bool:
            return await readiness(server) == (200, healthy)

        await until(is_known)
        asked = openrouter.key_calls
        for _ in range(5):
            await readiness(server)
        assert openrouter.key_calls == asked  # no probe asks the provider
        for broken, state in (("limit_remaining", "no credit is left"), ("key", "the key is refused")):
            setattr(openrouter, broken, 0 if broken == "limit_remaining" else "another")
            await server.services.operations.provider_keys.refresh()
            expected = healthy | {"status": "degraded", "provider openrouter": state}
            assert await readiness(server) == (200, expected)


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
        assert (status, report["database"], report["storage"]) == (503, "no answer in time", "ok")

        async def is_back() -> bool:
            return (await readiness(server))[0] == 200

        await until(is_back)


@pytest.mark.postgres_only
@pytest.mark.parametrize(
    ("command", "undo", "problem"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "read-only"),
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0"), "full"),
    ],
)
async def test_redis_that_takes_no_writes_is_named(
    settings: Settings, redis: RedisServer, command: tuple[str, ...], undo: tuple[str, ...], problem: str
) -> None:
    redis.start()
    changes = {"redis_url": redis.url, "rate_limits": Switch.ON}
    with Redis.from_url(redis.url) as client:
        client.execute_command(*command)
        async with running(settings.model_copy(update=changes), idle=True) as server:

            async def is_named() -> Any:
                return (await readiness(server))[1]["redis"] == problem

            async def is_well() -> Any:
                return (await readiness(server))[1]["redis"] == "ok"

            await until(is_named)
            assert (await readiness(server))[0] == 200
            client.execute_command(*undo)
            await until(is_well)


@pytest.mark.postgres_only
async def test_database_that_takes_no_writes_is_named(settings: Settings) -> None:
    name = settings.database.rsplit("/", 1)[1].partition("?")[0]
    admin = await asyncpg.connect(settings.database)
    await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await admin.close()
    async with running(settings, idle=True) as server:
        status, report = await readiness(server)
        assert (status, report["status"], report["database"]) == (503, "unavailable", "read-only")
        full = (await server.api.http.get("/health?full=1")).json()
        assert full["parts"]["database"]["problem"] == "read-only"
        assert full["parts"]["database"]["since"]
        assert full["operations"] is None


@pytest.mark.any_database
async def test_full_report_has_queue_workers_and_audit(server: Running) -> None:
    ada = await server.api.sign_up()
    (made,) = (await ada.create(prompt="A red boat"))["generations"]
    await ada.wait_for_end(made["id"])
    await server.services.operations.self_check.check_when_due(await database_time())
    answer = await server.api.http.get("/health?full=1")
    assert answer.headers["cache-control"] == "no-store"
    report = answer.json()
    assert report["status"] == "ok"
    assert report["parts"]["storage"] == {
        "problem": None,
        "since": None,
        "seconds": report["parts"]["storage"]["seconds"],
    }
    found = report["operations"]
    assert (found["waiting"], found["in_progress"], found["oldest_waiting_seconds"]) == (0, 0, None)
    assert found["violated_invariants"] == {}
    assert found["audit_seconds_ago"] < 60
    assert [worker["slots"] for worker in found["workers"]] == [server.settings.worker_concurrency]
    forwarded = await server.api.http.get("/health?full=1", headers={"x-forwarded-for": "203.0.113.7"})
    assert (forwarded.status_code, "parts" in forwarded.text) == (403, False)
