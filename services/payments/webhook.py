"""Events from Polar: stored once before anything is done about them, then handled at least once, to one effect."""

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
from services.payments.payment import PaymentService, Record
from services.payments.purchase import Settlement
from services.payments.subscription import SubscriptionService

log = structlog.get_logger(__name__)

POLAR = "polar"
DEVELOPMENT = "development"  # our own page, where nothing is paid

_SOURCES = (POLAR, DEVELOPMENT)
_SETTLED_BY = 10.0  # seconds that whoever stored an event is given to handle it, too
_TRIES = 5  # after which an event waits for somebody to look at it
_LONGEST_PROBLEM = 500  # characters
UNSETTLED = (EventOutcome.RECEIVED, EventOutcome.FAILED, EventOutcome.PARKED)  # what a replay is about

_IGNORED = Settlement(EventOutcome.IGNORED)


class InvalidSignatureError(Exception):
    """Nobody who knows a secret of ours sent this, or not now."""


class WebhookService:
    """Takes deliveries. `secrets`: while one is replaced by the next, both count."""

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
        """Raises InvalidSignatureError where no secret signed these bytes, or not within the last minutes."""
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
        """Store an event that is authentic, and answer with our id for it; None where it is here already.

        Raises:
            InvalidPayloadError: it is no event; nothing is stored.
        """
        told = read_event(body)
        event = ExternalEvent(source=source, event_id=event_id, type=told["type"], data=told)
        try:
            await event.save(force_create=True)
        except IntegrityError:
            return None
        return event.id

    async def handle(self, id: str) -> bool:
        """Do what an event means, once more if need be: a repetition changes nothing. Whether it could be done."""
        event = await ExternalEvent.get(id=id)
        record = partial(_record, event)
        try:
            await self._do(event, record)
        except InvalidPayloadError as error:
            log.error("event.parked", event_id=event.event_id, type=event.type, problem=str(error))
            await record(Settlement(EventOutcome.PARKED, str(error)))
        except Exception as error:
            if is_outage(error):
                raise  # no fault of the event's: the sweep comes back to it
            outcome = EventOutcome.FAILED if event.attempts + 1 >= _TRIES else EventOutcome.RECEIVED
            log.exception("event.failed", event_id=event.event_id, type=event.type, attempts=event.attempts + 1)
            await record(Settlement(outcome, repr(error)))
            return False
        return True

    async def _do(self, event: ExternalEvent, record: Record) -> None:
        data = event.data["data"]
        match event.type:
            case "order.paid" | "order.refunded":
                await self._payments.record_order(Order.of(data), pays=event.type == "order.paid", record=record)
            case "refund.created" | "refund.updated":
                refund = Refund.of(data)
                if refund.has_succeeded:
                    await self._payments.record_refund(refund, record=record)
                else:
                    await record(_IGNORED)
            case kind if kind.startswith("subscription."):
                await self._subscriptions.record(Subscription.of(data, sent_at(event.data)), record=record)
            case _:
                await record(_IGNORED)

    async def unhandled(self, limit: int) -> list[str]:
        """Events that were stored, and whoever stored them did not come to handle them."""
        found = await rows(
            "SELECT id FROM external_events WHERE outcome = 'RECEIVED' AND received_at < LATER($1)"
            " AND source IN ($3, $4) ORDER BY received_at LIMIT $2",
            -_SETTLED_BY,
            limit,
            *_SOURCES,
        )
        return [row["id"] for row in found]

    async def replay(self, event_id: str | None) -> list[ExternalEvent]:
        """Handle a stored event again, by our id or its sender's; None: every one that came to no good end.

        Answers with the events as they are now; empty where there is none.
        """
        if event_id is None:
            wanted = Q(outcome__in=UNSETTLED)
        else:
            wanted = Q(id=event_id) if ids.is_id(event_id, ids.EXTERNAL_EVENT) else Q(event_id=event_id[:200])
        found = (
            await ExternalEvent.filter(wanted, source__in=_SOURCES).order_by("received_at").values_list("id", flat=True)
        )
        for id in found:
            await self.handle(str(id))
        return await ExternalEvent.filter(id__in=found).order_by("received_at")


async def _record(event: ExternalEvent, verdict: Settlement) -> None:
    is_done = verdict.outcome is not EventOutcome.RECEIVED
    # Who paid is told to an admin only where nobody else can say it: an account that is deleted takes its name along.
    is_settled = verdict.outcome not in UNSETTLED
    await ExternalEvent.filter(id=event.id).update(
        outcome=verdict.outcome,
        problem=verdict.problem[:_LONGEST_PROBLEM] if verdict.problem else None,
        handled_at=datetime.now(UTC) if is_done else None,
        attempts=F("attempts") + 1,
        **({"data": redact_event(event.data)} if is_settled else {}),
    )
