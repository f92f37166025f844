"""Drills: each fault of what a deployment depends on, and what clients, health, metrics, alerts, check and log say.

The short form keeps results of checks only briefly; `make chaos` keeps all defaults, runs every drill and prints how
many seconds each took to show. docs/operating.md has the table.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from services.operations import gauges, part_check
from tests.campaigns.chaos_proxy import DENIED, FULL
from tests.campaigns.drill_stand import DEADLINE, WAITS, Drill, Samples, Stand, open_stand, run
from tests.support.fakes.openrouter_response import hang, reset

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(300)]

_OK = "ALTER DATABASE darkroom RESET default_transaction_read_only"
_READ_ONLY = "ALTER DATABASE darkroom SET default_transaction_read_only = on"
_RECONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'darkroom%'"
_FULL = (
    "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$",
    "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON workers FOR EACH ROW EXECUTE FUNCTION full_disk()",
    "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION full_disk()",
)


def sql(*statements: str) -> Callable[[Stand], Awaitable[None]]:
    return lambda stand: stand.sql(*statements)


def redis_command(*command: str) -> Callable[[Stand], Awaitable[None]]:
    async def send(stand: Stand) -> None:
        async with Redis.from_url(stand.redis.url) as client:
            await client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    return send


def sync(work: Callable[[Stand], object]) -> Callable[[Stand], Awaitable[None]]:
    async def do(stand: Stand) -> None:
        work(stand)

    return do


def refuse_by(stand: Stand, answer: bytes) -> None:
    stand.s3.refusal = answer
    stand.s3.refuses.add("PUT")


def says(part: str, problem: str) -> Callable[[dict[str, Any]], bool]:
    return lambda report: report[part] == problem


def is_zero(name: str) -> Callable[[Samples, Samples], bool]:
    return lambda _, during: during[f"darkroom_{name}"] == 0


def has_grown(name: str) -> Callable[[Samples, Samples], bool]:
    return lambda before, during: during[f"darkroom_{name}"] > before[f"darkroom_{name}"]


async def refuse_key(stand: Stand) -> None:
    stand.openrouter.key = "another"
    await stand.server.services.operations.provider_keys.refresh()  # otherwise every five minutes


async def accept_key(stand: Stand) -> None:
    stand.openrouter.key = stand.server.settings.openrouter_api_key or ""
    await stand.server.services.operations.provider_keys.refresh()


class ClockAhead(datetime):
    """A clock that is ten minutes ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + timedelta(minutes=10)


def set_clock(clock: type[datetime]) -> Callable[[Stand], Awaitable[None]]:
    return sync(lambda _: setattr(gauges, "datetime", clock))


async def mend_provider(stand: Stand) -> None:
    """Let the provider answer at once again, and let what ended meanwhile be some minutes ago."""
    stand.openrouter.script()
    stand.openrouter.delay = 0.0
    await age_calls(stand)


def without_earlier_calls(begin: Callable[[Stand], Awaitable[object]]) -> Callable[[Stand], Awaitable[object]]:
    """Begin after the calls of the drills before it have left the window that health looks at."""

    async def do(stand: Stand) -> None:
        await age_calls(stand)
        await begin(stand)

    return do


async def age_calls(stand: Stand) -> None:
    """Let all generations be of sixteen minutes earlier."""
    changes = ", ".join(
        f"{each} = {each} - interval '16 minutes'" for each in ("created_at", "started_at", "completed_at")
    )
    await stand.sql(f"UPDATE generations SET {changes}")  # noqa: S608 - our names


def delay(seconds: float) -> Callable[[Stand], Awaitable[None]]:
    return sync(lambda stand: setattr(stand.openrouter, "delay", seconds))


def has_slow_model(_: Samples, during: Samples) -> bool:
    return any(
        value and name.startswith("darkroom_provider_degraded") and 'problem="slow"' in name
        for name, value in during.items()
    )


class OpenTransaction:
    """A transaction of someone else that stays open, with a lock on a table that every process writes to."""

    def __init__(self) -> None:
        self._connection: asyncpg.Connection | None = None

    async def begin(self, stand: Stand) -> None:
        self._connection = await asyncpg.connect(stand.postgres.url("darkroom"))
        await self._connection.execute("BEGIN; LOCK TABLE workers IN EXCLUSIVE MODE")

    async def end(self, stand: Stand) -> None:
        if self._connection:
            await self._connection.close()


async def audit(stand: Stand) -> None:
    """Audit now, which a worker does every hour."""
    await stand.sql("DELETE FROM job_runs WHERE job = 'self-check'")
    await stand.server.services.operations.self_check.check_when_due(datetime.now(UTC))


def change_balance(credits: int) -> Callable[[Stand], Awaitable[None]]:
    """Change a balance without a line of the ledger, which no code does, and audit."""

    async def change(stand: Stand) -> None:
        await stand.sql(f"UPDATE users SET credits = credits + {credits} WHERE email = 'ada@example.com'")  # noqa: S608 - a number
        await audit(stand)

    return change


def has_violation(_: Samples, during: Samples) -> bool:
    return any(
        value and name.startswith("darkroom_invariant_violations") and 'kind="broken"' in name
        for name, value in during.items()
    )


OPEN_TRANSACTION = OpenTransaction()

SHORT = (
    Drill(
        "PostgreSQL takes no writes (a standby)",
        sql(_READ_ONLY, _RECONNECT),
        sql(_OK, _RECONNECT),
        says("database", "read-only"),
        is_zero('part_up{part="database"}'),
        frozenset({"DarkroomPartDown"}),
        "database",
        "read-only (",
        Stand.writes,
        "UNAVAILABLE",
    ),
    Drill(
        "S3 refuses writes",
        sync(lambda stand: refuse_by(stand, DENIED)),
        sync(lambda stand: stand.s3.refuses.clear()),
        says("storage", "access refused"),
        is_zero('part_up{part="storage"}'),
        frozenset({"DarkroomPartDown", "DarkroomStorageFailing"}),
        "storage",
        "access refused (",
        Stand.sends_photo,
        "UPLOAD_FAILED",
    ),
    Drill(
        "Redis is a replica (READONLY)",
        redis_command("REPLICAOF", "127.0.0.1", "1"),
        redis_command("REPLICAOF", "NO", "ONE"),
        says("redis", "read-only"),
        is_zero('part_up{part="redis"}'),
        frozenset({"DarkroomPartDown"}),
        "redis",
        "read-only (",
    ),
)
LONG = (
    Drill(
        "PostgreSQL is away",
        sync(lambda stand: stand.postgres.kill()),
        sync(lambda stand: stand.postgres.start()),
        says("database", "unreachable"),
        is_zero("database_up"),
        frozenset({"DarkroomPartDown", "DarkroomDatabaseDown"}),
        "database",
        "FAIL  database",
        outcome="UNAVAILABLE",
    ),
    Drill(
        "PostgreSQL's disk is full",
        sql(*_FULL),
        sql("DROP FUNCTION full_disk CASCADE"),
        says("database", "full"),
        is_zero('part_up{part="database"}'),
        frozenset({"DarkroomPartDown"}),
        "database",
        "full (",
        Stand.writes,
        "UNAVAILABLE",
    ),
    Drill(
        "a transaction holds a lock",
        OPEN_TRANSACTION.begin,
        OPEN_TRANSACTION.end,
        lambda report: report["database"] in ("locked", "no answer in time"),
        is_zero('part_up{part="database"}'),
        frozenset({"DarkroomPartDown"}),
        "database",
        "FAIL  database",
    ),
    Drill(
        "a balance is not the sum of its ledger",
        change_balance(5),
        change_balance(-5),
        lambda report: "M1" in report["operations"]["audit"]["broken"],
        has_violation,
        frozenset({"DarkroomInvariantBroken"}),
        "self_check.invariant_violated",
        "FAIL  audit",
        is_for_a_person=True,
    ),
    Drill(
        "S3 is away",
        lambda stand: stand.s3.stop(),
        lambda stand: stand.s3.start(),
        says("storage", "unreachable"),
        is_zero('part_up{part="storage"}'),
        frozenset({"DarkroomPartDown", "DarkroomStorageFailing"}),
        "storage",
        "unreachable (",
        Stand.sends_photo,
        "UPLOAD_FAILED",
    ),
    Drill(
        "S3 has no space left (507)",
        sync(lambda stand: refuse_by(stand, FULL)),
        sync(lambda stand: stand.s3.refuses.clear()),
        says("storage", "full"),
        is_zero('part_up{part="storage"}'),
        frozenset({"DarkroomPartDown", "DarkroomStorageFailing"}),
        "storage",
        "full (",
        Stand.sends_photo,
        "UPLOAD_FAILED",
    ),
    Drill(
        "Redis is away",
        sync(lambda stand: stand.redis.kill()),
        sync(lambda stand: stand.redis.start()),
        says("redis", "unreachable"),
        lambda _, during: during["darkroom_bus_connected"] == during['darkroom_part_up{part="redis"}'] == 0,
        frozenset({"DarkroomPartDown", "DarkroomBusDisconnected"}),
        "redis",
        "FAIL  redis",
    ),
    Drill(
        "Redis has no memory left (OOM)",
        redis_command("CONFIG", "SET", "maxmemory", "1"),
        redis_command("CONFIG", "SET", "maxmemory", "0"),
        says("redis", "full"),
        is_zero('part_up{part="redis"}'),
        frozenset({"DarkroomPartDown"}),
        "redis",
        "full (",
    ),
    Drill(
        "the provider refuses the key (401)",
        refuse_key,
        accept_key,
        says("provider openrouter", "the key is refused"),
        lambda _, during: (
            during['darkroom_provider_key_valid{provider="openrouter"}'] == 0
            and during['darkroom_provider_paused{provider="openrouter"}'] == 1
        ),
        frozenset({"DarkroomProviderKey", "DarkroomProviderPaused"}),
        "provider.paused",
        "FAIL  paused",
        Stand.waits,
        WAITS,
    ),
    Drill(
        "the provider is down",
        without_earlier_calls(sync(lambda stand: stand.openrouter.script(reset()))),
        mend_provider,
        says("provider openrouter", "calls fail"),
        has_grown('generations_ended_total{code="PROVIDER_UNAVAILABLE",status="FAILED"}'),
        frozenset({"DarkroomProviderFailing"}),
        "provider.refused",
        "FAIL  calls",
        client=Stand.orders,
        outcome="PROVIDER_UNAVAILABLE",
        is_counted=True,
    ),
    Drill(
        "the provider does not answer in time",
        without_earlier_calls(sync(lambda stand: stand.openrouter.script(hang()))),
        mend_provider,
        says("provider openrouter", "calls time out"),
        has_grown('generations_ended_total{code="GENERATION_TIMEOUT",status="FAILED"}'),
        frozenset({"DarkroomProviderFailing"}),
        "generation.ended",
        "FAIL  calls",
        client=Stand.orders,
        outcome="GENERATION_TIMEOUT",
        is_counted=True,
    ),
    Drill(
        "the provider is slow",
        without_earlier_calls(delay(0.6 * DEADLINE)),
        mend_provider,
        says("provider openrouter", "slow"),
        has_slow_model,
        frozenset({"DarkroomProviderSlow"}),
        "generation.ended",
        "low   calls",
        Stand.orders,
    ),
    Drill(
        "a clock is wrong",
        set_clock(ClockAhead),
        set_clock(datetime),
        lambda report: report["operations"]["clock_skew_seconds"] > 500,
        lambda _, during: during["darkroom_clock_skew_seconds"] > 500,
        frozenset({"DarkroomClockSkew"}),
        "graphql.operation",
    ),
)


@pytest.fixture(scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    async with open_stand(tmp_path_factory.mktemp("drills")) as stand:
        yield stand
        if stand.rows:
            print("\n" + "\n".join(stand.rows))  # noqa: T201 - the campaign's report


@pytest.mark.parametrize("drill", [*SHORT], ids=lambda drill: drill.name)
async def test_fault_shows_everywhere_and_leaves_nothing(
    stand: Stand, drill: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_check, "_SECONDS", 0.2)
    monkeypatch.setattr(part_check, "_FAILED_SECONDS", 0.1)
    await run(stand, drill, with_check=False)


@pytest.mark.chaos
@pytest.mark.parametrize("drill", [*SHORT, *LONG], ids=lambda drill: drill.name)
async def test_fault_shows_within_ten_seconds_with_default_settings(stand: Stand, drill: Drill) -> None:
    await run(stand, drill, with_check=True)
