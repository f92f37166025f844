"""Who pays for an order: a pass with room for all of it, else an unlimited plan, else credits where they are sold."""

from dataclasses import dataclass

from models import User
from models.enum import MediaKind, PaidBy
from services.billing import passes
from services.billing.entitlement import Entitlements
from services.billing.passes import ActivePass
from services.core.error import (
    InsufficientCreditsError,
    InvalidInputError,
    MembershipRequiredError,
    QuotaExceededError,
    Refusal,
)
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange


@dataclass(frozen=True)
class Charge:
    """What is to be paid: so many of a medium, at a price that holds where credits pay."""

    media: MediaKind
    count: int
    each: int  # credits

    @property
    def total(self) -> int:
        return self.each * self.count


@dataclass(frozen=True)
class Funding:
    """How a bill is paid; one payer for the whole of it. `refusal`: why it cannot be."""

    paid_by: PaidBy
    each: int  # credits, of each piece
    holder: ActivePass | None = None  # the pass that pays
    refusal: Refusal | None = None

    def check(self) -> None:
        """Raises InsufficientCreditsError, MembershipRequiredError, QuotaExceededError or InvalidInputError."""
        if self.refusal is not None:
            raise self.refusal


class FundingService:
    """Finds who pays, and lets them. `sells_credits`: whether credits pay for anything in this product."""

    def __init__(self, entitlements: Entitlements, *, sells_credits: bool) -> None:
        self._entitlements = entitlements
        self._sells_credits = sells_credits

    async def find(self, user: User | None, bill: Charge) -> Funding:
        """Who would pay now for this account, as its row was read; nobody signed in has nothing."""
        holder = await passes.active(user.id) if user else None
        if holder is not None and holder.of(bill.media).remaining >= bill.count:
            return Funding(PaidBy.PASS, 0, holder)
        if (await self._entitlements.of(user)).unlimited:
            return Funding(PaidBy.PLAN, 0)
        if not self._sells_credits:
            return Funding(PaidBy.PASS, 0, refusal=_refusal(holder, bill))
        balance = user.credits if user else 0
        short = InsufficientCreditsError(required=bill.total, balance=balance) if balance < bill.total else None
        return Funding(PaidBy.CREDITS, bill.each, refusal=short)

    async def take(self, user_id: str, bill: Charge) -> tuple[AccountChange, Funding]:
        """Find who pays and write down what is used of a pass, inside a transaction that begins here.

        Credits are still there afterwards: whoever knows what they pay for posts the lines, in the same transaction.

        Raises:
            InsufficientCreditsError, MembershipRequiredError, QuotaExceededError, InvalidInputError: nobody pays.
            NotFoundError: the account is gone.
        """
        account = await account_change.bump_version(user_id)
        payment = await self.find(await User.get(id=user_id), bill)
        payment.check()
        if payment.holder is None:
            return account, payment
        if not await passes.use(payment.holder, bill.media, bill.count):
            raise _exhausted(payment.holder, bill)  # the clock went back, into an hour that is used up
        return account.with_entitlements(), payment


def _refusal(holder: ActivePass | None, bill: Charge) -> Refusal:
    if holder is None:
        return MembershipRequiredError(text=message("Pictures are made here with a pass."))
    limit = holder.of(bill.media).per_hour
    if bill.count > limit:  # waiting would not help
        return InvalidInputError(message("Your pass is for {limit} an hour.", limit=limit), field=("count",))
    return _exhausted(holder, bill)


def _exhausted(holder: ActivePass, bill: Charge) -> QuotaExceededError:
    found = holder.of(bill.media)
    text = message("Your pass has {remaining} left in this hour.", remaining=found.remaining)
    return QuotaExceededError(text, found.resets_at)
