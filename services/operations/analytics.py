"""Statistics of a deployment over a window of time, each computed in the database and only when requested."""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any, TypeAlias

from models.database.connection import dialect, rows
from models.database.read_only import QueryTimeoutError, ReadOnlyDatabase
from services.core.error import InvalidInputError, UnavailableError
from services.core.message import message
from services.integrations.fair_slots import FairSlots
from services.operations.analytics_report import (
    AccountUse,
    Bucket,
    Durations,
    Interval,
    Ledger,
    Outcomes,
    PlanSales,
    Point,
    Users,
)

DAY = timedelta(days=1)  # the default window
_CONCURRENCY = 3  # queries of one process: each has a connection of its own, of which a database has few
_PER_ADMIN = 2  # of these; admins take turns
_EARLIEST = datetime.min.replace(tzinfo=UTC) + DAY  # no window begins before it
MAX_POINTS = 1000  # of one series
MAX_BUCKETS = 50  # of one kind: those with most generations

# The parts in braces below, in the dialect of each database. Durations are read in hundredths of a second, so that a
# million generations have few distinct values.
_DIALECT = {
    "postgres": {
        "hour": "CAST(EXTRACT(HOUR FROM created_at AT TIME ZONE 'UTC') AS INT)",
        "hundredths": "CAST(ROUND(EXTRACT(EPOCH FROM completed_at - created_at) * 100) AS BIGINT)",
        "epoch": "CAST(FLOOR(EXTRACT(EPOCH FROM created_at)) AS BIGINT)",
        "day_before_newest": "seen.newest - INTERVAL '1 day'",
        "account": "user_id",
    },
    "sqlite": {
        "hour": "CAST(STRFTIME('%H', created_at) AS INT)",
        "hundredths": "CAST(ROUND((JULIANDAY(completed_at) - JULIANDAY(created_at)) * 8640000) AS INT)",
        "epoch": "CAST(STRFTIME('%s', created_at) AS INT)",
        "day_before_newest": "STRFTIME('%Y-%m-%d %H:%M:%f', seen.newest, '-1 day') || '+00:00'",
        "account": "+user_id",  # not in the order of an index that has nothing else to count
    },
}

_WINDOW = "created_at >= $1 AND created_at < $2"

# All custom styles are one bucket: their names are private, and their number is unlimited.
_OUTCOMES = """
SELECT collection_slug || '/' || CASE WHEN style_slug LIKE 'own-%' THEN 'own' ELSE style_slug END AS style,
    provider, status, error_code, COUNT(*) AS count,
    SUM(CASE WHEN refunded THEN 0 ELSE cost - size_refund END) AS credits,
    SUM(provider_cost) AS dollars
FROM generations WHERE {window} GROUP BY 1, 2, 3, 4
"""

_SUMS = """
COUNT(*) AS count, COUNT(CASE WHEN status = 'COMPLETED' THEN 1 END) AS completed,
    COUNT(CASE WHEN status = 'FAILED' THEN 1 END) AS failed,
    COUNT(CASE WHEN status = 'CANCELED' THEN 1 END) AS canceled,
    SUM(CASE WHEN refunded THEN 0 ELSE cost - size_refund END) AS credits, SUM(provider_cost) AS dollars
"""
_SERIES = (
    "SELECT {epoch} / {seconds} AS place, COUNT(DISTINCT user_id) AS users,"
    + _SUMS
    + "FROM generations WHERE {window} GROUP BY 1"
)
_ACCOUNTS = (
    "SELECT user_id,"
    + _SUMS
    + "FROM generations WHERE {window} GROUP BY {account} ORDER BY COUNT(*) DESC, user_id LIMIT {most}"
)

_HOURS = """
SELECT {hour} AS hour, status, COUNT(*) AS count, SUM(CASE WHEN refunded THEN 0 ELSE cost - size_refund END) AS credits
FROM generations WHERE {window} GROUP BY 1, 2
"""

# Without earlier results that were reused: these are completed at the time of their request.
_DURATIONS = """
SELECT {hundredths} AS hundredths, COUNT(*) AS count
FROM generations WHERE {window} AND status = 'COMPLETED' AND completed_at > created_at GROUP BY 1 ORDER BY 1
"""

_USERS = """
WITH seen AS (SELECT user_id, MAX(created_at) AS newest FROM generations WHERE {window} GROUP BY user_id)
SELECT COUNT(*) AS active, COUNT(CASE WHEN EXISTS (
    SELECT 1 FROM generations WHERE user_id = seen.user_id AND created_at <= {day_before_newest}
) THEN 1 END) AS returning_users FROM seen
"""

_LEDGER = "SELECT type, SUM(amount) AS credits FROM credit_transactions WHERE {window} GROUP BY type"

_PASSES = """
SELECT plan, SUM(sold) AS sold, SUM(expired) AS expired, SUM(expired * images_used) AS images,
    SUM(expired * videos_used) AS videos
FROM (
    SELECT plans.slug AS plan, images_used, videos_used,
        CASE WHEN p.created_at >= $1 AND p.created_at < $2 THEN 1 ELSE 0 END AS sold,
        CASE WHEN p.expires_at >= $1 AND p.expires_at < $2 AND p.expires_at <= NOW() AND p.revoked_at IS NULL
            THEN 1 ELSE 0 END AS expired
    FROM passes p JOIN plans ON plans.id = p.plan_id
    WHERE p.created_at >= $1 AND p.created_at < $2 OR p.expires_at >= $1 AND p.expires_at < $2
) AS found GROUP BY plan ORDER BY plan
"""

_QUEUE = "SELECT COUNT(*) AS waiting FROM generations WHERE status = 'PENDING'"


Query: TypeAlias = Callable[..., Awaitable[list[dict[str, Any]]]]  # runs a statement, as `models.database.rows` does


class AnalyticsWindow:
    """The statistics of one window, which includes its start and excludes its end.

    Each is computed once, when first awaited; those from the same rows are computed together. A query that times out
    raises UnavailableError.
    """

    def __init__(self, start: datetime, end: datetime, query: Query) -> None:
        self._window = (start, end)
        self._run_query = query

    @cached_property
    def outcomes(self) -> asyncio.Task[Outcomes]:
        """The outcomes of the requested generations, including deleted ones."""
        return asyncio.create_task(self._outcomes())

    @cached_property
    def by_hour(self) -> asyncio.Task[tuple[Bucket, ...]]:
        """Generations by the hour of the day in UTC, `00` to `23`; hours without any are left out."""
        return asyncio.create_task(self._by_hour())

    @cached_property
    def durations(self) -> asyncio.Task[Durations]:
        """Seconds from the request to the completion."""
        return asyncio.create_task(self._durations())

    @cached_property
    def users(self) -> asyncio.Task[Users]:
        """Accounts with a generation. Returning: with one at least a day (24 hours) after the account's first one."""
        return asyncio.create_task(self._users())

    @cached_property
    def ledger(self) -> asyncio.Task[Ledger]:
        """Credits that moved in the ledger."""
        return asyncio.create_task(self._ledger())

    @cached_property
    def plans(self) -> asyncio.Task[tuple[PlanSales, ...]]:
        """Passes that were sold or expired, by plan."""
        return asyncio.create_task(self._plans())

    @cached_property
    def by_account(self) -> asyncio.Task[tuple[AccountUse, ...]]:
        """The accounts with most generations."""
        return asyncio.create_task(self._by_account())

    async def series(self, interval: Interval) -> list[Point]:
        """Return the points of the window in their order, those without generations, too.

        Raises:
            InvalidInputError: there are more than MAX_POINTS.
        """
        length = interval.seconds
        start, end = (moment.timestamp() for moment in self._window)
        first, last = int(start // length), math.ceil(end / length)
        if last - first > MAX_POINTS:
            text = message(
                "A series has up to {limit} points. Choose a shorter window or a longer interval.", limit=MAX_POINTS
            )
            raise InvalidInputError(text, field=("interval",))
        found = {int(row["place"]): row for row in await self._query(_SERIES, seconds=length)}
        return [_point(datetime.fromtimestamp(place * length, UTC), found.get(place)) for place in range(first, last)]

    async def queue_depth(self) -> int:
        """Count the pending generations right now, regardless of the window."""
        return int((await rows(_QUEUE))[0]["waiting"])

    async def _outcomes(self) -> Outcomes:
        found = await self._query(_OUTCOMES)
        total = Counter[str]()
        for row in found:
            total[row["status"]] += int(row["count"])
        failures = [row for row in found if row["status"] == "FAILED"]
        return Outcomes(
            generations=total.total(),
            completed=total["COMPLETED"],
            failed=total["FAILED"],
            canceled=total["CANCELED"],
            provider_cost=sum(row["dollars"] or 0.0 for row in found),
            by_style=_buckets(found, lambda row: row["style"]),
            by_provider=_buckets(found, lambda row: row["provider"]),
            by_error=_buckets(failures, lambda row: row["error_code"]),
        )

    async def _by_hour(self) -> tuple[Bucket, ...]:
        found = _buckets(await self._query(_HOURS), lambda row: f"{row['hour']:02}")
        return tuple(sorted(found, key=lambda bucket: bucket.key))

    async def _durations(self) -> Durations:
        found = [(int(row["hundredths"]), int(row["count"])) for row in await self._query(_DURATIONS)]
        count = sum(times for _, times in found)
        if not count:
            return Durations()
        average = sum(duration * times for duration, times in found) / count
        return Durations(average / 100, _percentile(found, count, 0.5) / 100, _percentile(found, count, 0.95) / 100)

    async def _users(self) -> Users:
        (row,) = await self._query(_USERS)
        return Users(int(row["active"]), int(row["returning_users"]))

    async def _ledger(self) -> Ledger:
        moved = {row["type"]: int(row["credits"]) for row in await self._query(_LEDGER)}
        return Ledger(
            spent=-moved.get("DEDUCTION", 0),
            refunded=moved.get("REFUND", 0),
            purchased=moved.get("PURCHASE", 0) + moved.get("SUBSCRIPTION", 0),
        )

    async def _plans(self) -> tuple[PlanSales, ...]:
        return tuple(_sales(row) for row in await self._query(_PASSES))

    async def _by_account(self) -> tuple[AccountUse, ...]:
        return tuple(
            AccountUse(
                user_id=row["user_id"],
                count=int(row["count"]),
                completed=int(row["completed"]),
                failed=int(row["failed"]),
                credits=int(row["credits"]),
                provider_cost=float(row["dollars"] or 0),
            )
            for row in await self._query(_ACCOUNTS, most=MAX_BUCKETS)
        )

    async def _query(self, sql: str, **parts: int) -> list[dict[str, Any]]:
        return await self._run_query(sql.format(window=_WINDOW, **_DIALECT[dialect()], **parts), *self._window)


class AnalyticsService:
    """Opens windows. Their queries run on connections of their own, with a deadline, and delay no other request."""

    def __init__(self, database: ReadOnlyDatabase) -> None:
        self._database = database
        self._slots = FairSlots(_CONCURRENCY, _PER_ADMIN)

    def between(self, start: datetime | None, end: datetime | None, *, admin_id: str) -> AnalyticsWindow:
        """Return the window from `start` to `end`; by default the 24 hours before `end`, and until now.

        `admin_id`: the admin that reads it.

        Raises:
            InvalidInputError: it ends before it begins.
        """
        until = end or datetime.now(UTC)
        since = start or max(until, _EARLIEST) - DAY
        if since > until:
            raise InvalidInputError(message("The window ends before it begins."), field=("to",))
        return AnalyticsWindow(since, until, partial(self._rows, admin_id))

    async def _rows(self, admin_id: str, sql: str, *values: Any) -> list[dict[str, Any]]:
        async with self._slots.slot(admin_id):
            try:
                return await self._database.rows(sql, *values)
            except QueryTimeoutError:
                raise UnavailableError from None


def _buckets(found: Iterable[dict[str, Any]], key: Callable[[dict[str, Any]], str | None]) -> tuple[Bucket, ...]:
    counts, failed, credits = Counter[str](), Counter[str](), Counter[str]()
    for row in found:
        name = key(row)
        if name is not None:
            counts[name] += int(row["count"])
            failed[name] += int(row["count"]) if row["status"] == "FAILED" else 0
            credits[name] += int(row["credits"])
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    return tuple(Bucket(name, counts[name], failed[name], credits[name]) for name in ordered[:MAX_BUCKETS])


def _point(start: datetime, row: dict[str, Any] | None) -> Point:
    if row is None:
        return Point(start)
    return Point(
        start,
        generations=int(row["count"]),
        completed=int(row["completed"]),
        failed=int(row["failed"]),
        canceled=int(row["canceled"]),
        credits=int(row["credits"]),
        provider_cost=float(row["dollars"] or 0),
        active_users=int(row["users"]),
    )


def _percentile(found: list[tuple[int, int]], count: int, share: float) -> int:
    """Return the least value that at least `share` of all do not exceed; `found`: ordered values with their counts."""
    reached = 0
    for value, times in found:
        reached += times
        if reached >= share * count:
            return value
    raise ValueError("no values")


def _sales(row: dict[str, Any]) -> PlanSales:
    expired = int(row["expired"])
    return PlanSales(
        plan=row["plan"],
        sold=int(row["sold"]),
        expired=expired,
        average_images=int(row["images"]) / expired if expired else None,
        average_videos=int(row["videos"]) / expired if expired else None,
    )
