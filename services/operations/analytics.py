"""The figures of a deployment over a window of time, each computed in the database, and only when it is asked for."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeAlias

from models.database.connection import dialect, rows
from models.database.read_only import QueryTimeoutError, ReadOnlyDatabase
from services.core.error import InvalidInputError, UnavailableError
from services.core.message import message
from services.operations.analytics_report import Bucket, Ledger, Made, PlanSales, Users, Waits

DAY = timedelta(days=1)  # the window where none is given
_AT_ONCE = 3  # statements of one process: each has a connection of its own, of which a database has few
_EARLIEST = datetime.min.replace(tzinfo=UTC) + DAY  # there is no day before it
MAX_BUCKETS = 50  # buckets of one kind: those with most generations

# What stands in braces below, as each database spells it. How long people waited is read to the hundredth of a second,
# so that a million generations have few different values.
_DIALECT = {
    "postgres": {
        "hour": "CAST(EXTRACT(HOUR FROM created_at AT TIME ZONE 'UTC') AS INT)",
        "hundredths": "CAST(ROUND(EXTRACT(EPOCH FROM completed_at - created_at) * 100) AS BIGINT)",
        "day_before_newest": "seen.newest - INTERVAL '1 day'",
    },
    "sqlite": {
        "hour": "CAST(STRFTIME('%H', created_at) AS INT)",
        "hundredths": "CAST(ROUND((JULIANDAY(completed_at) - JULIANDAY(created_at)) * 8640000) AS INT)",
        "day_before_newest": "STRFTIME('%Y-%m-%d %H:%M:%f', seen.newest, '-1 day') || '+00:00'",
    },
}

_WINDOW = "created_at >= $1 AND created_at < $2"

# Everybody's own styles are one bucket: their names are their owners' business, and there is no end of them.
_MADE = """
SELECT collection_slug || '/' || CASE WHEN style_slug LIKE 'own-%' THEN 'own' ELSE style_slug END AS style,
    provider, status, error_code, COUNT(*) AS count, SUM(CASE WHEN refunded THEN 0 ELSE cost END) AS credits,
    SUM(provider_cost) AS dollars
FROM generations WHERE {window} GROUP BY 1, 2, 3, 4
"""

_HOURS = """
SELECT {hour} AS hour, status, COUNT(*) AS count, SUM(CASE WHEN refunded THEN 0 ELSE cost END) AS credits
FROM generations WHERE {window} GROUP BY 1, 2
"""

_WAITS = """
SELECT {hundredths} AS hundredths, COUNT(*) AS count
FROM generations WHERE {window} AND status = 'COMPLETED' GROUP BY 1 ORDER BY 1
"""

_USERS = """
WITH seen AS (SELECT user_id, MAX(created_at) AS newest FROM generations WHERE {window} GROUP BY user_id)
SELECT COUNT(*) AS active, COUNT(CASE WHEN EXISTS (
    SELECT 1 FROM generations WHERE user_id = seen.user_id AND created_at <= {day_before_newest}
) THEN 1 END) AS came_back FROM seen
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


Ask: TypeAlias = Callable[..., Awaitable[list[dict[str, Any]]]]  # runs a statement, as `models.database.rows` does


class AnalyticsWindow:
    """The figures of one window: its beginning belongs to it, its end does not.

    Each is computed when it is first awaited, and once; figures that are read from the same rows come together. What
    takes too long raises UnavailableError.
    """

    def __init__(self, start: datetime, end: datetime, ask: Ask) -> None:
        self._window = (start, end)
        self._ask_for = ask

    @cached_property
    def made(self) -> asyncio.Task[Made]:
        """What became of the generations that were ordered, deleted ones included."""
        return asyncio.create_task(self._made())

    @cached_property
    def by_hour(self) -> asyncio.Task[tuple[Bucket, ...]]:
        """By the hour of the day in UTC, `00` to `23`, those in which anything was ordered."""
        return asyncio.create_task(self._by_hour())

    @cached_property
    def waits(self) -> asyncio.Task[Waits]:
        """How long people waited."""
        return asyncio.create_task(self._waits())

    @cached_property
    def users(self) -> asyncio.Task[Users]:
        """Who ordered. Returning: with an order at least a day (24 hours) after the account's first one."""
        return asyncio.create_task(self._users())

    @cached_property
    def ledger(self) -> asyncio.Task[Ledger]:
        """What moved in the ledger."""
        return asyncio.create_task(self._ledger())

    @cached_property
    def plans(self) -> asyncio.Task[tuple[PlanSales, ...]]:
        """Passes that were sold or expired."""
        return asyncio.create_task(self._plans())

    async def queue_depth(self) -> int:
        """How many generations wait right now, whatever the window."""
        return int((await rows(_QUEUE))[0]["waiting"])

    async def _made(self) -> Made:
        found = await self._ask(_MADE)
        total = Counter[str]()
        for row in found:
            total[row["status"]] += int(row["count"])
        failures = [row for row in found if row["status"] == "FAILED"]
        return Made(
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
        found = _buckets(await self._ask(_HOURS), lambda row: f"{row['hour']:02}")
        return tuple(sorted(found, key=lambda bucket: bucket.key))

    async def _waits(self) -> Waits:
        found = [(int(row["hundredths"]), int(row["count"])) for row in await self._ask(_WAITS)]
        count = sum(times for _, times in found)
        if not count:
            return Waits()
        average = sum(waited * times for waited, times in found) / count
        return Waits(average / 100, _percentile(found, count, 0.5) / 100, _percentile(found, count, 0.95) / 100)

    async def _users(self) -> Users:
        (row,) = await self._ask(_USERS)
        return Users(int(row["active"]), int(row["came_back"]))

    async def _ledger(self) -> Ledger:
        moved = {row["type"]: int(row["credits"]) for row in await self._ask(_LEDGER)}
        return Ledger(
            spent=-moved.get("DEDUCTION", 0),
            refunded=moved.get("REFUND", 0),
            purchased=moved.get("PURCHASE", 0) + moved.get("SUBSCRIPTION", 0),
        )

    async def _plans(self) -> tuple[PlanSales, ...]:
        return tuple(_sales(row) for row in await self._ask(_PASSES))

    async def _ask(self, sql: str) -> list[dict[str, Any]]:
        return await self._ask_for(sql.format(window=_WINDOW, **_DIALECT[dialect()]), *self._window)


class AnalyticsService:
    """Opens windows. Their statements read beside the work, with a deadline: nobody's request waits for them."""

    def __init__(self, survey: ReadOnlyDatabase) -> None:
        self._survey = survey
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def between(self, start: datetime | None, end: datetime | None) -> AnalyticsWindow:
        """The window from `start` to `end`, to now where that is None; a day of 24 hours where `start` is.

        Raises:
            InvalidInputError: it ends before it begins.
        """
        until = end or datetime.now(UTC)
        since = start or max(until, _EARLIEST) - DAY
        if since > until:
            raise InvalidInputError(message("The window ends before it begins."), field=("to",))
        return AnalyticsWindow(since, until, self._rows)

    async def _rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        async with self._slots:
            try:
                return await self._survey.rows(sql, *values)
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


def _percentile(found: list[tuple[int, int]], count: int, share: float) -> int:
    """The least value that at least `share` of all do not exceed; `found`: values with their counts, in order."""
    reached = 0
    for value, times in found:
        reached += times
        if reached >= share * count:
            return value
    raise ValueError("there are no values")


def _sales(row: dict[str, Any]) -> PlanSales:
    expired = int(row["expired"])
    return PlanSales(
        plan=row["plan"],
        sold=int(row["sold"]),
        expired=expired,
        average_images=int(row["images"]) / expired if expired else None,
        average_videos=int(row["videos"]) / expired if expired else None,
    )
