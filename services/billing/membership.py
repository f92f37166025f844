"""Memberships: a subscription at the payment provider becomes a row, and grants benefits until a known time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from models import CreditTransaction, Membership, Plan, Purchase, User
from models.database.connection import run_tx
from models.enum import MembershipStatus, PurchaseStatus, TransactionType
from services.billing import ledger
from services.billing.entitlement import active_plan_id
from services.billing.grants.expiry import rollover
from services.billing.ledger import LedgerLine
from services.core.error import NotFoundError
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

PAID_PERIOD = "paid_period"  # in an order's data: which subscription's period it paid for, and the end of it
_MAX_PURCHASES = 100  # of the account, newest first, that may have paid for the current period

# Of two events with the same timestamp, the more final one wins, so that any order of arrival has the same result.
_FINALITY = {MembershipStatus.ACTIVE: 0, MembershipStatus.PAST_DUE: 1, MembershipStatus.ENDED: 2}


@dataclass(frozen=True)
class SubscriptionState:
    """The state of a subscription that one event reports. All times are the provider's."""

    subscription_id: str
    user_id: str
    plan: Plan
    status: MembershipStatus
    started_at: datetime
    renews_at: datetime | None  # the end of the month that was paid for
    ends_at: datetime | None  # canceled: until when it runs
    reported_at: datetime  # the provider's time of this state
    past_due_at: datetime | None = None  # since when a payment is late; None: since the first such report


@dataclass(frozen=True)
class CurrentMembership:
    """The membership that an account has now, as the API shows it."""

    plan: Plan | None  # None: granted by an admin
    started_at: datetime
    renews_at: datetime | None = None
    ends_at: datetime | None = None
    is_granted: bool = False  # by an admin, so that nothing is paid for it


class MembershipService:
    """Records memberships. `grace_days` is the profile's: how many days a payment may be late."""

    def __init__(
        self, grace_days: int, events: EventPublisher, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._grace = timedelta(days=grace_days)
        self._events = events
        self._now = now

    async def apply(self, state: SubscriptionState) -> AccountChange | None:
        """Record the reported state, inside a transaction; return None if nothing changed.

        An event older than the row changes nothing, so that events may arrive late, twice, and in any order. Of several
        subscriptions of one account, the best running plan counts: the last in the list of plans, and of the same plan
        the one that runs longer. A plan that was paid for a period stays until the end of the period, whatever plan is
        reported meanwhile: a downgrade takes effect then.

        Raises:
            NotFoundError: there is no such account, it was deleted, or the subscription belongs to another account.
        """
        await account_change.lock_account(state.user_id)
        if not await _write(state):
            return None
        account = await account_change.bump_version(state.user_id)
        await self.settle(state.user_id)
        return account.with_entitlements()

    async def apply_paid_plan(self, account: AccountChange, subscription_id: str) -> AccountChange:
        """Open a plan that an order has paid for the subscription's current period, inside the order's transaction.

        The subscription may have been reported with a lower plan before its order arrived.
        """
        row = await Membership.get_or_none(subscription_id=subscription_id, user_id=account.user_id).select_related(
            "plan"
        )
        if row is None or row.status is MembershipStatus.ENDED:
            return account
        plan = await _plan_of_period(account.user_id, subscription_id, row.renews_at, row.plan)
        if plan.id == row.plan_id:
            return account
        await Membership.filter(id=row.id).update(plan_id=plan.id)
        await self.settle(account.user_id)
        return account.with_entitlements()

    @staticmethod
    async def record_orphaned(state: SubscriptionState) -> None:
        """Record a subscription of a deleted account, inside a transaction, so that it is canceled later.

        Raises:
            NotFoundError: there is no such account, or the subscription belongs to another account.
        """
        await account_change.lock_account(state.user_id, include_deleted=True)
        await _write(state)

    async def current_memberships(self, users: Sequence[User]) -> dict[str, CurrentMembership]:
        """Return the current memberships of these accounts, by account; accounts that are not members are left out."""
        now = self._now()
        paying = [user.id for user in users if active_plan_id(user, now)]
        found = Membership.filter(user_id__in=paying).exclude(status=MembershipStatus.ENDED).select_related("plan")
        running = sorted(await found, key=self._until) if paying else []
        current = {}
        for user in users:
            plan_id = active_plan_id(user, now)
            own = [row for row in running if row.user_id == user.id and row.plan_id == plan_id]
            if own:
                current[user.id] = _current(own[-1])
            elif user.is_member:
                current[user.id] = CurrentMembership(None, user.member_since or user.created_at, is_granted=True)
        return current

    async def lapsed(self, limit: int) -> list[str]:
        """Return accounts whose membership has expired and has not been cleared yet."""
        found = User.filter(member_until__lte=self._now()).order_by("member_until").limit(limit)
        return [user_id for (user_id,) in await found.values_list("id")]

    async def lapse(self, user_id: str) -> bool:
        """Clear an expired membership and publish the change; another running one of the account takes its place."""
        account = await run_tx(self._lapse, user_id)
        if account is not None:
            await self._events.account_changed(account)
        return True

    async def _lapse(self, user_id: str) -> AccountChange | None:
        over = User.filter(id=user_id, member_until__lte=self._now())
        if not await over.update(plan_id=None, member_until=None):
            return None  # another worker cleared it first, or it was just renewed
        await self.settle(user_id)
        return (await account_change.bump_version(user_id, include_deleted=True)).with_entitlements()

    async def running(self, user_id: str) -> list[Membership]:
        """Return the memberships that grant benefits now, with their plans."""
        found = await Membership.filter(user_id=user_id).exclude(status=MembershipStatus.ENDED).select_related("plan")
        return [row for row in found if self._until(row) > self._now()]

    async def settle(self, user_id: str) -> None:
        """Update the account's row from its memberships, which are read after locking the account's row."""
        running = await self.running(user_id)
        best = max(running, key=lambda row: (row.plan.position, self._until(row)), default=None)
        await User.filter(id=user_id).update(
            plan_id=best.plan_id if best else None, member_until=self._until(best) if best else None
        )

    def _until(self, row: Membership) -> datetime:
        """Return until when a membership that has not ended grants benefits.

        A canceled one runs exactly to its end. Others have the grace period: after the paid month, because a renewal
        may be reported late, and after a failed payment.
        """
        if row.past_due_at is not None:
            late = row.past_due_at + self._grace
            return late if row.ends_at is None else min(late, row.ends_at)
        return row.ends_at or (row.renews_at or row.told_at) + self._grace


async def grant_month(
    user_id: str,
    plan: Plan,
    reference: str,
    price: int | None,
    currency: str | None,
    *,
    credits: int | None = None,
    account: AccountChange | None = None,
    begins_month: bool = False,
) -> AccountChange:
    """Write the line of a paid month, inside a transaction; none if it grants no credits.

    Where the plan limits what the next month keeps, what is left of earlier months expires if `begins_month`, except
    for that.

    `reference` names the payment: the same one grants nothing again. `price` is in minor units of `currency`.
    `credits`: None for the plan's month. `account`: the change of the account, if this transaction has bumped its
    version already.

    Raises:
        NotFoundError: there is no such account, or it was deleted.
    """
    account = account or await account_change.bump_version(user_id)
    granted = plan.credits_per_month if credits is None else credits
    if not granted or await CreditTransaction.exists(reference=reference):
        return account
    expires_at = ledger.expiry(plan.credits_expire_days)
    line = LedgerLine(
        TransactionType.SUBSCRIPTION,
        granted,
        reference,
        metadata={"plan": plan.slug},
        price=price,
        currency=currency,
        expires_at=expires_at,
    )
    carried: list[LedgerLine] = []
    if begins_month and plan.rollover is not None and expires_at is not None:
        carried = await rollover(user_id, plan, reference, expires_at)
    return await ledger.post(user_id, [*carried, line], version_bumped=True)


async def _write(state: SubscriptionState) -> bool:
    """Update a subscription's row, and return whether the account's visible membership changed.

    Raises:
        NotFoundError: it belongs to another account.
    """
    row = await Membership.get_or_none(subscription_id=state.subscription_id)
    if row is None:
        row = Membership(subscription_id=state.subscription_id, user_id=state.user_id)
    elif row.user_id != state.user_id:
        raise NotFoundError
    elif (state.reported_at, _FINALITY[state.status]) < (row.told_at, _FINALITY[row.status]):
        return False
    before = _shown(row)
    if state.status is not MembershipStatus.PAST_DUE:
        row.past_due_at = None
    else:  # reported repeatedly, it is late since the first report
        row.past_due_at = state.past_due_at or row.past_due_at or state.reported_at
    plan = await _plan_of_period(state.user_id, state.subscription_id, state.renews_at, state.plan)
    row.plan_id, row.status = plan.id, state.status
    row.started_at, row.renews_at, row.ends_at = state.started_at, state.renews_at, state.ends_at
    row.told_at = state.reported_at
    await row.save()
    return _shown(row) != before


async def _plan_of_period(user_id: str, subscription_id: str, period_end: datetime | None, reported: Plan) -> Plan:
    """Return the best of the reported plan and those that were paid for the subscription's period ending then."""
    paid = Purchase.filter(user_id=user_id, plan_id__isnull=False).select_related("plan").order_by("-created_at")
    best = reported
    for purchase in await paid.limit(_MAX_PURCHASES):
        period = purchase.data.get(PAID_PERIOD)
        if period is None or purchase.plan is None or _is_refunded(purchase):
            continue
        is_same = period["subscription"] == subscription_id and datetime.fromisoformat(period["end"]) == period_end
        if is_same and purchase.plan.position > best.position:
            best = purchase.plan
    return best


def _is_refunded(purchase: Purchase) -> bool:
    return purchase.status is PurchaseStatus.REFUNDED and purchase.refunded_amount >= purchase.net_amount


def _shown(row: Membership) -> tuple[object, ...]:
    """Return the fields on which the account's visible membership depends; empty for a new row."""
    return (row.plan_id, row.status, row.started_at, row.renews_at, row.ends_at, row.past_due_at) if row.told_at else ()


def _current(row: Membership) -> CurrentMembership:
    renews = row.status is MembershipStatus.ACTIVE and row.ends_at is None
    return CurrentMembership(row.plan, row.started_at, row.renews_at if renews else None, row.ends_at, row.is_granted)
