"""The outbox: events that triggers wrote become deliveries to the endpoints that asked for them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog
from tortoise.expressions import Q

from models import WebhookDelivery, WebhookEndpoint, WebhookEvent, ids
from models.database.connection import database_time, dialect, rows, run_tx
from models.database.model_row import columns, from_row
from models.enum import WebhookEventType
from services.webhooks.payload import Subjects, body_of, read_subjects
from telemetry import metric

log = structlog.get_logger(__name__)

_BATCH = 100  # events of one transaction

# Several workers take different events; on SQLite, which knows no row locks, one transaction writes at a time.
_TAKE = (
    "DELETE FROM webhook_events WHERE id IN (SELECT id FROM webhook_events ORDER BY id LIMIT $1{lock})"
    " RETURNING {columns}"
)


async def dispatch(give_up_seconds: float) -> int:
    """Turn the oldest events into deliveries, in one transaction, and return the number of events.

    `give_up_seconds`: for how long each delivery is attempted. An event that no endpoint wants, or whose subject is
    gone, becomes none.
    """
    taken = await run_tx(_dispatch, give_up_seconds)
    for type in taken:
        metric.webhook_events.labels(type).inc()
    return len(taken)


async def _dispatch(give_up_seconds: float) -> list[str]:
    lock = " FOR UPDATE SKIP LOCKED" if dialect() == "postgres" else ""
    found = await rows(_TAKE.format(lock=lock, columns=columns(WebhookEvent, "webhook_events")), _BATCH)
    if not found:
        return []
    events = _distinct(sorted((from_row(WebhookEvent, row) for row in found), key=lambda event: event.id))
    owners = {event.user_id for event in events}
    wanted = Q(user_id__in=owners) | Q(user_id__isnull=True)
    endpoints = await WebhookEndpoint.filter(wanted, disabled_at=None)
    subjects, now = await read_subjects(events), await database_time()
    give_up_at = now + timedelta(seconds=give_up_seconds)
    await WebhookDelivery.bulk_create(
        [each for event in events for each in _deliveries(event, endpoints, subjects, now, give_up_at)]
    )
    return [event.type for event in events]


def _distinct(events: Sequence[WebhookEvent]) -> list[WebhookEvent]:
    """Leave out changes of a membership that a later one of the same account replaces: it shows the same state."""
    last = {event.subject_id: event.id for event in events if event.type == WebhookEventType.MEMBERSHIP_CHANGED}
    return [
        event
        for event in events
        if event.type != WebhookEventType.MEMBERSHIP_CHANGED or last[event.subject_id] == event.id
    ]


def _deliveries(
    event: WebhookEvent, endpoints: Sequence[WebhookEndpoint], subjects: Subjects, now: datetime, give_up_at: datetime
) -> Iterator[WebhookDelivery]:
    message_id = ids.new_id(ids.WEBHOOK_MESSAGE)
    for endpoint in endpoints:
        if not _wants(endpoint, event):
            continue
        data = subjects.data(event, endpoint.credits_low)
        if data is None:
            log.info("webhooks.subject_gone", type=event.type, subject=event.subject_id)
            return
        yield WebhookDelivery(
            endpoint_id=endpoint.id,
            message_id=message_id,
            type=event.type,
            body=body_of(event.type, event.created_at, data),
            next_attempt_at=now,
            give_up_at=give_up_at,
            created_at=event.created_at,
        )


def _wants(endpoint: WebhookEndpoint, event: WebhookEvent) -> bool:
    if endpoint.user_id not in (None, event.user_id):
        return False
    if endpoint.events is not None and event.type not in endpoint.events:
        return False
    if event.balance is None or event.balance_before is None:
        return True
    return bool(event.balance < endpoint.credits_low <= event.balance_before)
