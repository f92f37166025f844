"""Subscriptions: what the provider tells of one becomes a membership."""

from datetime import UTC, datetime
from functools import partial

import structlog

from models import Plan, User
from models.database.connection import run_tx
from models.enum import EventOutcome, MembershipStatus, PlanKind
from services.billing.membership import MembershipService, SubscriptionState
from services.core.error import NotFoundError
from services.events.publisher import EventPublisher
from services.integrations.payments.polar.payload import Subscription
from services.payments.payment import PaymentService, Record, no_record
from services.payments.purchase import Settlement

log = structlog.get_logger(__name__)

# What is not here (incomplete, incomplete_expired) never began.
_STATUSES = {
    "active": MembershipStatus.ACTIVE,
    "trialing": MembershipStatus.ACTIVE,
    "past_due": MembershipStatus.PAST_DUE,
    "unpaid": MembershipStatus.PAST_DUE,
    "paused": MembershipStatus.ENDED,  # until it is resumed, and told as active
    "canceled": MembershipStatus.ENDED,  # what is canceled for the end of its month is active until then
}


class SubscriptionService:
    """Takes over what is told of subscriptions."""

    def __init__(self, payments: PaymentService, memberships: MembershipService, events: EventPublisher) -> None:
        self._payments = payments
        self._memberships = memberships
        self._events = events

    async def record(self, subscription: Subscription, *, record: Record = no_record) -> Settlement:
        """Bring a membership up to date; what is older than what is known already changes nothing.

        `record` runs in the same transaction, or after it where nothing was done.
        """
        status = _STATUSES.get(subscription.status)
        if status is None:
            return await _end(Settlement(EventOutcome.IGNORED), record)
        buyer = await self._payments.buyer_of(
            subscription.customer, subscription.claimed_user, subscription.checkout_id
        )
        plan = await self._payments.product_of(subscription.product_id)
        is_gone = buyer.user is not None and buyer.problem is not None
        if is_gone and status is MembershipStatus.ENDED:
            return await _end(Settlement(EventOutcome.IGNORED), record)  # the account is gone, and now this is, too
        if not isinstance(plan, Plan) or plan.kind is not PlanKind.SUBSCRIPTION:
            return await self._park(subscription, f"{subscription.product_id!r} is no monthly plan", record)
        if buyer.user is None:
            return await self._park(subscription, buyer.problem or "", record)
        told = _state_of(subscription, buyer.user.id, plan, status)
        try:
            verdict = await run_tx(partial(self._apply, told, record, is_gone=is_gone))
        except NotFoundError:
            if not is_gone and not await User.exists(id=told.user_id, deleted_at__isnull=True):
                return await self.record(subscription, record=record)  # it went in this very moment
            return await self._park(subscription, "it is somebody else's", record)
        if verdict.account is not None:
            log.info("subscription.applied", subscription=subscription.id, user=told.user_id, status=status)
            await self._events.account_changed(verdict.account)
        return verdict

    async def _apply(self, told: SubscriptionState, record: Record, *, is_gone: bool) -> Settlement:
        if is_gone:  # for the hourly look to end it
            await self._memberships.record_orphaned(told)
            verdict = Settlement(EventOutcome.HANDLED, "its account is gone: it is to be ended")
        else:
            verdict = Settlement(EventOutcome.HANDLED, account=await self._memberships.apply(told))
        await record(verdict)
        return verdict

    @staticmethod
    async def _park(subscription: Subscription, problem: str, record: Record) -> Settlement:
        log.error("subscription.parked", subscription=subscription.id, problem=problem)
        return await _end(Settlement(EventOutcome.PARKED, problem), record)


async def _end(verdict: Settlement, record: Record) -> Settlement:
    await record(verdict)
    return verdict


def _state_of(subscription: Subscription, user_id: str, plan: Plan, status: MembershipStatus) -> SubscriptionState:
    ends_at = subscription.ends_at
    if subscription.cancels_at_period_end:
        ends_at = ends_at or subscription.period_end
    if status is MembershipStatus.ENDED:
        ends_at = subscription.ended_at or ends_at or datetime.now(UTC)
    return SubscriptionState(
        subscription_id=subscription.id,
        user_id=user_id,
        plan=plan,
        status=status,
        started_at=subscription.started_at,
        renews_at=subscription.period_end,
        ends_at=ends_at,
        reported_at=subscription.reported_at,
        past_due_at=subscription.past_due_at if status is MembershipStatus.PAST_DUE else None,
    )
