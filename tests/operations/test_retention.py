"""Retention: rows that nothing needs any more are removed in batches, after as many days as the settings say."""

import json

from models import ExternalEvent, IdempotencyKey, JobRun, Session, ids
from models.database.connection import rows
from models.enum import EventOutcome
from services.operations import retention
from services.operations.retention import Retention
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import photo
from tests.support.integrity import assert_invariants

DAY = 86_400.0


async def backdate(table: str, column: str, days: float) -> None:
    """Make all rows of a table older."""
    await rows(f"UPDATE {table} SET {column} = LATER($1) RETURNING id", -days * DAY)  # noqa: S608 - ours


async def event(outcome: EventOutcome, days: float) -> str:
    """Write a webhook event that arrived some days ago."""
    id = ids.new_id(ids.EXTERNAL_EVENT)
    await rows(
        "INSERT INTO external_events (id, source, event_id, type, data, outcome, attempts, received_at)"
        " VALUES ($1, 'polar', $1, 'order.paid', $2, $3, 1, LATER($4)) RETURNING id",
        *(id, json.dumps({}), outcome.value, -days * DAY),
    )
    return id


async def test_defaults_remove_expired_sessions_and_old_runs_only(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await ada.create(photo(), prompt="A red boat", idempotencyKey="order-1")
    await JobRun.create(job="self-check", hour="2020-01-01T00:00:00+00:00")
    fresh = await JobRun.create(job="self-check", hour="2999-01-01T00:00:00+00:00")
    kept = [await event(outcome, 5000) for outcome in EventOutcome if outcome is not EventOutcome.RECEIVED]
    await backdate("idempotency_keys", "created_at", 5000)
    await idle_server.services.background.sweeper.sweep()
    assert [run.id for run in await JobRun.all()] == [fresh.id]
    assert await Session.all().count() == 1
    assert {found.id for found in await ExternalEvent.all()} == set(kept)
    assert await IdempotencyKey.all().count() == 1
    await backdate("sessions", "expires_at", 0.001)
    await idle_server.services.background.sweeper.sweep()
    assert await Session.all().count() == 0


async def test_settings_decide_and_what_is_younger_stays(settings: Settings) -> None:
    changes = {
        "idempotency_key_days": 2, "job_run_days": 3, "expired_session_days": 4, "webhook_days": 7,
        "parked_event_days": 30,
    }  # fmt: skip
    async with running(settings.model_copy(update=changes), idle=True) as server:
        ada = await server.api.sign_up()
        (made,) = (await ada.create(prompt="A red boat", idempotencyKey="order-1"))["generations"]
        await backdate("sessions", "expires_at", 3.9)
        await backdate("idempotency_keys", "created_at", 1.9)
        kept = {
            await event(EventOutcome.RECEIVED, 0),
            await event(EventOutcome.HANDLED, 6.9),
            await event(EventOutcome.PARKED, 29.9),
        }
        for outcome, days in (("HANDLED", 7.1), ("IGNORED", 7.1), ("PARKED", 30.1), ("FAILED", 30.1)):
            await event(EventOutcome(outcome), days)
        sweep = server.services.background.sweeper.sweep
        await sweep()
        assert {found.id for found in await ExternalEvent.all()} == kept
        assert (await Session.all().count(), await IdempotencyKey.all().count()) == (1, 1)
        await backdate("sessions", "expires_at", 4.1)
        await backdate("idempotency_keys", "created_at", 2.1)
        await sweep()
        assert (await Session.all().count(), await IdempotencyKey.all().count()) == (0, 0)
        ada = await server.api.sign_up("bob@example.com")
        (again,) = (await ada.create(prompt="A red boat", idempotencyKey="order-1"))["generations"]
        assert again["id"] != made["id"]
        await assert_invariants(server.services)


async def test_many_rows_are_removed_in_batches_from_the_oldest_on(idle_server: Running) -> None:
    number, left = 2 * retention.BATCH + 3, 5
    for index in range(number + left):
        await event(EventOutcome.HANDLED, 100 if index < number else 1)
    removals = Retention(job_runs=None, expired_sessions=None, webhooks=7).chores
    assert [await chore.run() for chore in removals] == [number, 0, 0, 0]
    assert await ExternalEvent.all().count() == left
