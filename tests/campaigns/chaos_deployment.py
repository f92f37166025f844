"""A deployment as an operator runs it: two servers, two workers, PostgreSQL and Redis, each a process to kill."""

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
from tests.campaigns.chaos_server import ProcessSpec
from tests.campaigns.fork_server import ForkClient, ForkedProcess
from tests.support.client import Api
from tests.support.server_process import HOST, free_port
from tests.support.servers import PostgresServer, RedisServer

T = TypeVar("T")

CREDITS = 500_000  # of a new account: more than a drill can spend
PATIENCE = 30.0  # seconds; far longer than anything takes
SECRET = "0123456789abcdef" * 4  # the same for all processes, as in production
SERVERS, WORKERS = 2, 2


async def until(condition: Callable[[], Awaitable[bool]], what: str, patience: float = PATIENCE) -> float:
    """Wait until `condition` holds and return the seconds it took; fail with `what` after `patience` seconds."""
    started = time.monotonic()
    while not await condition():
        if time.monotonic() - started > patience:
            raise AssertionError(f"{what}: not within {patience} s")
        await asyncio.sleep(0.02)
    return time.monotonic() - started


@dataclass
class Member:
    """A server or worker of the deployment, and the process that runs it now."""

    deployment: "Deployment"
    name: str
    command: str
    port: int
    http: httpx.AsyncClient = field(init=False)
    process: ForkedProcess | None = None
    starts: int = 0

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=40)
        self.http = httpx.AsyncClient(base_url=self.address, timeout=30, limits=limits)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        return self.deployment.folder / f"{self.name}.log"

    async def start(self) -> None:
        """Start a process and return when it works."""
        self.starts += 1
        settings = {**self.deployment.settings, "port": self.port}
        spec = ProcessSpec(
            self.command, str(self.log), settings, str(self.deployment.folder), self.deployment.seed + self.starts
        )
        self.process = await self.deployment.fork_client.fork(spec)
        await until(self._is_ready, f"{self.name} is ready")

    async def _is_ready(self) -> bool:
        assert self.process is not None
        assert not self.process.exit_code.done(), f"{self.name} exited:\n{self.log.read_text()[-3000:]}"
        if self.command == "worker":
            return self.log.read_text().count('"worker.started"') == self.starts if self.log.exists() else False
        with contextlib.suppress(httpx.TransportError):
            return (await self.http.get("/health/live")).status_code == 200
        return False

    async def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self.process is not None
        self.process.send(signal.SIGTERM)
        return await asyncio.wait_for(asyncio.shield(self.process.exit_code), PATIENCE)


@dataclass
class Deployment:
    """The processes of a deployment, its data stores and its settings."""

    folder: Path
    fork_client: ForkClient
    postgres: PostgresServer
    redis: RedisServer
    thread: ThreadPoolExecutor  # one, as long as the deployment: data stores die with the thread that started them
    seed: int
    extra: dict[str, Any] = field(default_factory=dict)
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
            **self.extra,
        }

    @property
    def servers(self) -> list[Member]:
        return [member for member in self.members if member.command == "serve"]

    async def run_in_thread(self, work: Callable[[], T]) -> T:
        """Run a blocking operation on PostgreSQL or Redis while the load continues."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, work)

    async def signed_out_clients(self) -> list[Api]:
        """Return signed-out clients, one for each server."""
        return [Api(member.http, member.address) for member in self.servers]

    async def sign_up(self, name: str) -> list[Api]:
        """Create an account and return its clients, one for each server."""
        first, *others = await self.signed_out_clients()
        first = await first.sign_up(f"{name}@example.com")
        return [first, *(Api(api.http, api.address, first.token, first.user) for api in others)]

    async def wait_until_settled(self, patience: float) -> float:
        """Wait until no generation is unfinished and no file unsettled; return the seconds it took."""
        started = time.monotonic()
        while left := await rows(
            "SELECT id, status AS state, worker, attempts, lease_until AS moment FROM generations"
            " WHERE status IN ('PENDING', 'PROCESSING')"
            " UNION ALL SELECT id, state, NULL, NULL, updated_at FROM files WHERE state <> 'LIVE'"
        ):
            assert time.monotonic() < started + patience, f"{len(left)} unfinished after {patience} s: {left[:5]}"
            await asyncio.sleep(0.05)
        return time.monotonic() - started

    async def violated_invariants(self, keys: Callable[[], Awaitable[set[str]]]) -> dict[str, tuple[str, ...]]:
        """Return the invariants that are violated, now that nothing is under way."""
        results = await IntegrityAudit(keys, generation_seconds=0, file_seconds=0, upload_seconds=0).run()
        return {f"{result.name} {result.statement}": result.violations for result in results if result.violations}


@contextlib.asynccontextmanager
async def open_deployment(folder: Path, seed: int, **extra: Any) -> AsyncIterator[Deployment]:
    """Start everything at once, as after a power cut. `extra`: settings of every process."""
    postgres, redis = PostgresServer(own=True), RedisServer(own=True)
    async with contextlib.AsyncExitStack() as stack:
        thread = stack.enter_context(ThreadPoolExecutor(1))
        stack.callback(postgres.stop)
        stack.callback(redis.stop)
        fork_client = await stack.enter_async_context(ForkClient("chaos_server.py").running())
        deployment = Deployment(folder, fork_client, postgres, redis, thread, seed, extra)
        await deployment.run_in_thread(postgres.start)
        await deployment.run_in_thread(redis.start)
        await deployment.run_in_thread(lambda: postgres.create_database("chaos"))
        connection = await asyncpg.connect(deployment.database)
        # Test servers lose their last commits when killed (synchronous_commit off); these must not.
        await connection.execute("ALTER DATABASE chaos SET synchronous_commit = on")
        await connection.close()
        deployment.members = [
            *(Member(deployment, f"server-{number}", "serve", free_port()) for number in range(SERVERS)),
            *(Member(deployment, f"worker-{number}", "worker", free_port()) for number in range(WORKERS)),
        ]
        for member in deployment.members:
            await stack.enter_async_context(member.http)
        await asyncio.gather(*(member.start() for member in deployment.members))
        await stack.enter_async_context(open_database(deployment.database))
        yield deployment
