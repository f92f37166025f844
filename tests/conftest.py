"""What every test may ask for: a fresh database of each kind, and a real server on it."""

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

from composition import open_server, open_services, running_worker, web_options
from main import prepare
from models.database.connection import is_postgres
from services.integrations.images.sanitizer import ImageSanitizer
from services.services import Services
from setting_types import Provider, Switch
from settings import Settings, load_settings
from tests.support.client import Api
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.polar import PolarServer
from tests.support.mail_server import Mailbox, mail_server
from tests.support.polar_store import paid_by
from tests.support.reused_database import ReusedDatabase
from tests.support.servers import PostgresServer, RedisServer
from web.app import create_app

# Tests say what they need; what happens to be in this shell's environment is none of it.
_KEPT = {"PATH", "HOME", "LANG", "TMPDIR", "TEST_DATABASE_URL", "TEST_REDIS_URL", "CI", "COLUMNS", "TERM"}

_postgres = PostgresServer(autovacuum=False)
_template = "darkroom_template"
_reused = ReusedDatabase(_postgres, _template)
_numbers = itertools.count()
_sanitizer = ImageSanitizer(processes=1)  # of all servers: a child starts in 0.1 s
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is flushed there waits for no disk; pytest makes folders of its own
HASH_KIB = 16  # memory of a password's hash: a good one costs as much as all else in a small test
# The files that take longest, so that no process is left alone with one of them at the end.
_LONGEST = (
    *("sanitizer_process", "crash", "chaos", "demo_looks", "outage", "interleavings", "gallery_changed"),
    *(
        "cancellation",
        "upload",
        "worker",
        "idempotency",
        "payment",
        "typescript_client",
        "rate_limits",
        "ledger",
        "integrity_audit",
    ),
    *(
        "worker_shutdown",
        "provider_errors",
        "gallery",
        "share",
        "regeneration",
        "deletion",
        "worker_pool",
        "passes",
        "refund_policy",
        "profiles",
    ),
)
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def pytest_configure(config: pytest.Config) -> None:
    for name in set(os.environ) - _KEPT:
        if not name.startswith(("PYTEST", "COV_")):
            del os.environ[name]
    if "TMPDIR" not in os.environ and _is_roomy(_MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))  # where pytest makes its `tmp_path`s
    # Without the local variables that structlog prints with a traceback, which takes a hundred times as long.
    first = (structlog.processors.add_log_level, structlog.processors.TimeStamper("%Y-%m-%d %H:%M:%S", utc=False))
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*first, plain])


def _is_roomy(folder: Path) -> bool:
    """Whether tests can have their files there, and start programs from them."""
    return (
        folder.is_dir()
        and shutil.disk_usage(folder).free > 2 << 30
        and not os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0)
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.stem.removeprefix("test_"), len(ranks)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["sqlite", "postgres", "both"], default="both", help="run on which")
    parser.addoption("--kills", type=int, default=10, help="kill points of the crash campaign")
    parser.addoption("--seed", type=int, default=None, help="of the campaigns; printed when left out")
    parser.addoption("--pictures", action="store_true", help="take the documents' pictures of GraphiQL again")
    parser.addoption("--budget", type=float, default=0, help="of the chaos drills: 0 the short form, 1 the long one")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database")
        if chosen == "both" and metafunc.definition.get_closest_marker("any_database"):
            chosen = "sqlite"
        metafunc.parametrize("database", ["sqlite", "postgres"] if chosen == "both" else [chosen], indirect=True)


@pytest.fixture(scope="session")
def templates() -> Iterator[Path]:
    """A migrated and seeded database of each kind, to be copied; the answer is the SQLite file."""
    folder = Path(tempfile.mkdtemp(prefix="darkroom-tests-"))
    _postgres.start()
    _postgres.create_database(_template)
    for url in (f"sqlite://{folder}/template.sqlite3", _postgres.url(_template)):
        # In a thread: the session's event loop is running already, and this must not share its contexts.
        settings = load_settings(_env_file=None, data_dir=folder, database_url=url)
        _in_thread(prepare(settings))
    yield folder / "template.sqlite3"
    _postgres.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _in_thread(work: Coroutine[Any, Any, None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


@pytest.fixture
def database(request: pytest.FixtureRequest, templates: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of its own, migrated and seeded; the test runs once on each kind."""
    if request.param == "sqlite":
        shutil.copy(templates, tmp_path / "test.sqlite3")
        yield f"sqlite://{tmp_path}/test.sqlite3"
        return
    yield _reused.renewed()


@pytest.fixture
def empty_database(request: pytest.FixtureRequest, tmp_path: Path, templates: Path) -> Callable[[str], str]:
    """Makes the URL of an empty database of the kind that is named."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite://{tmp_path}/empty-{next(_numbers)}.sqlite3"
        name = f"darkroom_{os.getpid()}_{next(_numbers)}"
        _postgres.create_database(name)
        return _postgres.url(name)

    return make


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A real Redis that tests may kill."""
    server = RedisServer(own=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
async def _closed_sanitizer() -> AsyncIterator[None]:
    yield
    await _sanitizer.aclose()


@dataclass
class Running:
    """A server in this process, on a real port."""

    api: Api  # signed out
    services: Services
    settings: Settings


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # Ctrl-C belongs to pytest


@contextlib.asynccontextmanager
async def open_server_and_worker(settings: Settings) -> AsyncIterator[Services]:
    """With Redis a server leaves the work to other processes; here both are one, and talk through Redis still."""
    async with (
        open_server(settings, hash_kib=HASH_KIB, shared_sanitizer=_sanitizer) as services,
        contextlib.AsyncExitStack() as stack,
    ):
        if settings.redis_url is not None:
            await stack.enter_async_context(running_worker(services, settings.worker_concurrency))
        yield services


@contextlib.asynccontextmanager
async def running(settings: Settings, *, idle: bool = False, **options: Any) -> AsyncIterator[Running]:
    """Serve for as long as the body runs; `options`: fields of WebOptions that are not left to the settings.

    `idle`: nobody works and nobody sweeps, as on a server whose workers are other processes.
    """
    opener = partial(open_services, hash_kib=HASH_KIB, shared_sanitizer=_sanitizer) if idle else open_server_and_worker
    # With its protocol named: asyncio sets TCP_NODELAY on no other, and then every answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = settings.model_copy(update={"public_url": settings.public_url or address})
    opened: list[Services] = []

    @contextlib.asynccontextmanager
    async def open_and_keep() -> AsyncIterator[Services]:
        async with opener(settings) as services:
            opened.append(services)
            yield services

    app = create_app(open_and_keep, replace(web_options(settings), **options))
    config = uvicorn.Config(
        app,
        log_config=None,
        ws="websockets-sansio",
        lifespan="on",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=60,  # else a slow test meets a connection that is just being closed
        proxy_headers=False,
    )
    server = _Uvicorn(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0.005)
        # Without certificates, which take 30 ms to read and nobody here asks for.
        async with httpx.AsyncClient(base_url=address, timeout=30, verify=_NO_CERTIFICATES) as http:
            yield Running(Api(http, address), opened[0], settings)
    finally:
        server.should_exit = True
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
    """A real Redis that no test may kill."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def settings(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """SQLite and memory, or PostgreSQL and Redis."""
    found = quick_settings(database, tmp_path)
    if not is_postgres(database):
        return found
    url = request.getfixturevalue("shared_redis").url
    with Redis.from_url(url) as client:
        client.flushdb()
    return found.model_copy(update={"redis_url": url})


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    async with running(settings) as found:
        yield found


@pytest.fixture
def api(server: Running) -> Api:
    """A signed-out client of a running server."""
    return server.api


@pytest.fixture
async def ada(api: Api) -> Api:
    """A client signed in as a new account."""
    return await api.sign_up("ada@example.com")


@pytest.fixture(scope="module")
async def module_server(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One server for all tests of a module, on SQLite: for protocols, in which the database has no part.

    Only one database can be open at a time, so such a module asks for no other server.
    """
    folder = tmp_path_factory.mktemp("door")
    shutil.copy(templates, folder / "test.sqlite3")
    settings = quick_settings(f"sqlite://{folder}/test.sqlite3", folder)
    async with running(settings) as found:
        yield found


@pytest.fixture
async def openrouter() -> AsyncIterator[ScriptedOpenRouter]:
    """A local OpenRouter that answers as the test says; a good picture, unless it says anything."""
    async with ScriptedOpenRouter() as fake:
        yield fake


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """A mail server, and what arrived there; nothing is sent to it unless the test's settings name it."""
    async with mail_server() as found:
        yield found


@pytest.fixture
def scripted_settings(settings: Settings, openrouter: ScriptedOpenRouter) -> Settings:
    """Settings for a server whose pictures come from the scripted OpenRouter, and credits for any number of them."""
    return settings.model_copy(
        update={
            "image_provider": Provider.OPENROUTER,
            "openrouter_api_key": openrouter.key,
            "openrouter_base_url": openrouter.base_url,
            "generation_deadline_seconds": 5.0,  # a busy machine may take one for what takes no time
            "generation_sweep_seconds": 0.2,
            "signup_credits": 10_000,
        }
    )


@pytest.fixture
async def scripted(scripted_settings: Settings) -> AsyncIterator[Running]:
    """A server that works, with the scripted OpenRouter."""
    async with running(scripted_settings) as found:
        yield found


@pytest.fixture
async def product(scripted_settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """A server of the product that the test's module names as PROFILE, with the scripted OpenRouter; limits are on."""
    changes = {"profile": request.module.PROFILE, "signup_credits": None, "rate_limits": Switch.ON}
    settings = scripted_settings.model_copy(update=changes)
    await prepare(settings)
    async with running(settings) as found:
        yield found


@pytest.fixture
async def idle_server(scripted_settings: Settings) -> AsyncIterator[Running]:
    """A server where nothing happens by itself: a test runs the worker and the sweeper by hand."""
    async with running(scripted_settings, idle=True) as found:
        yield found


@pytest.fixture
async def polar() -> AsyncIterator[PolarServer]:
    """A stand-in of Polar."""
    async with PolarServer() as fake:
        yield fake


@pytest.fixture
async def polar_store(polar: PolarServer, settings: Settings) -> AsyncIterator[Running]:
    """An idle server that sells through the stand-in of Polar."""
    async with running(paid_by(polar, settings), idle=True) as found:
        yield found


@pytest.fixture
async def push_only_server(scripted_settings: Settings) -> AsyncIterator[Running]:
    """An idle server whose subscriptions know only what a message tells: they never read rows again by themselves."""
    settings = scripted_settings.model_copy(update={"subscription_reread_seconds": 1_000_000.0, "signup_credits": 30})
    async with running(settings, idle=True) as found:
        yield found


@pytest.fixture(scope="module")
def seed(pytestconfig: pytest.Config) -> int:
    """Chosen by --seed, so that a campaign can be repeated."""
    chosen = pytestconfig.getoption("--seed")
    return secrets.randbelow(10**6) if chosen is None else int(chosen)


@pytest.fixture
def rng(request: pytest.FixtureRequest, seed: int) -> random.Random:
    """Of one campaign or drill; pytest shows the seed when it fails."""
    print(f"\n{request.node.name}: --seed {seed}")  # noqa: T201 - part of the report
    return random.Random(f"{seed} {request.node.name}")
