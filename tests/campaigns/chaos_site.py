"""A site as an operator runs it: two servers, two workers, PostgreSQL and Redis, each a process that can be ended."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx

from models.database.connection import open_database, rows
from services.operations.integrity_audit import IntegrityAudit
from tests.campaigns.chaos_server import Order
from tests.campaigns.fork_server import ForkServer, Life
from tests.support.client import Api
from tests.support.server_process import HOST, free_port
from tests.support.servers import PostgresServer, RedisServer

T = TypeVar("T")

CREDITS = 500_000  # of a new account: nobody in a drill runs out
PATIENCE = 30.0  # seconds for what must happen; nothing takes nearly as long
SECRET = "0123456789abcdef" * 4  # the same for all processes, as on a real site
SERVERS, WORKERS = 2, 2


async def until(found: Callable[[], Awaitable[bool]], what: str, patience: float = PATIENCE) -> float:
    """The seconds until `found`."""
    started = time.monotonic()
    while not await found():
        if time.monotonic() - started > patience:
            raise AssertionError(f"{what}: not within {patience} s")
        await asyncio.sleep(0.02)
    return time.monotonic() - started


@dataclass
class Member:
    """One place of the site, and the process that has it now."""

    site: "Site"
    name: str
    command: str
    port: int
    http: httpx.AsyncClient = field(init=False)
    life: Life | None = None
    starts: int = 0

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=40)
        self.http = httpx.AsyncClient(base_url=self.address, timeout=30, limits=limits)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        return self.site.folder / f"{self.name}.log"

    async def start(self) -> None:
        """Return when it does its work."""
        self.starts += 1
        settings = {**self.site.settings, "port": self.port}
        order = Order(self.command, str(self.log), settings, str(self.site.folder), self.site.seed + self.starts)
        self.life = await self.site.mother.fork(order)
        await until(self._works, f"{self.name} starts")

    async def _works(self) -> bool:
        assert self.life is not None
        assert not self.life.death.done(), f"{self.name} ended:\n{self.log.read_text()[-3000:]}"
        if self.command == "worker":
            return self.log.read_text().count('"worker.started"') == self.starts if self.log.exists() else False
        with contextlib.suppress(httpx.TransportError):
            return (await self.http.get("/health/live")).status_code == 200
        return False

    async def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self.life is not None
        self.life.send(signal.SIGTERM)
        return await asyncio.wait_for(asyncio.shield(self.life.death), PATIENCE)


@dataclass
class Site:
    """All of it."""

    folder: Path
    mother: ForkServer
    postgres: PostgresServer
    redis: RedisServer
    hands: ThreadPoolExecutor  # one thread, for as long as the site: what it started ends with it
    seed: int
    given: dict[str, Any] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)

    @property
    def database(self) -> str:
        return self.postgres.url("chaos")

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "database_url": self.database,
            "redis_url": self.redis.url,
            "data_dir": str(self.folder),
            "secret_key": SECRET,
            "image_provider": "demo",
            "image_processes": 1,
            "signup_credits": CREDITS,
            "log_format": "json",
            "rate_limits": "off",
            **self.given,
        }

    @property
    def servers(self) -> list[Member]:
        return [member for member in self.members if member.command == "serve"]

    async def in_hands(self, work: Callable[[], T]) -> T:
        """Do something slow to PostgreSQL or Redis while the load goes on."""
        return await asyncio.get_running_loop().run_in_executor(self.hands, work)

    async def visitors(self) -> list[Api]:
        """Signed out, one client for each server."""
        return [Api(member.http, member.address) for member in self.servers]

    async def person(self, name: str) -> list[Api]:
        """A new account, signed in at each server."""
        first, *others = await self.visitors()
        first = await first.sign_up(f"{name}@example.com")
        return [first, *(Api(api.http, api.address, first.token, first.user) for api in others)]

    async def settle(self, patience: float) -> float:
        """The seconds until nothing is under way and no file is undecided."""
        started = time.monotonic()
        while left := await rows(
            "SELECT id, status AS state, worker, attempts, lease_until AS moment FROM generations"
            " WHERE status IN ('PENDING', 'PROCESSING')"
            " UNION ALL SELECT id, state, NULL, NULL, updated_at FROM files WHERE state <> 'LIVE'"
        ):
            assert time.monotonic() < started + patience, f"{len(left)} did not end in {patience} s: {left[:5]}"
            await asyncio.sleep(0.05)
        return time.monotonic() - started

    async def broken(self, keys: Callable[[], Awaitable[set[str]]]) -> dict[str, tuple[str, ...]]:
        """The promises that do not hold now that nothing is under way."""
        verdicts = await IntegrityAudit(keys, stuck=0, unsettled=0, sent_ahead=0).run()
        return {f"{verdict.name} {verdict.promise}": verdict.offenders for verdict in verdicts if verdict.offenders}


@contextlib.asynccontextmanager
async def open_site(folder: Path, seed: int, **given: Any) -> AsyncIterator[Site]:
    """Everything started at the same moment, as after a power cut; `given`: settings of every process."""
    postgres, redis = PostgresServer(own=True), RedisServer(own=True)
    async with contextlib.AsyncExitStack() as stack:
        hands = stack.enter_context(ThreadPoolExecutor(1))
        stack.callback(postgres.stop)
        stack.callback(redis.stop)
        mother = await stack.enter_async_context(ForkServer("chaos_server.py").running())
        site = Site(folder, mother, postgres, redis, hands, seed, given)
        await site.in_hands(postgres.start)
        await site.in_hands(redis.start)
        await site.in_hands(lambda: postgres.create_database("chaos"))
        connection = await asyncpg.connect(site.database)
        # The tests' servers forget their last commits when they are killed; an operator's must not.
        await connection.execute("ALTER DATABASE chaos SET synchronous_commit = on")
        await connection.close()
        site.members = [
            *(Member(site, f"server-{number}", "serve", free_port()) for number in range(SERVERS)),
            *(Member(site, f"worker-{number}", "worker", free_port()) for number in range(WORKERS)),
        ]
        for member in site.members:
            await stack.enter_async_context(member.http)
        await asyncio.gather(*(member.start() for member in site.members))
        await stack.enter_async_context(open_database(site.database))
        yield site
