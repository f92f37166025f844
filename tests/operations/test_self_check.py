"""The self-check: one worker per hour runs it, a new violation alerts admins once, and it never blocks writers."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from models import JobRun
from models.database.connection import database_time, rows, run_tx
from models.database.read_only import QueryTimeoutError, ReadOnlyDatabase
from models.enum import JobState
from services.operations.integrity_audit import IntegrityAudit
from services.operations.self_check import JOB, SelfCheck, newest_audit
from telemetry import metric
from tests.conftest import Running
from tests.support.bus_subscribers import begin_activity
from tests.support.integrity import make_admin

NOON = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
FEED = "subscription { adminActivity { kind message } }"
# A query that never ends, on both databases.
ENDLESS = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000000000)
SELECT CAST(COUNT(*) AS TEXT) AS id FROM numbers
"""


async def test_a_run_of_a_worker_with_a_wrong_clock_hides_no_audit(idle_server: Running) -> None:
    check = idle_server.services.operations.self_check
    now = await database_time()
    tomorrow = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    result = {"broken": {"M1": 7}, "unknown": []}
    await JobRun.create(job=JOB, hour=tomorrow, state=JobState.COMPLETED, result=result, finished_at=tomorrow)
    await check.export_metrics()
    assert metric.REGISTRY.get_sample_value("darkroom_invariant_violations", {"invariant": "M1"}) != 7
    with capture_logs() as logs:
        assert await check.check_when_due(now) == {}
    (line,) = [line for line in logs if line["event"] == "hourly_job.future_runs"]
    assert (line["job"], line["runs"]) == (JOB, 1)
    assert not await JobRun.filter(hour=tomorrow).exists(), "tomorrow, it would stand for an audit"
    await check.export_metrics()
    assert 0 <= (metric.REGISTRY.get_sample_value("darkroom_audit_age_seconds") or -1) < 3600


@pytest.mark.parametrize("finished", [-60.0, 4000.0])
async def test_a_run_that_ended_outside_its_hour_is_made_again(idle_server: Running, finished: float) -> None:
    check = idle_server.services.operations.self_check
    now = await database_time()
    hour = now.replace(minute=0, second=0, microsecond=0)
    wrong = hour + timedelta(seconds=finished)
    result = {"broken": {"M1": 7}, "unknown": []}
    await JobRun.create(job=JOB, hour=hour, state=JobState.COMPLETED, result=result, finished_at=wrong)
    assert await newest_audit() is None
    assert await check.check_when_due(now) == {}
    assert await check.check_when_due(now) is None, "an audit of this hour has been made"
    found = await newest_audit()
    assert found is not None
    assert now <= found.at <= await database_time()


async def test_a_new_violation_is_reported_once_by_one_worker_an_hour(idle_server: Running) -> None:
    api, check = idle_server.api, idle_server.services.operations.self_check
    admin, ada = await make_admin(api), await api.sign_up()
    metric.audit_age.set(0)
    await check.export_metrics()
    assert (metric.REGISTRY.get_sample_value("darkroom_audit_age_seconds") or 0) > 0, "no audit has completed yet"
    assert await check.check_when_due(NOON) == {}
    async with admin.socket() as socket:
        feed = await socket.subscribe(FEED)
        await begin_activity(feed, idle_server.services)
        await rows("UPDATE users SET credits = credits + 1 WHERE id = $1", ada.user["id"])
        later = NOON + timedelta(hours=1)
        with capture_logs() as logs:
            runs = await asyncio.gather(check.check_when_due(later), check.check_when_due(later))
        assert [run for run in runs if run is not None] == [{"M1": 1, "M6": 1}]
        logged = {line["invariant"]: line for line in logs if line["event"] == "self_check.invariant_violated"}
        assert set(logged) == {"M1", "M6"}
        assert logged["M1"]["ids"] == (ada.user["id"],)
        alert = await feed.until(kind="ALERT")
        while "M1" not in alert["message"]:
            alert = await feed.until(kind="ALERT")
        assert alert["message"] == "An invariant is violated: a balance is the sum of its ledger (M1), 1 times."
        # Still violated an hour later: it is logged again, without another alert.
        assert await check.check_when_due(later) is None
        with capture_logs() as logs:
            assert await check.check_when_due(later + timedelta(hours=1)) == {"M1": 1, "M6": 1}
        assert "self_check.invariant_violated" in [line["event"] for line in logs]
        await rows("UPDATE users SET credits = credits - 1 WHERE id = $1", ada.user["id"])
        await idle_server.services.operations.gauges.refresh()
        found = (await api.http.get("/metrics")).text
        assert 'darkroom_invariant_violations{invariant="M1",kind="broken"} 1.0' in found
        assert 'darkroom_invariant_violations{invariant="M2",kind="broken"} 0.0' in found
        assert await check.check_when_due(later + timedelta(hours=2)) == {}
        await check.export_metrics()
        assert (
            'darkroom_invariant_violations{invariant="M1",kind="broken"} 0.0' in (await api.http.get("/metrics")).text
        )


async def test_what_is_only_late_is_a_warning_without_an_alert(idle_server: Running) -> None:
    api, check = idle_server.api, idle_server.services.operations.self_check
    admin, ada = await make_admin(api), await api.sign_up()
    await ada.create(prompt="A red boat")
    await rows("UPDATE generations SET created_at = LATER($1) RETURNING id", -1e6)
    async with admin.socket() as socket:
        feed = await socket.subscribe(FEED)
        await begin_activity(feed, idle_server.services)
        with capture_logs() as logs:
            assert await check.check_when_due(NOON) == {"G2": 1}
        (line,) = [line for line in logs if line.get("invariant") == "G2"]
        assert (line["event"], line["log_level"], line["violations"]) == ("self_check.backlog", "warning", 1)
        await rows("UPDATE users SET credits = credits + 1 WHERE id = $1 RETURNING id", ada.user["id"])
        assert set(await check.check_when_due(NOON + timedelta(hours=1)) or ()) == {"G2", "M1", "M6"}
        assert "(M1)" in (await feed.until(kind="ALERT"))["message"], "the first alert"


async def test_an_audit_has_a_deadline_and_reports_incomplete_checks(idle_server: Running) -> None:
    database = ReadOnlyDatabase(idle_server.settings.database, 0.05)
    with pytest.raises(QueryTimeoutError):
        await database.rows(ENDLESS)

    async def never() -> set[str]:
        await asyncio.sleep(60)
        return set()

    async def query(sql: str, *values: float) -> list[dict[str, object]]:
        if "LAG" in sql:
            raise QueryTimeoutError
        return await rows(sql, *values)

    audit = IntegrityAudit(
        never, generation_seconds=60, file_seconds=60, upload_seconds=60, query=query, listing_timeout=0.05
    )
    unknown = {result.name for result in await audit.run() if not result.is_complete}
    assert unknown == {"B1", "B2", "M6", "A3"}
    check = SelfCheck(audit, idle_server.services.events.publisher)
    with capture_logs() as logs:
        assert await check.check_when_due(NOON) == {}
    assert {line["invariant"] for line in logs if line["event"] == "self_check.timed_out"} == unknown
    (run,) = await JobRun.filter(job=JOB)
    assert run.result
    assert set(run.result["unknown"]) == unknown
    await idle_server.services.operations.gauges.refresh()
    exported = (await idle_server.api.http.get("/metrics")).text
    for name, value in (("B1", 1), ("B2", 1), ("M6", 1), ("A3", 1), ("M1", 0)):
        assert f'darkroom_invariant_unknown{{invariant="{name}"}} {value}.0' in exported


async def test_an_audit_reads_beside_a_writer_and_cannot_write(idle_server: Running) -> None:
    database = ReadOnlyDatabase(idle_server.settings.database, 5)
    ada = await idle_server.api.sign_up()

    async def write() -> None:
        await rows("UPDATE users SET name = 'Ada' WHERE id = $1", ada.user["id"])
        # The row is locked: a reader that waited for it would time out.
        assert await database.rows("SELECT name FROM users WHERE id = $1", ada.user["id"]) == [{"name": None}]

    await run_tx(write)
    with pytest.raises(Exception, match=r"read-?only"):
        await database.rows("UPDATE users SET name = 'Eve' RETURNING id")
