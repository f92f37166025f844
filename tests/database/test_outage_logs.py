"""The log of a server whose database or Redis is away: a line when that begins and one when it ends."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from logs import configure_logs
from main import prepare
from models.database.connection import rows
from setting_types import Switch
from settings import Settings, load_settings
from telemetry.outage import Outage
from tests.conftest import quick_settings, running
from tests.support.client import tasks_ended, until
from tests.support.servers import PostgresServer, RedisServer


@pytest.fixture
def json_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """The log as a deployment writes it."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logs(load_settings(_env_file=None, log_format="json"))
    yield written
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_an_outage_of_the_database_writes_two_lines(
    own_postgres: PostgresServer, tmp_path: Path, json_logs: StringIO
) -> None:
    settings = quick_settings(own_postgres.url("darkroom"), tmp_path)
    await asyncio.create_task(prepare(settings))
    async with running(settings) as server:
        ada = await server.api.sign_up()
        await tasks_ended("mail")
        await rows("CHECKPOINT")  # this cluster runs without fsync
        own_postgres.kill()
        before = len(json_logs.getvalue())

        def read() -> list[dict[str, Any]]:
            return [json.loads(line) for line in json_logs.getvalue()[before:].splitlines()]

        async def has_begun() -> bool:
            assert (await ada.refused("{ viewer { id } }"))["code"] == "UNAVAILABLE"
            return any(line["event"] == "outage.began" for line in read())

        async def has_ended() -> bool:
            await ada.raw("{ viewer { id } }")
            return any(line["event"] == "outage.ended" for line in read())

        await until(has_begun)
        for _ in range(20):
            await ada.refused("{ viewer { id } }")
        own_postgres.start()
        await until(has_ended)
    lines = [line for line in read() if line["level"] in ("warning", "error")]
    assert not [line for line in lines if "exception" in line]
    began, *others, ended = [line for line in lines if line["event"].startswith("outage.")]
    assert (began["service"], ended["service"], others) == ("database", "database", [])
    assert began["error"]
    assert ended["seconds"] > 0
    assert ended["left_out"]["graphql.unavailable"] >= 20
    # Nothing but statements that were running when the connections broke.
    between = lines[lines.index(began) + 1 : lines.index(ended)]
    assert between == []


@pytest.mark.any_database
async def test_an_outage_of_redis_ends_without_another_request_and_the_next_one_begins(
    settings: Settings, redis: RedisServer, json_logs: StringIO
) -> None:
    redis.start()

    def outages() -> list[str]:
        lines = [json.loads(line) for line in json_logs.getvalue().splitlines()]
        return [line["event"] for line in lines if line.get("service") == "redis"]

    wanted = settings.model_copy(update={"redis_url": redis.url, "rate_limits": Switch.ON})
    async with running(wanted, idle=True) as server:

        async def is_back() -> bool:
            return bool((await server.api.http.get("/health/ready")).json()["redis"] == "ok")

        async def has_begun_again() -> bool:
            return outages() == ["outage.began", "outage.ended", "outage.began"]

        redis.kill()
        await server.api.sign_up()  # counted in the memory of the process
        assert not await is_back()
        redis.start()
        await until(is_back)
        assert outages() == ["outage.began", "outage.ended"]
        redis.kill()
        await until(has_begun_again)
        redis.start()


def test_a_kind_of_call_that_failed_once_is_no_outage_a_minute_later() -> None:
    now = 0.0
    storage = Outage("storage", lambda: now)
    with capture_logs() as lines:
        storage.failed(OSError("the first"), "delete")
        storage.worked("put")
        now = 59.0
        assert storage.is_on
        now = 61.0
        assert not storage.is_on
        storage.worked("put")
        assert not storage.is_on
        storage.failed(OSError("the second"), "delete")
        now = 3600.0
        storage.failed(OSError("the third"), "delete")
        storage.failed(OSError("unreachable"))
        now = 7200.0
        assert storage.is_on
    events = [(line["event"], line.get("error")) for line in lines]
    first, second, third = (("outage.began", repr(OSError(f"the {place}"))) for place in ("first", "second", "third"))
    ended = ("outage.ended", None)
    assert events == [first, ended, second, ended, third]
