"""`main.py serve --workers N`: real processes on one port, one of which dies, and all of which stop."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from main import parse_arguments, serve
from settings import ROOT, load_settings
from tests.support.client import PATIENCE, until
from tests.support.server_process import free_port
from tests.support.servers import RedisServer

COUNT = 'darkroom_http_requests_total{method="GET",route="/health",status="200"}'
START = 3 * PATIENCE  # three processes import everything at once

pytestmark = pytest.mark.any_database


@dataclass
class Deployment:
    """A supervisor and its processes, and the events that they have logged."""

    process: asyncio.subprocess.Process
    port: int
    events: list[dict[str, Any]] = field(default_factory=list)

    async def next(self, name: str) -> dict[str, Any]:
        """Return the next event of this name."""
        assert self.process.stderr
        async with asyncio.timeout(START):
            while line := await self.process.stderr.readline():
                self.events.append(json.loads(line))
                if self.events[-1]["event"] == name:
                    return self.events[-1]
        raise AssertionError(self.events)

    async def accepts_connections(self) -> bool:
        """Whether a process listens on the port."""
        with contextlib.suppress(ConnectionRefusedError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False

    async def get(self, path: str) -> str:
        """Request a page on a new connection."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE) as http:
            return (await http.get(path)).raise_for_status().text

    async def metric(self, name: str) -> float:
        """Return the value of a metric, which any of the processes returns."""
        (line,) = [line for line in (await self.get("/metrics")).splitlines() if line.startswith(f"{name} ")]
        return float(line.rpartition(" ")[2])

    async def requests_counted(self) -> float:
        """Return how many requests for /health/live all processes have counted."""
        return await self.metric(COUNT)


@pytest.fixture
async def deployment(tmp_path: Path, shared_redis: RedisServer) -> AsyncIterator[Deployment]:
    """A server of two processes that both serve."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "main.py", "serve", "--workers", "2"),
        cwd=ROOT,
        env={
            "PATH": os.defpath,
            "DATA_DIR": str(tmp_path),
            "PORT": str(port),
            "REDIS_URL": shared_redis.url,
            "LOG_FORMAT": "json",
        },
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    found = Deployment(process, port)
    try:
        for _ in range(2):
            await found.next("server.started")
        await until(found.accepts_connections)  # which comes after the event
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def started(deployment: Deployment) -> list[int]:
    """Return the process ids of all servers that have started."""
    return [event["process"] for event in deployment.events if event["event"] == "server.started"]


async def ended(*pids: int) -> None:
    """Wait until these processes do not exist."""
    async with asyncio.timeout(PATIENCE):
        while any(is_running(pid) for pid in pids):  # noqa: ASYNC110 - processes of another one set no event
            await asyncio.sleep(0.02)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    return False


async def test_killed_process_is_replaced_and_sigterm_stops_all(deployment: Deployment) -> None:
    for _ in range(8):
        await deployment.get("/health/live")
    assert await deployment.requests_counted() == 8  # by both processes together
    killed, other = started(deployment)
    resident = await deployment.metric("process_resident_memory_bytes")
    assert resident > 1.5 * max(map(resident_bytes, (killed, other)))
    processor_seconds = await deployment.metric("process_cpu_seconds_total")
    os.kill(killed, signal.SIGKILL)
    died = await deployment.next("server.process_died")
    assert (died["died"], died["code"]) == (killed, -signal.SIGKILL)
    await deployment.get("/health/live")  # answered by the other one
    assert await deployment.requests_counted() == 9
    assert await deployment.metric("process_resident_memory_bytes") < resident
    assert await deployment.metric("process_cpu_seconds_total") >= processor_seconds  # with those of the killed one
    assert (await deployment.next("server.started"))["process"] == died["replaced_by"]

    deployment.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        assert await deployment.process.wait() == 0
    await ended(other, died["replaced_by"])
    with pytest.raises(httpx.ConnectError):
        await deployment.get("/health/live")


async def test_processes_stop_when_their_supervisor_dies(deployment: Deployment) -> None:
    deployment.process.kill()
    await ended(*started(deployment))
    with pytest.raises(httpx.ConnectError):
        await deployment.get("/health/live")


def test_several_processes_without_redis_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings(_env_file=None, data_dir=tmp_path)
    assert serve(settings, parse_arguments(["serve", "--workers", "2"]).workers) == 2
    assert capsys.readouterr().err.startswith("serve --workers 2 requires REDIS_URL: ")
    assert list(tmp_path.iterdir()) == []
