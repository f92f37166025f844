"""The attacked server: `main.py serve` as shipped, and a bystander whose requests are timed."""

import asyncio
import contextlib
import os
import re
import resource
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from settings import ROOT
from tests.campaigns.chaos_deployment import until
from tests.support.client import Api
from tests.support.server_process import HOST, free_port

FILES = 1024  # open files that the server may have, as many systems limit them
VIEWER = "{ viewer { id } }"
BYSTANDER_TIMEOUT = 10.0  # seconds; a request that takes longer counts as failed
_INTERVAL = 0.02  # seconds between two requests of the bystander
_MIN_REQUESTS = 20


@dataclass
class Latencies:
    """The bystander's response times in milliseconds, and its requests that were not answered correctly."""

    milliseconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds) if self.milliseconds else float("inf")


@dataclass
class AttackedServer:
    """A running server. `bystander` is a signed-in user from another address than the attackers'."""

    address: str
    pid: int
    log: Path
    bystander: Api

    async def measure(self, stop: asyncio.Event) -> Latencies:
        """Send the bystander's request 50 times a second until `stop` is set, at least 20 times.

        The next request does not wait for the last answer: while the server is stuck, every request counts as slow.
        """
        found, requests = Latencies(), set[asyncio.Task[None]]()
        while not stop.is_set() or len(requests) < _MIN_REQUESTS:
            requests.add(asyncio.create_task(self._request(found)))
            await asyncio.sleep(_INTERVAL)
        await asyncio.gather(*requests)
        return found

    async def _request(self, found: Latencies) -> None:
        started = time.perf_counter()
        try:
            response = await self.bystander.raw(VIEWER)
            if response.json() != {"data": {"viewer": {"id": self.bystander.user["id"]}}}:
                found.failures.append(response.text[:200])
        except httpx.TransportError as error:
            found.failures.append(repr(error))
        found.milliseconds.append((time.perf_counter() - started) * 1000)

    @property
    def resident_mib(self) -> int:
        """The resident memory of the server process, without its children."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found[1]) // 1024

    def errors_since(self, offset: int) -> list[str]:
        """Return the log's lines after `offset` bytes that have a traceback or the level error."""
        lines = self.log.read_bytes()[offset:].decode(errors="replace").splitlines()
        return [line[:500] for line in lines if "Traceback" in line or '"level": "error"' in line]


@contextlib.asynccontextmanager
async def attacked_server(folder: Path, **settings: str) -> AsyncIterator[AttackedServer]:
    """Start a server with the default settings, except `settings`, on loopback, and sign the bystander up."""
    port = free_port()
    address, log = f"http://{HOST}:{port}", folder / "server.log"
    environment = {
        "PATH": os.environ["PATH"],
        "HOST": HOST,
        "PORT": str(port),
        "DATA_DIR": str(folder / "data"),
        "DEMO_SECONDS": "0",
        "LOG_FORMAT": "json",
        "GRAPHIQL": "off",
        **settings,
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "main.py", "serve",
            cwd=ROOT, env=environment, stdout=output, stderr=output,
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_NOFILE, (FILES, FILES)),
        )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=address, timeout=BYSTANDER_TIMEOUT, verify=False) as http:  # noqa: S501 - http only

            async def is_live() -> bool:
                assert process.returncode is None, log.read_text()[-3000:]
                with contextlib.suppress(httpx.TransportError):
                    return (await http.get("/health/live")).status_code == 200
                return False

            await until(is_live, "the attacked server is live")
            bystander = await Api(http, address).sign_up("bystander@example.com")
            yield AttackedServer(address, process.pid, log, bystander)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()
