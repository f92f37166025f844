"""The statistics and the ledger check of the admin API."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models import User
from models.database.connection import rows
from settings import Settings
from tests.conftest import Running
from tests.support import factories
from tests.support.client import Api
from tests.support.factories import insert
from tests.support.integrity import make_admin

METRICS = """
query($from: DateTime, $to: DateTime) { admin { metrics(from: $from, to: $to) {
  generations completed failed canceled successRate averageSeconds p50Seconds p95Seconds
  creditsSpent creditsRefunded creditsPurchased providerCost activeUsers returningUsers queueDepth
  byStyle { key count failed credits } byHour { key count failed credits }
  byProvider { key count failed credits } byError { key count failed credits }
  byPlan { plan passesSold passesExpired averageImages averageVideos }
} } }"""
CHECK = "{ admin { ledgerCheck { usersChecked mismatches stuckGenerations orphanFiles } } }"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING: dict[str, Any] = {
    "successRate": None,
    "averageSeconds": None,
    "p50Seconds": None,
    "p95Seconds": None,
    "byStyle": [],
    "byHour": [],
    "byProvider": [],
    "byError": [],
    "byPlan": [],
}


async def metrics(admin: Api, start: str | None = None, end: str | None = None) -> dict[str, Any]:
    window: dict[str, Any] = {"from": start, "to": end}
    found = await admin.one(METRICS, **window)
    return dict(found["metrics"])


async def add_generation(owner: str, **changes: Any) -> None:
    await insert("generations", factories.generation(owner, created_at=NOON, **changes))


async def test_admin_metrics_of_a_window(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    owner = str(admin.user["id"])
    picture = (await insert("files", factories.file(owner, kind="RESULT")))["id"]
    done = {"status": "COMPLETED", "stage": "COMPLETED", "provider": "demo", "result_id": picture}
    await add_generation(owner, **done, completed_at=NOON.replace(second=3), provider_cost=0.04)
    failed = {"status": "FAILED", "stage": "FAILED", "error_code": "CONTENT_REJECTED", "refunded": True, "cost": 5}
    await add_generation(owner, **failed, completed_at=NOON, style_slug="noir", collection_slug="avenger")

    found = await metrics(admin, "2026-03-01T12:00:00Z", "2026-03-01T13:30:00+01:00")
    assert found == {
        "generations": 2,
        "completed": 1,
        "failed": 1,
        "canceled": 0,
        "successRate": 0.5,
        "averageSeconds": 3.0,
        "p50Seconds": 3.0,
        "p95Seconds": 3.0,
        "creditsSpent": 0,
        "creditsRefunded": 0,
        "creditsPurchased": 0,
        "providerCost": 0.04,
        "activeUsers": 1,
        "returningUsers": 0,
        "queueDepth": 0,
        "byStyle": [
            {"key": "avenger/noir", "count": 1, "failed": 1, "credits": 0},
            {"key": "plushify/cute", "count": 1, "failed": 0, "credits": 1},
        ],
        "byHour": [{"key": "12", "count": 2, "failed": 1, "credits": 1}],
        "byProvider": [{"key": "demo", "count": 1, "failed": 0, "credits": 1}],
        "byError": [{"key": "CONTENT_REJECTED", "count": 1, "failed": 1, "credits": 0}],
        "byPlan": [],
    }
    today = await metrics(admin)
    assert today.items() >= NOTHING.items()  # March is not within the last 24 hours
    for edge in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        assert (await metrics(admin, edge, edge)).items() >= NOTHING.items()
    assert (await metrics(admin, end="0001-01-01T00:00:00Z"))["generations"] == 0
    assert (await metrics(admin, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"))["generations"] == 2


async def test_a_window_that_ends_before_it_begins_is_refused(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    window: dict[str, Any] = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
    refusal = await admin.refused(METRICS, **window)
    assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["to"])


async def test_ledger_check_reports_mismatches_stuck_generations_and_orphans(
    idle_server: Running, scripted_settings: Settings
) -> None:
    admin = await make_admin(idle_server.api)
    checked = await User.all().count()
    assert await admin.one(CHECK) == {
        "ledgerCheck": {"usersChecked": checked, "mismatches": [], "stuckGenerations": 0, "orphanFiles": 0}
    }

    owner = str(admin.user["id"])
    await rows("UPDATE users SET credits = credits + 1 WHERE id = $1", owner)
    await add_generation(owner)  # from March, still pending
    stray = Path(scripted_settings.data_dir) / "files" / "results" / "unknown.png"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"-")
    assert await admin.one(CHECK) == {
        "ledgerCheck": {"usersChecked": checked, "mismatches": [owner], "stuckGenerations": 1, "orphanFiles": 1}
    }


SERIES = """
query($from: DateTime!, $to: DateTime!, $interval: MetricInterval!) { admin { metrics(from: $from, to: $to) {
  series(interval: $interval) { start generations completed failed canceled credits providerCost activeUsers }
  byAccount { user { id } count completed failed credits providerCost }
} } }"""


async def test_series_has_every_interval_and_accounts_those_with_most_first(idle_server: Running) -> None:
    admin, bob = await make_admin(idle_server.api), await idle_server.api.sign_up("bob@example.com")
    owner, other = str(admin.user["id"]), str(bob.user["id"])
    picture = (await insert("files", factories.file(other, kind="RESULT")))["id"]
    done = {"status": "COMPLETED", "stage": "COMPLETED", "provider": "demo", "result_id": picture, "completed_at": NOON}
    await add_generation(other, **done, provider_cost=0.04, cost=3)
    await add_generation(other, status="CANCELED", stage="CANCELED", completed_at=NOON, refunded=True, cost=3)
    await add_generation(owner, cost=2)
    window: dict[str, Any] = {"from": "2026-03-01T10:30:00Z", "to": "2026-03-01T14:00:00Z"}
    found = (await admin.one(SERIES, **window, interval="HOUR"))["metrics"]
    empty = {"generations": 0, "completed": 0, "failed": 0, "canceled": 0, "credits": 0, "providerCost": 0.0}
    assert found["series"] == [
        {"start": "2026-03-01T10:00:00Z", **empty, "activeUsers": 0},
        {"start": "2026-03-01T11:00:00Z", **empty, "activeUsers": 0},
        {
            "start": "2026-03-01T12:00:00Z",
            "generations": 3,
            "completed": 1,
            "failed": 0,
            "canceled": 1,
            "credits": 5,
            "providerCost": 0.04,
            "activeUsers": 2,
        },
        {"start": "2026-03-01T13:00:00Z", **empty, "activeUsers": 0},
    ]
    assert found["byAccount"] == [
        {"user": {"id": other}, "count": 2, "completed": 1, "failed": 0, "credits": 3, "providerCost": 0.04},
        {"user": {"id": owner}, "count": 1, "completed": 0, "failed": 0, "credits": 2, "providerCost": 0.0},
    ]
    days = (await admin.one(SERIES, **window, interval="DAY"))["metrics"]["series"]
    assert [(point["start"], point["generations"]) for point in days] == [("2026-03-01T00:00:00Z", 3)]
    years = (await admin.raw(SERIES, **{"from": "2020-01-01T00:00:00Z", "to": window["to"]}, interval="HOUR")).json()
    assert years["errors"][0]["extensions"] == {"code": "INVALID_INPUT", "field": ["interval"]}
