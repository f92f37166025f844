"""Memberships: what the payment provider tells of a subscription becomes a row, and opens things until a known time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from models import CreditTransaction, Membership, Plan, User
from models.database.connection import run_tx
from models.enum import MembershipStatus, TransactionType
from services.billing import ledger
from services.billing.entitlement import active_plan_id
from services.billing.ledger import LedgerLine
from services.core.error import NotFoundError
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

# Of two events of the same moment, the one that says less stays: events arrive in any order, and must end alike.
_FINALITY = {MembershipStatus.ACTIVE: 0, MembershipStatus.PAST_DUE: 1, MembershipStatus.ENDED: 2}


@dataclass(frozen=True)
class SubscriptionState:
    """What one event says of a subscription. All times are the provider's."""

    subscription_id: str
    user_id: str
    plan: Plan
    status: MembershipStatus
    started_at: datetime
    renews_at: datetime | None  # the end of the month that was paid for
    ends_at: datetime | None  # canceled: until when it runs
    reported_at: datetime  # when this was so
    past_due_at: datetime | None = None  # since when a payment is late; None: since it was told so first


@dataclass(frozen=True)
class CurrentMembership:
    """The membership of an account as it is shown."""

    plan: Plan | None  # None: granted by an admin
    started_at: datetime
    renews_at: datetime | None = None
    ends_at: datetime | None = None


class MembershipService:
    """Keeps memberships. `grace_days` is the profile's: how long a payment may be late."""

    def __init__(
        self, grace_days: int, events: EventPublisher, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._grace = timedelta(days=grace_days)
        self._events = events
        self._now = now

    async def apply(self, told: SubscriptionState) -> AccountChange | None:
        """Take over what an event says, inside a transaction; None where it changes nothing, for nobody to be told.

        An event that is older than what the row says changes nothing, so that events may come late, twice, and in any
        order. Of several subscriptions of one account, the best plan that is running counts: the last in the list of
        plans, and of the same plan the one that runs longer.

        Raises:
            NotFoundError: there is no such account, it is gone, or the subscription is somebody else's.
        """
        await account_change.lock_account(told.user_id)
        if not await _write(told):
            return None
        account = await account_change.bump_version(told.user_id)
        await self._settle(told.user_id)
        return account.with_entitlements()

    @staticmethod
    async def record_orphaned(told: SubscriptionState) -> None:
        """Remember a subscription of an account that is gone, inside a transaction: somebody must end it.

        Raises:
            NotFoundError: there is no such account, or the subscription is somebody else's.
        """
        await account_change.lock_account(told.user_id, include_deleted=True)
        await _write(told)

    async def current_memberships(self, users: Sequence[User]) -> dict[str, CurrentMembership]:
        """How the memberships of these accounts stand, by account; who is no member has none."""
        now = self._now()
        paying = [user.id for user in users if active_plan_id(user, now)]
        found = Membership.filter(user_id__in=paying).exclude(status=MembershipStatus.ENDED).select_related("plan")
        running = sorted(await found, key=self._until) if paying else []
        current_memberships = {}
        for user in users:
            plan_id = active_plan_id(user, now)
            own = [row for row in running if row.user_id == user.id and row.plan_id == plan_id]
            if own:
                current_memberships[user.id] = _standing(own[-1])
            elif user.is_member:
                current_memberships[user.id] = CurrentMembership(None, user.member_since or user.created_at)
        return current_memberships

    async def lapsed(self, limit: int) -> list[str]:
        """Accounts whose membership has run out, and who were not told yet."""
        found = User.filter(member_until__lte=self._now()).order_by("member_until").limit(limit)
        return [user_id for (user_id,) in await found.values_list("id")]

    async def lapse(self, user_id: str) -> bool:
        """Tell an account that its membership has run out; another one of its own may go on."""
        account = await run_tx(self._lapse, user_id)
        if account is not None:
            await self._events.account_changed(account)
        return True

    async def _lapse(self, user_id: str) -> AccountChange | None:
        over = User.filter(id=user_id, member_until__lte=self._now())
        if not await over.update(plan_id=None, member_until=None):
            return None  # somebody else was faster, or it was renewed in this moment
        await self._settle(user_id)
        return (await account_change.bump_version(user_id, include_deleted=True)).with_entitlements()

    async def _settle(self, user_id: str) -> None:
        """Write on the account what its memberships open, whose rows were read after the account's was taken."""
        found = await Membership.filter(user_id=user_id).exclude(status=MembershipStatus.ENDED).select_related("plan")
        running = [row for row in found if self._until(row) > self._now()]
        best = max(running, key=lambda row: (row.plan.position, self._until(row)), default=None)
        await User.filter(id=user_id).update(
            plan_id=best.plan_id if best else None, member_until=self._until(best) if best else None
        )

    def _until(self, row: Membership) -> datetime:
        """Until when a membership that has not ended opens things.

        What was canceled runs exactly as long as it was said to. The rest has its days of grace: while a renewal may
        be late to be told, and from when a payment failed.
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
    account: AccountChange | None = None,
) -> AccountChange:
    """Write the line of a month that was paid for, inside a transaction; none where the plan grants no credits.

    `reference` says what paid for it: the same one grants nothing again. `price` is in minor units of `currency`.
    `touched`: the account, where this transaction has moved its version already.

    Raises:
        NotFoundError: there is no such account, or it is gone.
    """
    account = account or await account_change.bump_version(user_id)
    if not plan.credits_per_month or await CreditTransaction.exists(reference=reference):
        return account
    line = LedgerLine(
        TransactionType.SUBSCRIPTION,
        plan.credits_per_month,
        reference,
        metadata={"plan": plan.slug},
        price=price,
        currency=currency,
    )
    return await ledger.post(user_id, [line], version_bumped=True)


async def _write(told: SubscriptionState) -> bool:
    """Bring a subscription's row up to date, and say whether anything is new that an account shows.

    Raises:
        NotFoundError: it is somebody else's.
    """
    row = await Membership.get_or_none(subscription_id=told.subscription_id)
    if row is None:
        row = Membership(subscription_id=told.subscription_id, user_id=told.user_id)
    elif row.user_id != told.user_id:
        raise NotFoundError
    elif (told.reported_at, _FINALITY[told.status]) < (row.told_at, _FINALITY[row.status]):
        return False
    shown = _shown(row)
    if told.status is not MembershipStatus.PAST_DUE:
        row.past_due_at = None
    else:  # told again and again, it is late since the first time
        row.past_due_at = told.past_due_at or row.past_due_at or told.reported_at
    row.plan_id, row.status = told.plan.id, told.status
    row.started_at, row.renews_at, row.ends_at = told.started_at, told.renews_at, told.ends_at
    row.told_at = told.reported_at
    await row.save()
    return _shown(row) != shown


def _shown(row: Membership) -> tuple[object, ...]:
    """What the account shows, and what decides until when."""
    return (row.plan_id, row.status, row.started_at, row.renews_at, row.ends_at, row.past_due_at) if row.told_at else ()


def _standing(row: Membership) -> CurrentMembership:
    renews = row.status is MembershipStatus.ACTIVE and row.ends_at is None
    return CurrentMembership(row.plan, row.started_at, row.renews_at if renews else None, row.ends_at)
