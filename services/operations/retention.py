"""How long rows are kept that nothing needs any more: keys, sessions, runs of jobs, webhook events and deliveries."""

from dataclasses import dataclass
from functools import partial

from models.database.connection import rows
from models.enum import DeliveryState, EventOutcome
from services.core.chore import Chore, Lane

BATCH = 500  # rows of one statement, which holds its locks for some milliseconds
_MAX_BATCHES = 20  # of one kind in one sweep; the rest waits for the next
_DAY = 86_400.0
_ENDED_DELIVERIES = (DeliveryState.DELIVERED, DeliveryState.DEAD)

# Keys and runs are numbered in the order of their creation, and have no index of the time.
_BY_NUMBER = (
    "DELETE FROM {table} WHERE id IN (SELECT id FROM (SELECT id, {time} AS at FROM {table} ORDER BY id LIMIT $2)"
    " AS oldest WHERE at < LATER($1)) RETURNING id"
)
_IDEMPOTENCY_KEYS = _BY_NUMBER.format(table="idempotency_keys", time="created_at")
_JOB_RUNS = _BY_NUMBER.format(table="job_runs", time="hour")
_SESSIONS = (
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < LATER($1)"
    " ORDER BY expires_at LIMIT $2) RETURNING id"
)
_EVENTS = (
    "DELETE FROM external_events WHERE id IN (SELECT id FROM external_events WHERE outcome = $3"
    " AND received_at < LATER($1) ORDER BY received_at LIMIT $2) RETURNING id"
)


_DELIVERIES = (
    "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries WHERE state = $3"
    " AND created_at < LATER($1) ORDER BY created_at LIMIT $2) RETURNING id"
)


@dataclass(frozen=True)
class Retention:
    """Days for which rows are kept; None: for ever."""

    idempotency_keys: int | None = None
    job_runs: int | None = 30
    expired_sessions: int | None = 0
    webhooks: int | None = None  # that were handled or ignored
    parked_events: int | None = None  # that wait for an admin, or failed
    webhook_deliveries: int | None = 30  # that were delivered or given up

    @property
    def chores(self) -> tuple[Chore, ...]:
        """The chores that remove what is older, in batches."""
        settled = (EventOutcome.HANDLED, EventOutcome.IGNORED)
        unsettled = (EventOutcome.PARKED, EventOutcome.FAILED)
        removals = [
            (self.idempotency_keys, _IDEMPOTENCY_KEYS, ()),
            (self.job_runs, _JOB_RUNS, ()),
            (self.expired_sessions, _SESSIONS, ()),
            *((self.webhooks, _EVENTS, (outcome.value,)) for outcome in settled),
            *((self.webhook_deliveries, _DELIVERIES, (state.value,)) for state in _ENDED_DELIVERIES),
            *((self.parked_events, _EVENTS, (outcome.value,)) for outcome in unsettled),
        ]
        return tuple(
            Chore(Lane.CLEAN_UP, partial(_remove, statement, days, values))
            for days, statement, values in removals
            if days is not None
        )


async def _remove(statement: str, days: int, values: tuple[str, ...]) -> int:
    """Delete rows that are older than `days`, and return their number."""
    removed = 0
    for _ in range(_MAX_BATCHES):
        number = len(await rows(statement, -days * _DAY, BATCH, *values))
        removed += number
        if number < BATCH:
            break
    return removed
