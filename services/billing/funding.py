"""How a request is paid for: by a pass with room for all of it, else an unlimited plan, else credits if sold here."""

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
    """What a request costs: a number of pieces of one medium, at a price that applies if credits pay for them."""

    media: MediaKind
    count: int
    each: int  # credits

    @property
    def total(self) -> int:
        return self.each * self.count


@dataclass(frozen=True)
class Funding:
    """The funding source of a whole charge. `refusal`: why no source can pay for it."""

    paid_by: PaidBy
    each: int  # credits, for each piece
    pass_: ActivePass | None = None  # the pass that pays
    refusal: Refusal | None = None

    def check(self) -> None:
        """Raises InsufficientCreditsError, MembershipRequiredError, QuotaExceededError or InvalidInputError."""
        if self.refusal is not None:
            raise self.refusal


class FundingService:
    """Chooses the funding source of a charge. `sells_credits`: whether credits pay for anything in this product."""

    def __init__(self, entitlements: Entitlements, *, sells_credits: bool) -> None:
        self._entitlements = entitlements
        self._sells_credits = sells_credits

    async def find(self, user: User | None, charge: Charge) -> Funding:
        """Return the source that would pay now, given the account's row; an anonymous viewer has none."""
        return await self.choose(user, charge, await passes.active(user.id) if user else None)

    async def choose(self, user: User | None, charge: Charge, pass_: ActivePass | None) -> Funding:
        """Return the source that would pay now, given the account's row and its active pass."""
        if pass_ is not None and pass_.of(charge.media).remaining >= charge.count:
            return Funding(PaidBy.PASS, 0, pass_)
        if (await self._entitlements.of(user)).unlimited:
            return Funding(PaidBy.PLAN, 0)
        if not self._sells_credits:
            return Funding(PaidBy.PASS, 0, refusal=_refusal(pass_, charge))
        balance = user.credits if user else 0
        short = InsufficientCreditsError(required=charge.total, balance=balance) if balance < charge.total else None
        return Funding(PaidBy.CREDITS, charge.each, refusal=short)

    async def reserve(self, user_id: str, charge: Charge) -> tuple[AccountChange, Funding]:
        """Choose the source and use up the pass's allowance. Must be the first statement of a transaction.

        Credits are not deducted here: the caller, who knows what they pay for, posts the lines in the same transaction.

        Raises:
            InsufficientCreditsError, MembershipRequiredError, QuotaExceededError, InvalidInputError: no source can pay.
            NotFoundError: the account was deleted.
        """
        account = await account_change.bump_version(user_id)
        funding = await self.find(await User.get(id=user_id), charge)
        funding.check()
        if funding.pass_ is None:
            return account, funding
        if not await passes.use(funding.pass_, charge.media, charge.count):
            raise _exhausted(funding.pass_, charge)  # the clock went back, into an hour that is used up
        return account.with_entitlements(), funding


def _refusal(pass_: ActivePass | None, charge: Charge) -> Refusal:
    if pass_ is None:
        return MembershipRequiredError(text=message("Generating pictures requires a pass."))
    limit = pass_.of(charge.media).per_hour
    if charge.count > limit:  # waiting would not help
        return InvalidInputError(message("Your pass allows {limit} per hour.", limit=limit), field=("count",))
    return _exhausted(pass_, charge)


def _exhausted(pass_: ActivePass, charge: Charge) -> QuotaExceededError:
    allowance = pass_.of(charge.media)
    text = message("Your pass has {remaining} left this hour.", remaining=allowance.remaining)
    return QuotaExceededError(text, allowance.resets_at)
