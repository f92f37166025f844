"""Access to the database: connections, transactions, and hand-written SQL statements for both dialects."""

import asyncio
import contextlib
import functools
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sized
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import asyncpg
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.context import TortoiseContext, require_context
from tortoise.exceptions import DBConnectionError
from tortoise.transactions import in_transaction

from models.database.connection_pool import ConnectionPool, NoConnectionError
from models.database.moment import unpacked
from models.database.postgres import REQUEST_LIMITS, Limits
from models.database.read_groups import GROUP_SIZE
from telemetry.trace import span

P = ParamSpec("P")
T = TypeVar("T")

_SQLITE_OPTIONS = {"busy_timeout": 20_000, "synchronous": "FULL"}  # ms to wait for another process's write
POOL_SIZE = 10  # connections of one process to PostgreSQL

_OUTAGES = (
    DBConnectionError,
    OSError,  # NoConnectionError and TimeoutError among them
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # starting, stopping, or a statement timed out
    asyncpg.InsufficientResourcesError,  # connections, memory, disk
    asyncpg.PostgresSystemError,  # files that cannot be read or written
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,  # repeated deadlocks
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # it has become a replica
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that was lost in the middle of a statement
)
# Those that only the database can have raised.
_LOST = (*(kind for kind in _OUTAGES if kind is not OSError), NoConnectionError)
# SQLITE_BUSY, LOCKED, READONLY, IOERR, FULL and CANTOPEN; sqlite3 is imported where it is used.
_SQLITE_OUTAGES = (5, 6, 8, 10, 13, 14)
_SQLITE_DAMAGE = (11, 26)  # SQLITE_CORRUPT and NOTADB

# Conflicts of two transactions: one was certainly rolled back, and can be retried.
_CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_RETRIES = 3
_BACKOFF = 0.02  # seconds before the first retry, doubled each time, with full jitter


def is_postgres(url: str) -> bool:
    """Whether a DATABASE_URL is of PostgreSQL rather than SQLite."""
    return url.startswith(("postgres://", "postgresql://"))


def sqlite_path(url: str) -> Path:
    """Return the file of a `sqlite:///path`."""
    return Path(url.removeprefix("sqlite://"))


def is_outage(error: BaseException | None, kinds: tuple[type[Exception], ...] = _OUTAGES) -> bool:
    """Whether the error is an outage of the database, rather than a statement that it refused."""
    while error is not None:
        if isinstance(error, kinds):
            return True
        if code := getattr(error, "sqlite_errorcode", 0):
            # The primary code, without the extended code's upper bits; errors of the module itself have none.
            return code & 0xFF in _SQLITE_OUTAGES
        error = error.__cause__ or error.__context__
    return False


def is_lost_database(error: BaseException | None) -> bool:
    """Whether the error is certainly an outage of the database: for errors of work that has other causes to fail."""
    return is_outage(error, _LOST)


def is_damaged(error: BaseException | None) -> bool:
    """Whether the error says that the SQLite file is damaged, or is no database."""
    while error is not None:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE_DAMAGE:
            return True
        error = error.__cause__ or error.__context__
    return False


def tortoise_config(
    url: str, *, pool_size: int = POOL_SIZE, group_size: int = GROUP_SIZE, limits: Limits = REQUEST_LIMITS
) -> dict[str, Any]:
    """Return Tortoise's configuration for a DATABASE_URL (`sqlite:///path`, `postgresql://...`)."""
    if is_postgres(url):
        name = "postgres"
        credentials = {"dsn": url, "pool_size": pool_size, "group_size": group_size, "limits": limits}
    else:
        name = "sqlite"
        # A path, not a URL: a folder's name may contain `#` and `?`.
        credentials = {"file_path": str(sqlite_path(url)), **_SQLITE_OPTIONS}
    connection = {"engine": f"models.database.{name}", "credentials": credentials}
    # The connection's name differs per database: Tortoise caches prepared statements by that name.
    return {
        "connections": {name: connection},
        "apps": {"models": {"models": ["models"], "default_connection": name}},
        "use_tz": True,
        "timezone": "UTC",
    }


def migration_config(url: str, limits: Limits = REQUEST_LIMITS) -> dict[str, Any]:
    """Return the configuration for aerich, with its own table."""
    config = tortoise_config(url, limits=limits)
    config["apps"]["models"]["models"].append("aerich.models")
    return config


# aerich writes migrations offline, for PostgreSQL; the SQLite branch is added by hand (docs/decisions/0003).
MIGRATION_CONFIG = migration_config("postgresql://offline@localhost:1/offline")


@contextlib.asynccontextmanager
async def open_database(
    url: str, *, pool_size: int = POOL_SIZE, group_size: int = GROUP_SIZE, limits: Limits = REQUEST_LIMITS
) -> AsyncIterator[None]:
    """Connect while the body runs; on exit, wait for running transactions.

    The other arguments are for PostgreSQL, which may still be down: connections are opened on demand.
    """
    if not is_postgres(url):
        sqlite_path(url).parent.mkdir(parents=True, exist_ok=True)
    async with TortoiseContext() as context:
        # Requests run in contexts that do not inherit from this one, so the fallback must be global.
        config = tortoise_config(url, pool_size=pool_size, group_size=group_size, limits=limits)
        await context.init(config, _enable_global_fallback=True)
        if not is_postgres(url):
            # Connect now: a cancellation while the first query connects would leave SQLite's lock behind.
            await rows("SELECT 1 AS connected")
        try:
            yield
        finally:
            if _running:
                await asyncio.wait(_running)


_running: set[asyncio.Task[Any]] = set()


async def run_tx(work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in one transaction, in a task of its own that is shielded from cancellation.

    A canceled Tortoise transaction leaks its connection for good (on SQLite: its lock). So when the caller is
    canceled, the transaction is committed or rolled back first, and then the cancellation continues.
    Inside another transaction it becomes a savepoint.

    After a deadlock or a serialization failure `work` is run again, so it must not keep state from its first run. After
    a lost connection it is not: whether the COMMIT arrived is unknown.
    """

    async def once() -> T:
        with span("transaction", work=getattr(work, "__qualname__", "work").partition(".<locals>")[0]):
            async with in_transaction():
                return await work(*args, **kwargs)

    async def transaction() -> T:
        if isinstance(current_connection(), TransactionalDBClient):
            return await once()  # after a conflict only the outer transaction can be retried
        for attempt in range(_RETRIES):
            with contextlib.suppress(*_CONFLICTS):
                return await once()
            await asyncio.sleep(random.uniform(0, _BACKOFF * 2**attempt))
        return await once()

    task = asyncio.ensure_future(transaction())
    _running.add(task)
    task.add_done_callback(_running.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Wait as long as it takes: a second cancellation must not abandon the transaction either.
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # mark as retrieved: the caller gets the cancellation instead
        raise


def dialect() -> str:
    """Return the dialect of the open database: `postgres` or `sqlite`."""
    return current_connection().capabilities.dialect


def current_connection() -> BaseDBAsyncClient:
    """Return Tortoise's connection: inside a transaction, that of the transaction."""
    connections = require_context().connections  # as Tortoise's get_connections, which imports it each time
    return connections.get(next(iter(connections.db_config)))


def pool_usage() -> dict[str, int]:
    """Return the number of connections by state, and of callers that wait for one; empty on SQLite."""
    pool = getattr(current_connection(), "open_pool", None)
    return pool.usage() if isinstance(pool, ConnectionPool) else {}


async def rows(sql: str, *values: Any) -> list[dict[str, Any]]:
    """Run one hand-written statement and return its rows (RETURNING included).

    The SQL is the same for both databases: `$1` placeholders, `NOW()` for the database's clock, `LATER($1)` for the
    time that many seconds from now (negative: ago), `TODAY()` and `THIS_MONTH()` for their beginnings (UTC). Leases
    use the database's clock, because workers' clocks differ.
    """
    connection = current_connection()
    statement = in_dialect(sql, connection.capabilities.dialect)
    found: list[dict[str, Any]] = await connection.execute_query_dict(statement, list(values))
    return found


def placeholders(values: Sized, *, first: int = 1) -> str:
    """Return `$1, $2, $3` for an IN list of these values, numbered from `first`."""
    return ", ".join(f"${number}" for number in range(first, first + len(values)))


def as_datetime(value: datetime | str) -> datetime:
    """Return a timestamp from `rows` as datetime: SQLite has no type for it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


async def database_time() -> datetime:
    """Return the time by the database's clock, which all processes share."""
    (found,) = await rows("SELECT NOW() AS time")
    return as_datetime(found["time"])


_BEGINNINGS = {"TODAY()": "day", "THIS_MONTH()": "month"}


@functools.lru_cache(4096)  # lists of ids give statements of many lengths
def in_dialect(sql: str, dialect: str) -> str:
    """Translate a statement for `rows` to one dialect: `postgres` or `sqlite`."""
    if dialect == "postgres":
        for name, part in _BEGINNINGS.items():
            # As a value that is computed once, which an index can be searched for.
            beginning = f"(SELECT date_trunc('{part}', NOW() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')"
            sql = sql.replace(name, beginning)
        return re.sub(r"LATER\((\$\d+)\)", r"(NOW() + make_interval(secs => \1))", sql).replace(
            "NOW()", "clock_timestamp()"
        )
    # Six decimals, as Python writes a datetime: these are compared as text, and `.123000` is not `<= .123`.
    moment = "(strftime('%Y-%m-%d %H:%M:%f', 'now'{}) || '000+00:00')"
    for name, part in _BEGINNINGS.items():
        day = "01" if part == "month" else "%d"
        # Without decimals, which Python leaves out of whole seconds: the text is not after any other of that moment.
        sql = sql.replace(name, f"strftime('%Y-%m-{day} 00:00:00', 'now')")
    sql = re.sub(r"LATER\((\$\d+)\)", lambda match: moment.format(f", {match[1]} || ' seconds'"), sql)
    return re.sub(r"\$(\d+)", r"?\1", unpacked(sql).replace("NOW()", moment.format("")))
