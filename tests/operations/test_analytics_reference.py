"""The statistics of a window equal those of a reference implementation in Python, on random data."""

import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.database.connection import open_database, rows
from models.database.read_only import ReadOnlyDatabase
from services.core.error import InvalidInputError
from services.operations.analytics import AnalyticsService, AnalyticsWindow
from services.operations.analytics_report import Bucket, PlanSales
from tests.support import factories
from tests.support.factories import Row, insert

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 5
SEED = 11
USERS, GENERATIONS, PASSES, LINES = 60, 300, 40, 150
STYLES = (("plushify", "cute"), ("plushify", "noir"), ("avenger", "noir"), ("sandbox", "own-a"), ("sandbox", "own-b"))
ERRORS = ("GENERATION_FAILED", "GENERATION_TIMEOUT", "CONTENT_REJECTED")
WINDOWS = [
    (BEGIN, BEGIN + timedelta(days=DAYS)),
    (BEGIN + timedelta(days=1), BEGIN + timedelta(days=2)),
    (BEGIN + timedelta(hours=30, minutes=17), BEGIN + timedelta(hours=77)),
    (BEGIN + timedelta(days=90), BEGIN + timedelta(days=91)),  # without any rows
    (BEGIN, BEGIN),
]


class Data:
    """The rows that the fixture has inserted."""

    def __init__(self) -> None:
        self.generations: list[Row] = []
        self.lines: list[Row] = []
        self.passes: list[Row] = []
        self.plans: dict[str, str] = {}  # id to slug


def random_time(rng: random.Random) -> datetime:
    """Return a time, sometimes the edge of a window; in whole hundredths of a second."""
    if rng.random() < 0.1:
        return rng.choice([edge for window in WINDOWS for edge in window])
    return BEGIN + timedelta(milliseconds=10 * rng.randrange(DAYS * 24 * 360_000))


def random_generation(rng: random.Random, owner: str, picture: str) -> Row:
    """Return a generation in a random state."""
    collection, style = rng.choice(STYLES)
    status = rng.choice(("PENDING", "PROCESSING", "COMPLETED", "COMPLETED", "COMPLETED", "FAILED", "CANCELED"))
    begun = random_time(rng)
    ended = (
        begun + timedelta(milliseconds=10 * rng.randrange(1, 9000)) if status not in ("PENDING", "PROCESSING") else None
    )
    called = status in ("COMPLETED", "PROCESSING") or (status != "PENDING" and rng.random() < 0.7)
    deleted = ended is not None and rng.random() < 0.2
    refunded = status in ("FAILED", "CANCELED") and rng.random() < 0.6
    return factories.generation(
        owner,
        collection_slug=collection,
        style_slug=style,
        status=status,
        stage={"PENDING": "QUEUED", "PROCESSING": "GENERATING"}.get(status, status),
        lease_until=begun if status == "PROCESSING" else None,
        cost=rng.randrange(12),
        refunded=refunded,
        result_id=picture if status == "COMPLETED" and not deleted else None,
        provider=rng.choice(("openrouter", "demo")) if called else None,
        provider_cost=rng.randrange(40) / 1000 if called and rng.random() < 0.8 else None,
        error_code=rng.choice(ERRORS) if status == "FAILED" else None,
        deleted_at=ended if deleted else None,
        created_at=begun,
        completed_at=ended,
    )


@pytest.fixture
async def data(database: str) -> AsyncIterator[Data]:
    """An open database with random rows of everything that the statistics use."""
    rng, found = random.Random(SEED), Data()
    async with open_database(database):
        users = [(await insert("users", factories.user()))["id"] for _ in range(USERS)]
        picture = (await insert("files", factories.file(users[0], kind="RESULT")))["id"]
        for _ in range(GENERATIONS):
            found.generations.append(await insert("generations", random_generation(rng, rng.choice(users), picture)))
        numbers = Counter[str]()
        for _ in range(LINES):
            owner = rng.choice(users)
            numbers[owner] += 1
            kind = rng.choice(("BONUS", "PURCHASE", "SUBSCRIPTION", "ADMIN", "REVERSAL"))
            amount = -rng.randrange(1, 50) if kind == "REVERSAL" else rng.randrange(1, 500)
            changes: dict[str, Any] = {
                "type": kind,
                "amount": amount,
                "balance": amount,
                "created_at": random_time(rng),
            }
            found.lines.append(
                await insert("credit_transactions", factories.ledger_line(owner, numbers[owner], **changes))
            )
        for generation in found.generations:
            owner = generation["user_id"]
            for kind, amount in (
                ("DEDUCTION", -generation["cost"]),
                ("REFUND", generation["cost"] * generation["refunded"]),
            ):
                if amount:
                    numbers[owner] += 1
                    changes = {"type": kind, "amount": amount, "balance": 0, "generation_id": generation["id"]}
                    changes["created_at"] = random_time(rng)
                    found.lines.append(
                        await insert("credit_transactions", factories.ledger_line(owner, numbers[owner], **changes))
                    )
        for slug in ("day", "week"):
            plan = await insert(
                "plans", factories.plan(slug=slug, kind="PASS", duration_hours=24, images_per_hour=3, videos_per_hour=1)
            )
            found.plans[plan["id"]] = slug
        for _ in range(PASSES):
            begun = random_time(rng)
            changes = {"images_used": rng.randrange(30), "videos_used": rng.randrange(4), "started_at": begun}
            changes |= {"created_at": begun, "expires_at": begun + timedelta(hours=rng.randrange(1, 40))}
            changes["revoked_at"] = begun if rng.random() < 0.2 else None
            row = factories.hour_pass(rng.choice(users), rng.choice(list(found.plans)), **changes)
            found.passes.append(await insert("passes", row))
        yield found


def within(rows: list[Row], window: tuple[datetime, datetime], column: str = "created_at") -> list[Row]:
    return [row for row in rows if window[0] <= row[column] < window[1]]


def buckets(rows: list[Row], key: Callable[[Row], str | None]) -> dict[str, Bucket]:
    names = {name for row in rows if (name := key(row)) is not None}
    return {name: bucket(name, [row for row in rows if key(row) == name]) for name in names}


def bucket(name: str, rows: list[Row]) -> Bucket:
    failed = sum(row["status"] == "FAILED" for row in rows)
    return Bucket(name, len(rows), failed, sum(row["cost"] for row in rows if not row["refunded"]))


async def compare_generations(data: Data, window: tuple[datetime, datetime]) -> None:
    outcomes, expected = await AnalyticsWindow(*window, rows).outcomes, within(data.generations, window)
    statuses = Counter(row["status"] for row in expected)
    assert outcomes.generations == len(expected)
    assert (outcomes.completed, outcomes.failed, outcomes.canceled) == tuple(
        statuses[status] for status in ("COMPLETED", "FAILED", "CANCELED")
    )
    ended = statuses["COMPLETED"] + statuses["FAILED"]
    assert outcomes.success_rate == (statuses["COMPLETED"] / ended if ended else None)
    assert outcomes.provider_cost == pytest.approx(sum(row["provider_cost"] or 0 for row in expected))
    for found, key in (
        (outcomes.by_style, lambda row: f"{row['collection_slug']}/{row['style_slug'].split('-')[0]}"),
        (outcomes.by_provider, lambda row: row["provider"]),
        (outcomes.by_error, lambda row: row["error_code"]),
    ):
        assert {each.key: each for each in found} == buckets(expected, key)
        assert [each.count for each in found] == sorted((each.count for each in found), reverse=True)
    by_hour = await AnalyticsWindow(*window, rows).by_hour
    assert {each.key: each for each in by_hour} == buckets(expected, lambda row: f"{row['created_at']:%H}")
    assert [each.key for each in by_hour] == sorted(each.key for each in by_hour)


async def test_outcomes_equal_the_reference(data: Data) -> None:
    for window in WINDOWS:
        await compare_generations(data, window)


async def compare_users(data: Data, window: tuple[datetime, datetime]) -> None:
    metrics, expected = AnalyticsWindow(*window, rows), within(data.generations, window)

    users = await metrics.users
    first: dict[str, datetime] = {}
    for row in sorted(data.generations, key=lambda row: row["created_at"]):
        first.setdefault(row["user_id"], row["created_at"])
    returning = {row["user_id"] for row in expected if row["created_at"] - first[row["user_id"]] >= timedelta(hours=24)}
    assert (users.active, users.returning) == (len({row["user_id"] for row in expected}), len(returning))

    ledger, credits = await metrics.ledger, Counter[str]()
    for line in within(data.lines, window):
        credits[line["type"]] += line["amount"]
    assert ledger.spent == -credits["DEDUCTION"]
    assert ledger.refunded == credits["REFUND"]
    assert ledger.purchased == credits["PURCHASE"] + credits["SUBSCRIPTION"]

    durations = await metrics.durations
    seconds = sorted(
        (row["completed_at"] - row["created_at"]).total_seconds() for row in expected if row["status"] == "COMPLETED"
    )
    if seconds:
        assert durations.average == pytest.approx(sum(seconds) / len(seconds))
        assert durations.p50 == pytest.approx(seconds[math.ceil(0.5 * len(seconds)) - 1])
        assert durations.p95 == pytest.approx(seconds[math.ceil(0.95 * len(seconds)) - 1])
    else:
        assert (durations.average, durations.p50, durations.p95) == (None, None, None)


async def test_users_ledger_and_durations_equal_the_reference(data: Data) -> None:
    for window in WINDOWS:
        await compare_users(data, window)


async def compare_passes(data: Data, window: tuple[datetime, datetime]) -> None:
    expected = {}
    for plan, slug in data.plans.items():
        of_plan = [row for row in data.passes if row["plan_id"] == plan]
        sold = within(of_plan, window)
        expired = [row for row in within(of_plan, window, "expires_at") if row["revoked_at"] is None]
        if sold or within(of_plan, window, "expires_at"):
            images, videos = (
                sum(row[used] for row in expired) / len(expired) if expired else None
                for used in ("images_used", "videos_used")
            )
            expected[slug] = PlanSales(slug, len(sold), len(expired), images, videos)
    assert {sales.plan: sales for sales in await AnalyticsWindow(*window, rows).plans} == expected


async def test_pass_sales_equal_the_reference(data: Data) -> None:
    for window in WINDOWS:
        await compare_passes(data, window)


async def test_queue_depth_is_independent_of_the_window(data: Data) -> None:
    pending = sum(row["status"] == "PENDING" for row in data.generations)
    assert await AnalyticsWindow(BEGIN, BEGIN, rows).queue_depth() == pending > 0


async def test_a_window_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    windows = AnalyticsService(ReadOnlyDatabase(f"sqlite://{tmp_path}/nothing.sqlite3", 1.0))
    with pytest.raises(InvalidInputError):
        windows.between(BEGIN, BEGIN - timedelta(seconds=1), admin_id="usr_ada")
    windows.between(
        None, datetime.min.replace(tzinfo=UTC), admin_id="usr_ada"
    )  # the first datetime has no day before it
