"""The log of a server whose database is away: a line when that begins and one when it ends, without tracebacks."""

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

from logs import configure_logs
from main import prepare
from models.database.connection import rows
from settings import load_settings
from tests.conftest import quick_settings, running
from tests.support.client import until
from tests.support.servers import PostgresServer


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
