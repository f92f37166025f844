"""The shared fixtures: a fresh database of each kind, and a real server on it."""

import asyncio
import contextlib
import itertools
import os
import random
import secrets
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import uvicorn
from redis import Redis

from adapters import server_limits
from composition import open_server, open_services, running_worker, web_options
from main import prepare
from models.database.connection import is_postgres
from services.integrations.images.sanitizer import Sanitizers
from services.services import Services
from setting_types import Switch
from settings import Settings, load_settings
from tests.support.client import Api
from tests.support.executions import Execution
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.polar import PolarServer
from tests.support.mail_server import Mailbox, mail_server
from tests.support.polar_store import paid_by
from tests.support.quick_server import QuickServer
from tests.support.reused_database import ReusedDatabase
from tests.support.run_order import RunOrder
from tests.support.servers import PostgresServer, RedisServer
from web.app import create_app
from web.open_connections import ServerLimits
from web.server import uvicorn_options
from web.socket_frames import SocketLimits

# Every other environment variable is removed, so that no test depends on the shell.
_KEPT = {"PATH", "HOME", "LANG", "TMPDIR", "TEST_DATABASE_URL", "TEST_REDIS_URL", "CI", "COLUMNS", "TERM"}

_postgres = PostgresServer(autovacuum=False)
_template = "darkroom_template"
_reused = ReusedDatabase(_postgres, _template)
_numbers = itertools.count()
_sanitizers = Sanitizers.of(1, max_wait=None)  # shared by all servers, because a child takes 0.1 s to start
_MEMORY = Path("/dev/shm")  # noqa: S108 - fsync waits for no disk there; pytest creates its own folders in it
HASH_KIB = 16  # memory of a password hash: with the default, hashing takes as long as the rest of a small test
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default ones take 30 ms to load


def pytest_configure(config: pytest.Config) -> None:
    for name in set(os.environ) - _KEPT:
        if not name.startswith(("PYTEST", "COV_")):
            del os.environ[name]
    if "TMPDIR" not in os.environ and _is_roomy(_MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))  # the parent of pytest's `tmp_path`s
    config.pluginmanager.register(Execution(config.getoption("--execution")))
    config.pluginmanager.register(RunOrder())
    # Tracebacks without local variables, which take structlog a hundred times as long.
    first = (structlog.processors.add_log_level, structlog.processors.TimeStamper("%Y-%m-%d %H:%M:%S", utc=False))
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*first, plain])


def _is_roomy(folder: Path) -> bool:
    """Return whether a folder has space for the tests' files and allows to execute programs."""
    return (
        folder.is_dir()
        and shutil.disk_usage(folder).free > 2 << 30
        and not os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0)
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["sqlite", "postgres", "both"], default="both", help="database to test on")
    parser.addoption("--kills", type=int, default=10, help="number of kills in the crash campaign")
    parser.addoption("--seed", type=int, default=None, help="seed of the campaigns; default: random, and printed")
    parser.addoption("--pictures", action="store_true", help="update the documentation's screenshots of GraphiQL")
    Execution.add_options(parser)
    parser.addoption("--budget", type=float, default=0, help="size of chaos drills and attacks: 0 short, 1 long form")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        chosen, marker = metafunc.config.getoption("--database"), metafunc.definition.get_closest_marker
        if marker("postgres_only") or (chosen == "both" and marker("any_database")):
            chosen = "postgres" if marker("postgres_only") else "sqlite"
        metafunc.parametrize("database", ["sqlite", "postgres"] if chosen == "both" else [chosen], indirect=True)


@pytest.fixture(scope="session")
def templates() -> Iterator[Path]:
    """A migrated and seeded template of each kind of database; the value is the SQLite file."""
    folder = Path(tempfile.mkdtemp(prefix="darkroom-tests-"))
    _postgres.start()
    _postgres.create_database(_template)
    for url in (f"sqlite://{folder}/template.sqlite3", _postgres.url(_template)):
        # In a thread: the session's event loop is already running, and its context variables must not be shared.
        settings = load_settings(_env_file=None, data_dir=folder, database_url=url)
        _in_thread(prepare(settings))
    yield folder / "template.sqlite3"
    _reused.close()
    _postgres.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _in_thread(work: Coroutine[Any, Any, None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


@pytest.fixture
def database(request: pytest.FixtureRequest, templates: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database, migrated and seeded; the test runs once on each kind."""
    if request.param == "sqlite":
        shutil.copy(templates, tmp_path / "test.sqlite3")
        yield f"sqlite://{tmp_path}/test.sqlite3"
        return
    yield _reused.fresh_url()


@pytest.fixture
def empty_database(request: pytest.FixtureRequest, tmp_path: Path, templates: Path) -> Callable[[str], str]:
    """A function that creates an empty database of the given kind and returns its URL."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite://{tmp_path}/empty-{next(_numbers)}.sqlite3"
        name = f"darkroom_{os.getpid()}_{next(_numbers)}"
        _postgres.create_database(name)
        return _postgres.url(name)

    return make


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A real Redis that the test may kill."""
    server = RedisServer(own=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
async def _closed_sanitizers() -> AsyncIterator[None]:
    yield
    await _sanitizers.aclose()


@dataclass
class Running:
    """A server in this process, listening on a real port."""

    api: Api  # signed out
    services: Services
    settings: Settings


@contextlib.asynccontextmanager
async def open_server_and_worker(settings: Settings, shared_sanitizers: Sanitizers) -> AsyncIterator[Services]:
    """Open a server with a worker in one process; with Redis, which implies separate workers, it still uses Redis."""
    async with (
        open_server(settings, with_provider=True, hash_kib=HASH_KIB, shared_sanitizers=shared_sanitizers) as services,
        contextlib.AsyncExitStack() as stack,
    ):
        if settings.redis_url is not None:
            await stack.enter_async_context(running_worker(services, settings.worker_concurrency))
        yield services


@contextlib.asynccontextmanager
async def running(settings: Settings, *, idle: bool = False, limits: ServerLimits | None = None,
                  sockets: SocketLimits | None = None, sanitizers: Sanitizers = _sanitizers,
                  **options: Any) -> AsyncIterator[Running]:  # fmt: skip
    """Run a server while the body runs. `options`: fields of WebOptions that override those from the settings.

    `idle`: without worker and sweeper, as on a server whose workers are other processes. `limits`: by default those of
    the settings, but idle connections stay open: a slow test could reuse one that is just being closed.
    """
    opener = partial(open_services, with_provider=True, hash_kib=HASH_KIB) if idle else open_server_and_worker
    # The protocol is explicit because asyncio otherwise does not set TCP_NODELAY, which delays every response by 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = settings.model_copy(update={"public_url": settings.public_url or address})
    opened: list[Services] = []

    @contextlib.asynccontextmanager
    async def open_and_keep() -> AsyncIterator[Services]:
        async with opener(settings, shared_sanitizers=sanitizers) as services:
            opened.append(services)
            yield services

    app = create_app(open_and_keep, replace(web_options(settings), **options))
    limits = limits or replace(server_limits(settings, 20_000), idle=60.0)
    config = uvicorn.Config(
        app,
        lifespan="on",
        timeout_graceful_shutdown=1,
        **uvicorn_options(settings.address, limits, sockets or SocketLimits()),
    )
    server = QuickServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0.005)
        async with httpx.AsyncClient(base_url=address, timeout=30, verify=_NO_CERTIFICATES) as http:
            yield Running(Api(http, address), opened[0], settings)
    finally:
        server.stop()
        await task


@cache
def _quick_defaults() -> Settings:
    """The settings below, validated once: that takes as long as the start of a server."""
    return load_settings(
        _env_file=None,
        demo_seconds=0,
        generation_sweep_seconds=0.3,
        subscription_reread_seconds=0.5,
        storage_patience_seconds=0.3,
        rate_limits="off",  # tests of rate limits turn them on
    )


def quick_settings(database: str, folder: Path) -> Settings:
    """Settings for a quick server: the demo provider without delays, short sweep and reread intervals."""
    return _quick_defaults().model_copy(update={"database_url": database, "data_dir": folder / "data"})


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """A real Redis shared by all tests, which must not kill it."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def settings(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Settings for SQLite and the in-memory bus, or for PostgreSQL and Redis."""
    found = quick_settings(database, tmp_path)
    if not is_postgres(database):
        return found
    url = request.getfixturevalue("shared_redis").url
    with Redis.from_url(url) as client:
        client.flushdb()
    return found.model_copy(update={"redis_url": url})


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    """A running server with a worker, on each kind of database."""
    async with running(settings) as found:
        yield found


@pytest.fixture
def api(server: Running) -> Api:
    """A signed-out client of `server`."""
    return server.api


@pytest.fixture
async def ada(api: Api) -> Api:
    """A client of `server`, signed in as a new user."""
    return await api.sign_up("ada@example.com")


@pytest.fixture(scope="module")
async def module_server(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One server for all tests of a module, on SQLite: for protocol tests that do not depend on the database.

    Only one database can be open at a time, so such a module must not use another server.
    """
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(templates, folder / "test.sqlite3")
    settings = quick_settings(f"sqlite://{folder}/test.sqlite3", folder)
    async with running(settings) as found:
        yield found


@pytest.fixture
async def openrouter() -> AsyncIterator[ScriptedOpenRouter]:
    """A local OpenRouter with scripted responses; by default, a good image."""
    async with ScriptedOpenRouter() as fake:
        yield fake


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """A local mail server and its received messages; used only if the test's settings refer to it."""
    async with mail_server() as found:
        yield found


@pytest.fixture
def scripted_settings(settings: Settings, openrouter: ScriptedOpenRouter) -> Settings:
    """Settings for a server that uses the scripted OpenRouter, with credits for any number of generations."""
    return settings.model_copy(
        update={
            "openrouter_api_key": openrouter.key,
            "openrouter_base_url": openrouter.base_url,
            "generation_deadline_seconds": 5.0,  # a busy machine may take a second for what takes no time
            "generation_sweep_seconds": 0.2,
            "signup_credits": 10_000,
            "circuit_min_calls": 1000,  # scripted errors are no outage; tests of circuits set it
        }
    )


@pytest.fixture
async def scripted(scripted_settings: Settings) -> AsyncIterator[Running]:
    """A server with a worker and the scripted OpenRouter."""
    async with running(scripted_settings) as found:
        yield found


@pytest.fixture
async def product(scripted_settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """A server with the profile that the test module names as PROFILE, the scripted OpenRouter, and rate limits on."""
    changes = {"profile": request.module.PROFILE, "signup_credits": None, "rate_limits": Switch.ON}
    settings = scripted_settings.model_copy(update=changes)
    await prepare(settings)
    async with running(settings) as found:
        yield found


@pytest.fixture
async def idle_server(scripted_settings: Settings) -> AsyncIterator[Running]:
    """A server without worker and sweeper: the test calls them itself."""
    async with running(scripted_settings, idle=True) as found:
        yield found


@pytest.fixture
async def polar() -> AsyncIterator[PolarServer]:
    """A fake of the Polar API."""
    async with PolarServer() as fake:
        yield fake


@pytest.fixture
async def polar_store(polar: PolarServer, settings: Settings) -> AsyncIterator[Running]:
    """An idle server whose payments go through the fake of the Polar API."""
    async with running(paid_by(polar, settings), idle=True) as found:
        yield found


@pytest.fixture
async def push_only_server(scripted_settings: Settings) -> AsyncIterator[Running]:
    """An idle server whose subscriptions depend on messages alone: they never poll the database."""
    settings = scripted_settings.model_copy(update={"subscription_reread_seconds": 1_000_000.0, "signup_credits": 30})
    async with running(settings, idle=True) as found:
        yield found


@pytest.fixture(scope="module")
def seed(pytestconfig: pytest.Config) -> int:
    """The seed given by --seed, to repeat a campaign; otherwise a random one."""
    chosen = pytestconfig.getoption("--seed")
    return secrets.randbelow(10**6) if chosen is None else int(chosen)


@pytest.fixture
def rng(request: pytest.FixtureRequest, seed: int) -> random.Random:
    """The seeded random generator of one campaign or drill; pytest shows the seed when the test fails."""
    print(f"\n{request.node.name}: --seed {seed}")  # noqa: T201 - part of the report
    return random.Random(f"{seed} {request.node.name}")
