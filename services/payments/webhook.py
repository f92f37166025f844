"""Webhook events from Polar: stored once on receipt, then handled at least once, idempotently."""

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F, Q

from models import ExternalEvent, ids
from models.database.connection import is_outage, rows
from models.enum import EventOutcome
from services.integrations.payments.polar.payload import (
    InvalidPayloadError,
    Order,
    Refund,
    Subscription,
    read_event,
    sent_at,
)
from services.integrations.payments.polar.redaction import redact_event
from services.integrations.payments.polar.signature import is_authentic
from services.payments.payment import AS_REPORTED, Decision, PaymentService, Record
from services.payments.purchase import Settlement
from services.payments.subscription import SubscriptionService

log = structlog.get_logger(__name__)

POLAR = "polar"
DEVELOPMENT = "development"  # the simulated checkout, which charges nothing

SOURCES = (POLAR, DEVELOPMENT)
_GRACE = 10.0  # seconds within which the process that stored an event handles it
_MAX_ATTEMPTS = 5  # after which an event waits for an operator
_MAX_PROBLEM = 500  # characters
UNSETTLED = (EventOutcome.RECEIVED, EventOutcome.FAILED, EventOutcome.PARKED)  # what a replay handles again

_IGNORED = Settlement(EventOutcome.IGNORED)


class _DismissedError(Exception):
    """Rolls back a settlement of an event that an admin has dismissed meanwhile."""


class InvalidSignatureError(Exception):
    """The body is not signed with one of our secrets, or the signature is too old."""


class WebhookService:
    """Receives deliveries. `secrets`: several while one is rotated."""

    def __init__(
        self,
        payments: PaymentService,
        subscriptions: SubscriptionService,
        secrets: tuple[str, ...],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._payments = payments
        self._subscriptions = subscriptions
        self._secrets = secrets
        self._clock = clock

    def check(self, *, event_id: str, timestamp: str, signatures: str, body: bytes) -> None:
        """Raises InvalidSignatureError if no secret signed these bytes within the tolerance."""
        if not is_authentic(
            self._secrets,
            event_id=event_id,
            timestamp=timestamp,
            signatures=signatures,
            body=body,
            now=self._clock(),
        ):
            raise InvalidSignatureError

    async def receive(self, event_id: str, body: bytes, source: str = POLAR) -> str | None:
        """Store an authenticated event, and return our id of it; None if it is stored already.

        Raises:
            InvalidPayloadError: the body is not an event; nothing is stored.
        """
        data = read_event(body)
        event = ExternalEvent(source=source, event_id=event_id, type=data["type"], data=data)
        try:
            await event.save(force_create=True)
        except IntegrityError:
            return None
        return event.id

    async def store_for_review(self, order: Order, problem: str | None) -> None:
        """Store an order that no webhook reported, and that needs review, unless it is stored already."""
        data = {"type": "order.paid", "timestamp": datetime.now(UTC).isoformat(), "data": order.data}
        parked = await ExternalEvent.filter(type="order.paid", outcome__in=UNSETTLED)
        if not any(event.data["data"].get("id") == order.id for event in parked):
            with contextlib.suppress(IntegrityError):
                await ExternalEvent.create(
                    source=POLAR,
                    event_id=f"reconciliation:{order.id}",
                    type="order.paid",
                    data=data,
                    outcome=EventOutcome.PARKED,
                    problem=problem[:_MAX_PROBLEM] if problem else None,
                    handled_at=datetime.now(UTC),
                )

    async def handle(self, id: str) -> bool:
        """Handle a stored event, and return whether it could be handled. Handling it again changes nothing."""
        return await self.handle_read(await ExternalEvent.get(id=id))

    async def handle_read(self, event: ExternalEvent) -> bool:
        """Do the same with an event as it was read: what an admin has decided since stays."""
        if _is_dismissed(event):
            return True
        record = partial(_record, event)
        try:
            await self.dispatch(event, record)
        except _DismissedError:
            return True
        except InvalidPayloadError as error:
            log.error("event.needs_review", event_id=event.event_id, type=event.type, problem=str(error))
            await _record_problem(event, Settlement(EventOutcome.PARKED, str(error)))
        except Exception as error:
            if is_outage(error):
                raise  # not the event's fault: the sweeper retries it
            outcome = EventOutcome.FAILED if event.attempts + 1 >= _MAX_ATTEMPTS else EventOutcome.RECEIVED
            log.exception("event.failed", event_id=event.event_id, type=event.type, attempts=event.attempts + 1)
            await _record_problem(event, Settlement(outcome, repr(error)))
            return False
        return True

    async def dispatch(self, event: ExternalEvent, record: Record, decision: Decision = AS_REPORTED) -> None:
        """Settle what an event reports; `record` gets the outcome. Raises InvalidPayloadError."""
        data = event.data["data"]
        match event.type:
            case "order.paid" | "order.refunded":
                pays = event.type == "order.paid"
                await self._payments.record_order(Order.of(data), pays=pays, record=record, decision=decision)
            case "refund.created" | "refund.updated":
                refund = Refund.of(data)
                if refund.has_succeeded:
                    await self._payments.record_refund(refund, record=record)
                else:
                    await record(_IGNORED)
            case kind if kind.startswith("subscription."):
                await self._subscriptions.record(
                    Subscription.of(data, sent_at(event.data)), record=record, decision=decision
                )
            case _:
                await record(_IGNORED)

    async def unhandled(self, limit: int) -> list[str]:
        """Return events that were stored, but not handled within the grace period."""
        found = await rows(
            "SELECT id FROM external_events WHERE outcome = 'RECEIVED' AND received_at < LATER($1)"
            " AND source IN ($3, $4) ORDER BY received_at LIMIT $2",
            -_GRACE,
            limit,
            *SOURCES,
        )
        return [row["id"] for row in found]

    async def replay(self, event_id: str | None) -> list[ExternalEvent]:
        """Handle a stored event again, by our id or the sender's; None: every one that was not settled.

        Returns the events afterwards, empty if there are none.
        """
        if event_id is None:
            wanted = Q(outcome__in=UNSETTLED)
        else:
            wanted = Q(id=event_id) if ids.is_id(event_id, ids.EXTERNAL_EVENT) else Q(event_id=event_id[:200])
        found = (
            await ExternalEvent.filter(wanted, source__in=SOURCES).order_by("received_at").values_list("id", flat=True)
        )
        for id in found:
            await self.handle(str(id))
        return await ExternalEvent.filter(id__in=found).order_by("received_at")


async def _record(event: ExternalEvent, settlement: Settlement) -> None:
    """Record the outcome, unless the event was settled or dismissed since it was read. Raises _DismissedError."""
    is_done = settlement.outcome is not EventOutcome.RECEIVED
    # Only an event that is not settled keeps the customer's data: a review may need it, and the account may be deleted.
    is_settled = settlement.outcome not in UNSETTLED
    recorded = await ExternalEvent.filter(id=event.id, outcome__in={*UNSETTLED, event.outcome}).update(
        outcome=settlement.outcome,
        problem=settlement.problem[:_MAX_PROBLEM] if settlement.problem else None,
        handled_at=datetime.now(UTC) if is_done else None,
        attempts=F("attempts") + 1,
        **({"data": redact_event(event.data)} if is_settled else {}),
    )
    if not recorded and _is_dismissed(await ExternalEvent.get(id=event.id)):
        raise _DismissedError


async def _record_problem(event: ExternalEvent, settlement: Settlement) -> None:
    with contextlib.suppress(_DismissedError):  # nothing was granted
        await _record(event, settlement)


def _is_dismissed(event: ExternalEvent) -> bool:
    return event.outcome is EventOutcome.IGNORED and event.problem is not None
