"""Reviews: admins settle or dismiss payment events that could not be handled, with a reason in the audit log."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from tortoise.expressions import F

from models import AuditEntry, ExternalEvent, Purchase, User, ids
from models.database.connection import run_tx
from models.enum import AdminAction, EventOutcome, PurchaseStatus
from services.core.error import ConflictError, InvalidInputError, NotFoundError
from services.core.message import message
from services.core.pagination import Page, PageRequest, paginate, replica_page
from services.core.text import clean_reason, slug_or_empty
from services.events import audit_log
from services.events.publisher import EventPublisher
from services.integrations.payments.polar.payload import (
    MAX_ID,
    InvalidPayloadError,
    Order,
    OwnerClaims,
    subscription_of,
)
from services.integrations.payments.polar.redaction import redact_event
from services.payments.payment import Decision, PaymentService
from services.payments.purchase import DISMISSED, Settlement, is_granted, lock_order
from services.payments.subscription import SubscriptionService
from services.payments.webhook import SOURCES, UNSETTLED, WebhookService

log = structlog.get_logger(__name__)

OPEN = (EventOutcome.PARKED, EventOutcome.FAILED)  # what waits for an admin
_MAX_TEXT = 200  # characters of a text of the payload


class _UnsettledError(Exception):
    """Rolls back a settlement that grants nothing; the text says why."""


@dataclass(frozen=True)
class PaymentReview:
    """A payment event that needs review, and what its payload says: None where it says nothing readable."""

    event: ExternalEvent

    def text(self, *path: str) -> str | None:
        """Return a text of the payload."""
        value: Any = self.event.data.get("data")
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value[:_MAX_TEXT] if isinstance(value, str) else None

    @property
    def net_amount(self) -> int | None:
        """Minor units before tax; None if it is no 32-bit number."""
        data = self.event.data.get("data")
        amount = data.get("net_amount") if isinstance(data, dict) else None
        return amount if isinstance(amount, int) and abs(amount) < 2**31 else None

    @property
    def order_id(self) -> str | None:
        return self.text("id") if self.event.type.startswith("order.") else self.text("order_id")


class PaymentReviewService:
    """Lists, settles and dismisses the events that need review. An event is decided once."""

    def __init__(
        self,
        webhooks: WebhookService,
        payments: PaymentService,
        subscriptions: SubscriptionService,
        events: EventPublisher,
    ) -> None:
        self._webhooks = webhooks
        self._payments = payments
        self._subscriptions = subscriptions
        self._events = events

    async def open(self, request: PageRequest[str]) -> Page[ExternalEvent, str]:
        """Return a page of the events that need review, newest first."""
        query = ExternalEvent.filter(outcome__in=OPEN, source__in=SOURCES)
        return await replica_page(lambda: paginate(query, request, key="id", descending=True))

    async def by_ids(self, event_ids: list[str]) -> dict[str, ExternalEvent]:
        """Return the events with these ids, by id, with any outcome; unknown ids are left out."""
        found = await ExternalEvent.filter(id__in=event_ids, source__in=SOURCES)
        return {event.id: event for event in found}

    async def settle(
        self, admin: User, event_id: str, reason: str, *, user_id: str | None, product: str | None
    ) -> ExternalEvent:
        """Handle an event again by the same rules as when it arrived, for this account and as this product, if given.

        An order is granted once, however often it is settled. Has no effect if the event was handled
        since. `product`: the slug of a package, plan or pass, on sale or not.

        Raises:
            ConflictError: it still cannot be settled, it was dismissed, or the order was granted to another account or
                as another product before; nothing was granted.
            InvalidInputError: the reason is invalid, or there is no such product.
            NotFoundError: there is no such event or account.
        """
        clean = clean_reason(reason)
        decision = await self._decision(user_id, product)
        event = await _event(event_id)
        if event.outcome is EventOutcome.HANDLED:
            return event
        _check_open(event)
        record = partial(self._record, admin.id, event, clean, decision)
        try:
            await self._webhooks.dispatch(event, record, decision)
        except (_UnsettledError, InvalidPayloadError) as error:
            text = message("This payment cannot be settled: {problem}.", problem=str(error))
            raise ConflictError(text, field=("id",)) from None
        log.info("payment.reviewed", event_id=event.event_id, admin=admin.id)
        await self._publish(event)
        await self._settle_subscription(event, decision)
        return await _event(event_id)

    async def dismiss(self, admin: User, event_id: str, reason: str) -> ExternalEvent:
        """Close an event without granting anything; later reports of its order grant nothing either.

        Has no effect if it was dismissed before.

        Raises:
            ConflictError: it was settled.
            InvalidInputError: the reason is invalid.
            NotFoundError: there is no such event.
        """
        clean = clean_reason(reason)
        event = await _event(event_id)
        if event.outcome is EventOutcome.IGNORED:
            return event
        _check_open(event)
        await run_tx(_dismiss, admin.id, event, clean)
        log.info("payment.dismissed", event_id=event.event_id, admin=admin.id)
        await self._publish(event)
        return await _event(event_id)

    async def _publish(self, event: ExternalEvent) -> None:
        entry = await AuditEntry.filter(target=event.id).order_by("-id").first()
        if entry is not None:
            await self._events.admin_action(None, entry)

    async def _decision(self, user_id: str | None, slug: str | None) -> Decision:
        user = product = None
        if user_id is not None:
            user = await User.get_or_none(id=user_id, deleted_at=None)
            if user is None:
                raise NotFoundError(field=("userId",))
        if slug is not None:
            product = await self._payments.product_with(slug_or_empty(slug))
            if product is None:
                raise InvalidInputError(message("There is no such product."), field=("product",))
        return Decision(user, product)

    @staticmethod
    async def _record(
        admin_id: str, event: ExternalEvent, reason: str, decision: Decision, settlement: Settlement
    ) -> None:
        """Record the outcome, inside the transaction of the settlement or, if that changed nothing, in its own."""
        if settlement.outcome in UNSETTLED or (settlement.outcome is EventOutcome.IGNORED and settlement.problem):
            raise _UnsettledError(settlement.problem)
        await _check_granted(event, decision)
        changed = settlement.account.user_id if settlement.account else decision.user.id if decision.user else None
        user_id = changed or await _account_of(event)
        product = decision.product.slug if decision.product else None
        await run_tx(
            _close, admin_id, event, AdminAction.SETTLE_PAYMENT, settlement.outcome, reason, user_id, product=product
        )

    async def _settle_subscription(self, event: ExternalEvent, decision: Decision) -> None:
        """Apply a subscription that came with its order, so that its plan is open and renewals find their account."""
        if not event.type.startswith("order."):
            return
        subscription = subscription_of(Order.of(event.data["data"]))
        if subscription is not None:
            await self._subscriptions.record(subscription, decision=decision)


async def _event(event_id: str) -> ExternalEvent:
    found = None
    if ids.is_id(event_id, ids.EXTERNAL_EVENT):
        found = await ExternalEvent.get_or_none(id=event_id, source__in=SOURCES)
    if found is None:
        raise NotFoundError(field=("id",))
    return found


async def _check_granted(event: ExternalEvent, decision: Decision) -> None:
    """Raises _UnsettledError if another report of the order was granted to another account, or as another product."""
    order_id = PaymentReview(event).order_id if event.type.startswith("order.") else None
    purchase = await Purchase.get_or_none(order_id=order_id) if order_id is not None else None
    if purchase is None:
        return
    if decision.user is not None and purchase.user_id != decision.user.id:
        raise _UnsettledError(f"it was granted to the account {purchase.user_id}")
    if decision.product is not None and decision.product.id not in (purchase.package_id, purchase.plan_id):
        raise _UnsettledError("it was granted as another product")


async def _account_of(event: ExternalEvent) -> str | None:
    """Return the account that an order is recorded for, or else that the event names, deleted or not; None: neither."""
    order_id = _usable_order_id(event)
    purchase = await Purchase.get_or_none(order_id=order_id) if order_id is not None else None
    if purchase is not None and purchase.user_id is not None:
        return purchase.user_id
    try:
        claims = OwnerClaims.of(event.data["data"])
    except InvalidPayloadError:
        return None
    of_subscription = event.type.startswith("subscription.")
    subscription_id = PaymentReview(event).text("id" if of_subscription else "subscription_id")
    buyer = await PaymentService.buyer_of(claims, subscription_id)
    return buyer.user.id if buyer.user else None


def _check_open(event: ExternalEvent) -> None:
    if event.outcome not in OPEN:
        raise _decided()


def _decided() -> ConflictError:
    return ConflictError(message("This payment was settled or dismissed already."), field=("id",))


async def _close(
    admin_id: str,
    event: ExternalEvent,
    action: AdminAction,
    outcome: EventOutcome,
    reason: str,
    user_id: str | None,
    *,
    product: str | None = None,
) -> None:
    changed = await ExternalEvent.filter(id=event.id, outcome__in=OPEN).update(
        outcome=outcome, handled_at=datetime.now(UTC), attempts=F("attempts") + 1, data=redact_event(event.data)
    )
    if not changed:
        raise _decided()
    await audit_log.record(
        admin_id,
        action,
        event.id,
        reason=reason,
        event=event.event_id,
        order=PaymentReview(event).order_id,
        problem=event.problem,
        user=user_id,
        product=product,
    )


async def _dismiss(admin_id: str, event: ExternalEvent, reason: str) -> None:
    order_id = _paid_order_id(event)
    if order_id is not None:  # the order's row is locked before the event's, as in a settlement
        purchase = await lock_order(order_id)
        if not is_granted(purchase):
            purchase.status, purchase.data = PurchaseStatus.PARKED, {**purchase.data, DISMISSED: True}
            await purchase.save(update_fields=["status", "data"])
    account = await _account_of(event)
    await _close(admin_id, event, AdminAction.DISMISS_PAYMENT, EventOutcome.IGNORED, reason, account)


def _paid_order_id(event: ExternalEvent) -> str | None:
    """Return the order's id; None if the event is no order's, or the order is not paid: it may be paid later."""
    if not event.type.startswith("order."):
        return None
    try:
        order = Order.of(event.data["data"])
    except InvalidPayloadError:
        return _usable_order_id(event)
    return order.id if order.is_paid else None


def _usable_order_id(event: ExternalEvent) -> str | None:
    order_id = PaymentReview(event).order_id
    return order_id if order_id and len(order_id) <= MAX_ID else None
