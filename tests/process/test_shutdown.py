"""SIGTERM to a real server process: what clients see that have something open, and what it logs."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from settings import ROOT
from tests.support.client import CREDITS, PATIENCE, Api, until
from tests.support.raw_http import connection, request
from tests.support.server_process import free_port

JSON = ("Content-Type: application/json", "Accept: application/json")
ENDS = 1.0  # seconds in which everything that is open ends
EXPECTED = {"provider.demo"}  # warnings of a server without settings

pytestmark = pytest.mark.any_database


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Api]]:
    """Run a server process, and a signed-in client of it."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "main.py", "serve"),
        cwd=ROOT,
        env={"PATH": os.defpath, "DATA_DIR": str(folder), "PORT": str(port), "LOG_FORMAT": "json"},
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=address, timeout=PATIENCE) as http:

            async def is_up() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    return (await http.get("/health/live")).status_code == 200
                return False

            await until(is_up)
            yield process, await Api(http, address).sign_up()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def logged(process: asyncio.subprocess.Process) -> list[dict[str, Any]]:
    assert process.stderr
    return [json.loads(line) for line in (await process.stderr.read()).splitlines()]


async def stream(api: Api, accept: str, opened: asyncio.Event) -> tuple[str, float]:
    """Return what a stream sends, and when it ended."""
    text = ""
    body = {"query": CREDITS, "variables": {}}
    async with api.http.stream("POST", "/graphql", json=body, headers=api.headers(accept=accept)) as response:
        async for chunk in response.aiter_text():
            text += chunk
            if '"creditsChanged"' in text:
                opened.set()
    return text, time.monotonic()


async def test_sigterm_ends_streams_in_order_and_lets_a_running_request_finish(tmp_path: Path) -> None:
    async with asyncio.timeout(3 * PATIENCE), serving(tmp_path) as (process, ada):
        opened = [asyncio.Event(), asyncio.Event()]
        accepted = ["text/event-stream", 'multipart/mixed;subscriptionSpec="1.0"']
        streams = [
            asyncio.create_task(stream(ada, accept, event)) for accept, event in zip(accepted, opened, strict=True)
        ]
        query = json.dumps({"query": "{ viewer { credits } }"}).encode()
        async with ada.socket() as idle, ada.socket() as busy, connection(ada.address) as held:
            await (await busy.subscribe(CREDITS)).next()
            await asyncio.gather(*(event.wait() for event in opened))
            head = request("POST", "/graphql", f"Authorization: Bearer {ada.token}", *JSON, body=query)
            await held.send(head[:-5])  # received, and answered once the rest has come

            stopped = time.monotonic()
            process.send_signal(signal.SIGTERM)
            for socket in (idle, busy):
                await socket.connection.wait_closed()
                assert socket.connection.close_code == 1012
            (events, events_ended), (parts, parts_ended) = await asyncio.gather(*streams)
            assert max(events_ended, parts_ended, time.monotonic()) - stopped < ENDS
            *_, failed, completed, rest = events.split("\n\n")
            assert (completed, rest) == ("event: complete\ndata: ", "")
            payload = json.loads(failed.removeprefix("event: next\ndata: "))
            assert payload["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
            *_, last, end = parts.split("--graphql")
            assert end == "--\r\n"
            assert json.loads(last.split("\r\n\r\n")[1])["payload"]["errors"] == payload["errors"]

            await held.send(head[-5:])
            answer = await held.answer()
            assert (answer.status, json.loads(answer.body)) == (200, {"data": {"viewer": {"credits": 30}}})
            assert await process.wait() in (0, -signal.SIGTERM)
        lines = await logged(process)
        assert [
            line for line in lines if line["level"] not in ("info", "debug") and line["event"] not in EXPECTED
        ] == []
        assert not any("exception" in line for line in lines)
