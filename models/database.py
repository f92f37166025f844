"""The one door to the database: connections, transactions, and the few statements written by hand."""

import asyncio
import contextlib
import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import asyncpg
from tortoise.backends.sqlite.client import SqliteTransactionWrapper
from tortoise.connection import get_connections
from tortoise.context import TortoiseContext
from tortoise.exceptions import DBConnectionError
from tortoise.transactions import in_transaction

P = ParamSpec("P")
T = TypeVar("T")

_SQLITE_OPTIONS = {"busy_timeout": 20_000, "synchronous": "FULL"}  # ms to wait for another process's write
_POSTGRES_OPTIONS = "minsize=1&maxsize=10&command_timeout=5"  # connections, and seconds for a statement


_OUTAGES = (
    DBConnectionError,
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection says that is lost in the middle of a statement
)


async def _begin_immediate(self: SqliteTransactionWrapper) -> None:
    """Take SQLite's write lock at once: a transaction that starts reading and then writes fails under contention."""
    await self._connection.commit()
    await self._connection.execute("BEGIN IMMEDIATE")


SqliteTransactionWrapper.begin = _begin_immediate  # type: ignore[method-assign]  # Tortoise 1.1.9 has no setting for it


def is_postgres(url: str) -> bool:
    """Whether a DATABASE_URL names PostgreSQL rather than SQLite."""
    return url.startswith(("postgres://", "postgresql://"))


def sqlite_path(url: str) -> Path:
    """The file that a `sqlite:///path` names."""
    return Path(url.removeprefix("sqlite://"))


def is_outage(error: BaseException | None) -> bool:
    """Whether the database could not be reached, rather than that it refused what it was told."""
    while error is not None:
        if isinstance(error, _OUTAGES):
            return True
        error = error.__cause__ or error.__context__
    return False


def tortoise_config(url: str) -> dict[str, Any]:
    """Tortoise's configuration for a DATABASE_URL (`sqlite:///path`, `postgresql://...`)."""
    name = "postgres" if is_postgres(url) else "sqlite"
    connection: str | dict[str, Any]
    if is_postgres(url):
        address = re.sub(r"^postgres(ql)?://", "asyncpg://", url)
        # libpq's word, which hosting companies write into their URLs, and asyncpg's for the same.
        address = re.sub(r"([?&])sslmode=", r"\1ssl=", address)
        connection = address + ("&" if "?" in address else "?") + _POSTGRES_OPTIONS
    else:
        # A path, not a URL: a folder's name may hold `#` and `?`.
        credentials = {"file_path": str(sqlite_path(url)), **_SQLITE_OPTIONS}
        connection = {"engine": "tortoise.backends.sqlite", "credentials": credentials}
    # The connection's name differs per database: Tortoise caches prepared statements by that name.
    return {
        "connections": {name: connection},
        "apps": {"models": {"models": ["models", "aerich.models"], "default_connection": name}},
        "use_tz": True,
        "timezone": "UTC",
    }


# aerich writes migrations offline, for PostgreSQL; the SQLite branch is added by hand (docs/decisions/0003).
MIGRATION_CONFIG = tortoise_config("postgresql://nobody@localhost:1/offline")


@contextlib.asynccontextmanager
async def open_database(url: str) -> AsyncIterator[None]:
    """Connect for the life of a process; on the way out, wait for transactions that are still running."""
    if not is_postgres(url):
        sqlite_path(url).parent.mkdir(parents=True, exist_ok=True)
    async with TortoiseContext() as context:
        # Requests run in contexts that were not made inside this one, so the fallback must be global.
        await context.init(tortoise_config(url), _enable_global_fallback=True)
        try:
            yield
        finally:
            if _running:
                await asyncio.wait(_running)


_running: set[asyncio.Task[Any]] = set()


async def run_tx(work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in one transaction, in a task of its own that no cancellation reaches.

    A Tortoise transaction that is cancelled leaks its connection for good (on SQLite: its lock). So the caller may be
    cancelled, the transaction may not: it ends first, committed or rolled back, and then the cancellation goes on.
    Inside another transaction it becomes a savepoint.
    """

    async def transaction() -> T:
        async with in_transaction():
            return await work(*args, **kwargs)

    task = asyncio.ensure_future(transaction())
    _running.add(task)
    task.add_done_callback(_running.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Wait as long as it takes: a second cancellation must not leave the transaction behind either.
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen: the caller learns of its cancellation, not of this
        raise


async def rows(sql: str, *values: Any) -> list[dict[str, Any]]:
    """Run one statement written by hand and return its rows (RETURNING included).

    Written once for both databases: `$1` placeholders, `NOW()` for the database's clock, `LATER($1)` for the moment
    that many seconds from now (negative: ago). Leases live by the database's clock, because workers' own differ.
    """
    connections = get_connections()
    connection = connections.get(next(iter(connections.db_config)))
    statement = _in_dialect(sql, connection.capabilities.dialect)
    found: list[dict[str, Any]] = await connection.execute_query_dict(statement, list(values))
    return found


@functools.cache
def _in_dialect(sql: str, dialect: str) -> str:
    if dialect == "postgres":
        return re.sub(r"LATER\((\$\d+)\)", r"(NOW() + make_interval(secs => \1))", sql).replace(
            "NOW()", "clock_timestamp()"
        )
    moment = "(strftime('%Y-%m-%d %H:%M:%f', 'now'{}) || '+00:00')"
    sql = re.sub(r"LATER\((\$\d+)\)", lambda match: moment.format(f", {match[1]} || ' seconds'"), sql)
    return re.sub(r"\$(\d+)", r"?\1", sql.replace("NOW()", moment.format("")))
