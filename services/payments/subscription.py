"""Subscriptions: the provider's reports about a subscription become a membership."""

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
from services.payments.payment import AS_REPORTED, Buyer, Decision, PaymentService, Record, no_record
from services.payments.purchase import Settlement

log = structlog.get_logger(__name__)

# The other statuses (incomplete, incomplete_expired) mean that the subscription never began.
_STATUSES = {
    "active": MembershipStatus.ACTIVE,
    "trialing": MembershipStatus.ACTIVE,
    "past_due": MembershipStatus.PAST_DUE,
    "unpaid": MembershipStatus.PAST_DUE,
    "paused": MembershipStatus.ENDED,  # until it is resumed, and reported as active
    "canceled": MembershipStatus.ENDED,  # one that is canceled at the end of its month is active until then
}


class SubscriptionService:
    """Records the state of subscriptions."""

    def __init__(self, payments: PaymentService, memberships: MembershipService, events: EventPublisher) -> None:
        self._payments = payments
        self._memberships = memberships
        self._events = events

    async def record(
        self, subscription: Subscription, *, record: Record = no_record, decision: Decision = AS_REPORTED
    ) -> Settlement:
        """Bring a membership up to date; a report older than the last one changes nothing.

        `record` runs in the same transaction, or after it if nothing changed.
        """
        status = _STATUSES.get(subscription.status)
        if status is None:
            return await _recorded(Settlement(EventOutcome.IGNORED), record)
        buyer = Buyer(decision.user)
        if decision.user is None:
            buyer = await self._payments.buyer_of(subscription.owner, subscription.id)
        plan = decision.product or await self._payments.product_of(subscription.product_id)
        is_deleted = buyer.user is not None and buyer.problem is not None
        if is_deleted and status is MembershipStatus.ENDED:
            return await _recorded(Settlement(EventOutcome.IGNORED), record)  # nothing is left to cancel
        if not isinstance(plan, Plan) or plan.kind is not PlanKind.SUBSCRIPTION:
            return await self._needs_review(subscription, f"{subscription.product_id!r} is not a monthly plan", record)
        if buyer.user is None:
            return await self._needs_review(subscription, buyer.problem or "", record)
        state = _state_of(subscription, buyer.user.id, plan, status)
        try:
            settlement = await run_tx(partial(self._apply, state, record, is_deleted=is_deleted))
        except NotFoundError:
            if not is_deleted and not await User.exists(id=state.user_id, deleted_at__isnull=True):
                return await self.record(
                    subscription, record=record, decision=decision
                )  # the account was deleted just now
            return await self._needs_review(subscription, "it belongs to another account", record)
        if settlement.account is not None:
            log.info("subscription.applied", subscription=subscription.id, user=state.user_id, status=status)
            await self._events.account_changed(settlement.account)
        return settlement

    async def _apply(self, state: SubscriptionState, record: Record, *, is_deleted: bool) -> Settlement:
        if is_deleted:  # the hourly run cancels it
            await self._memberships.record_orphaned(state)
            settlement = Settlement(EventOutcome.HANDLED, "its account is deleted: it is to be canceled")
        else:
            settlement = Settlement(EventOutcome.HANDLED, account=await self._memberships.apply(state))
        await record(settlement)
        return settlement

    @staticmethod
    async def _needs_review(subscription: Subscription, problem: str, record: Record) -> Settlement:
        log.error("subscription.needs_review", subscription=subscription.id, problem=problem)
        return await _recorded(Settlement(EventOutcome.PARKED, problem), record)


async def _recorded(settlement: Settlement, record: Record) -> Settlement:
    await record(settlement)
    return settlement


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
