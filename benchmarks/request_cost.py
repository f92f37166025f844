"""Benchmark: a gallery page between the bytes of its request and those of its response, without a database.

Python calls and microseconds of CPU for each request; 32 connections with an account each, in one process. Beside it a
server that answers with the same number of constant bytes on uvicorn's own protocol.
"""

import argparse
import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import FrameType, SimpleNamespace
from typing import Any

import orjson
import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

import models
from benchmarks.execution import SIZE, Pages
from benchmarks.floors.constant import Constant
from benchmarks.http_load import post
from benchmarks.pages import FLAT
from models import enum
from schema.runtime.access import Audience
from services.accounts.session import SeenSession, SessionRead
from services.integrations.persisted_documents import PersistedDocuments
from services.operations.query_slots import QuerySlots
from web.app import WebOptions, create_app
from web.open_connections import ServerLimits
from web.server import tune_garbage_collection, uvicorn_options

CONNECTIONS = 32
_ADDRESS = "http://localhost:8000"


class _Sessions:
    """Sessions of accounts that never change; a token is the ID of its account."""

    def __init__(self) -> None:
        users = [f"usr_{number}" for number in range(CONNECTIONS)]
        self._users = {id: _user(id) for id in users}
        self._reads: dict[str, Any] = {}
        self._until = datetime.now(UTC) + timedelta(days=1)

    async def user_of(self, token: str, _read: SessionRead | None = None) -> models.User:
        return self._users[token]

    def read(self, token_hash: str) -> SessionRead:
        read = self._reads.get(token_hash)
        if read is None:
            rows: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            rows.set_result([])
            read = self._reads[token_hash] = SessionRead(token_hash, rows)
        return read

    def seen(self, _read: SessionRead) -> SeenSession:
        return SeenSession((), self._until)

    def is_unchanged(self, seen: SeenSession, _read: SessionRead) -> bool:
        return datetime.now(UTC) < seen.until


def _user(id: str) -> models.User:
    return models.User(id=id, email="a@example.com", locale="en", role=enum.Role.USER, credits=5, version=1)


class _Services(Pages):
    """What a page asks, with its answers ready."""

    def __init__(self) -> None:
        super().__init__()
        self.core = SimpleNamespace(replica=None)
        self.integrations = SimpleNamespace(documents=PersistedDocuments(0))
        self.operations = SimpleNamespace(
            query_slots=QuerySlots(has_pauses=False),
            provider_pauses=SimpleNamespace(epoch=0),
            maintenance=SimpleNamespace(is_read_only=False, epoch=0),
        )
        self.products = SimpleNamespace(profile=SimpleNamespace(locale="en"))
        self.accounts = SimpleNamespace(sessions=_Sessions(), demo=None)
        self.billing = SimpleNamespace(refills=SimpleNamespace(is_due=lambda _user: False))


class _Transport(asyncio.Transport):
    """A connection whose responses are counted."""

    def __init__(self, number: int, counts: Counter[str]) -> None:
        super().__init__({"peername": ("127.0.0.1", 40_000 + number), "sockname": ("127.0.0.1", 8000)})
        self._counts = counts
        self._is_closed = False
        self.response = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.response = bytes(data)
        self._counts["complete" if self.response.endswith(b"}") else "begun"] += 1

    def is_closing(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        self._is_closed = True
        self._counts["closed"] += 1


class Server:
    """The connections of one application."""

    def __init__(self, app: ASGIApp, state: dict[str, Any], options: dict[str, Any]) -> None:
        config = uvicorn.Config(app, lifespan="off", **options)
        config.load()
        server_state = ServerState()
        self._counts: Counter[str] = Counter()
        self._connections = []
        body = orjson.dumps({"query": FLAT, "variables": {"first": SIZE}})
        for number in range(CONNECTIONS):
            protocol: Any = config.http_protocol_class  # a class
            made = protocol(config=config, server_state=server_state, app_state=state)
            transport = _Transport(number, self._counts)
            made.connection_made(transport)
            sent = post("/graphql", body, authorization=f"Bearer usr_{number}").encode("latin-1")
            self._connections.append((made, transport, sent))

    async def answer_all(self) -> None:
        """Send a request on each connection, and wait for the responses."""
        wanted = self._counts["complete"] + CONNECTIONS
        for protocol, _, sent in self._connections:
            protocol.data_received(sent)
        while self._counts["complete"] < wanted:
            if self._counts["closed"]:
                raise RuntimeError("The server closed a connection.")
            await asyncio.sleep(0)

    @property
    def body(self) -> bytes:
        """The body of the last response on the first connection."""
        return self._connections[0][1].response.partition(b"\r\n\r\n")[2]

    async def cpu(self) -> float:
        """Return the microseconds of CPU of one request."""
        begun = time.process_time()
        await self.answer_all()
        return (time.process_time() - begun) / CONNECTIONS * 1e6

    async def calls(self) -> Counter[str]:
        """Return the calls of one request on each connection, by file and function."""
        found: Counter[str] = Counter()

        def count(frame: FrameType, event: str, argument: Any) -> None:
            if event == "call":
                code = frame.f_code
                found[f"{code.co_filename}:{code.co_firstlineno} {code.co_qualname}"] += 1
            elif event == "c_call":
                found[f"C {getattr(argument, '__qualname__', argument)}"] += 1

        sys.setprofile(count)
        try:
            await self.answer_all()
        finally:
            sys.setprofile(None)
        return found


def darkroom(kept_answers_bytes: int) -> Server:
    """Return Darkroom's server."""

    @asynccontextmanager
    async def no_services() -> AsyncIterator[Any]:
        raise NotImplementedError
        yield

    options = WebOptions(Audience.NONE, Audience.NONE, _ADDRESS, kept_answers_bytes=kept_answers_bytes)
    limits = dict(uvicorn_options(_ADDRESS, ServerLimits()))
    return Server(create_app(no_services, options), {"services": _Services()}, limits)


async def main(rounds: int, *, shows_calls: bool) -> None:
    """Measure all in turns."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    servers = {"cold page": darkroom(0), "unchanged page": darkroom(2**24)}
    for server in servers.values():
        for _ in range(5):
            await server.answer_all()
    size = len(servers["cold page"].body)
    plain = {"http": HttpToolsProtocol, "log_config": None, "access_log": False}
    servers["constant bytes on uvicorn"] = Server(Constant(size), {}, plain)
    await servers["constant bytes on uvicorn"].answer_all()
    tune_garbage_collection()
    times: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            times[name].append(await server.cpu())
    print(f"{'':28}{'CPU, us':>10}{'calls':>10}{'of Python':>12}")
    for name, server in servers.items():
        calls = await server.calls()
        python = sum(count for called, count in calls.items() if not called.startswith("C "))
        total, of_python = sum(calls.values()) / CONNECTIONS, python / CONNECTIONS
        print(f"{name:28}{min(times[name]):10.0f}{total:10.0f}{of_python:12.0f}")
        if shows_calls:
            for called, count in calls.most_common():
                print(f"    {count / CONNECTIONS:8.2f} {called}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--calls", action="store_true", help="print every function with its calls")
    options = parser.parse_args()
    uvloop.run(main(options.rounds, shows_calls=options.calls))
