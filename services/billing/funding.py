"""How a request is paid for: by a pass that includes all of it, else an unlimited plan, else credits if sold here."""

from dataclasses import dataclass

from models import User
from models.accounts import ActingKey
from models.enum import MediaKind, PaidBy, Quality
from services.billing import key_budget, passes
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
    quality: Quality
    collection: str  # slug
    included_seconds: int | None = None  # of a video that costs more because it is longer: what passes pay for

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
    key: ActingKey | None = None  # the API key that spends the credits
    uses_grants: bool = False  # whether some of the account's credits expire

    @property
    def key_id(self) -> str | None:
        return self.key.id if self.key else None

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
        if pass_ is not None and _exclusion(pass_, charge) is None and pass_.of(charge.media).remaining >= charge.count:
            return Funding(PaidBy.PASS, 0, pass_, key=user.acting_key if user else None)
        if (await self._entitlements.of(user)).unlimited:
            return Funding(PaidBy.PLAN, 0, key=user.acting_key if user else None)
        if not self._sells_credits:
            is_last = pass_ is not None and await _ends_for_good(user, pass_, charge.media)
            return Funding(PaidBy.PASS, 0, refusal=_refusal(pass_, charge, is_last_hour=is_last))
        balance, key = (user.credits, user.acting_key) if user else (0, None)
        refusal: Refusal | None = None
        if balance < charge.total:
            refusal = InsufficientCreditsError(required=charge.total, balance=balance)
        else:
            try:
                await key_budget.check(key, charge.total)
            except QuotaExceededError as exceeded:
                refusal = exceeded
        uses_grants = user is not None and user.has_grants
        return Funding(PaidBy.CREDITS, charge.each, refusal=refusal, key=key, uses_grants=uses_grants)

    async def reserve(
        self, user_id: str, charge: Charge, key: ActingKey | None = None
    ) -> tuple[AccountChange, Funding]:
        """Choose the source and use up the pass's allowance. Must be the first statement of a transaction.

        `key`: the API key that requests it, if any. Credits are not deducted here: the caller, who knows what they pay
        for, posts the lines in the same transaction.

        Raises:
            InsufficientCreditsError, MembershipRequiredError, QuotaExceededError, InvalidInputError: no source can pay.
            NotFoundError: the account was deleted.
        """
        account = await account_change.bump_version(user_id)
        user = await User.get(id=user_id)
        user.acting_key = key
        funding = await self.find(user, charge)
        funding.check()
        if funding.pass_ is None:
            return account, funding
        if not await passes.use(funding.pass_, charge.media, charge.count):
            raise _exhausted(funding.pass_, charge)  # the clock went back, into an hour that is used up
        return account.with_entitlements(), funding


async def _ends_for_good(user: User | None, pass_: ActivePass, media: MediaKind) -> bool:
    """Return whether this is the last hour of the pass, and no other one follows."""
    if user is None or pass_.of(media).resets_at < pass_.expires_at:
        return False
    return user.id not in await passes.following_of([user.id])


def _refusal(pass_: ActivePass | None, charge: Charge, *, is_last_hour: bool) -> Refusal:
    if pass_ is None:
        return MembershipRequiredError(text=message("Generating pictures requires a pass."))
    if (excluded := _exclusion(pass_, charge)) is not None:
        return excluded
    limit = pass_.of(charge.media).per_hour
    if charge.count > limit:  # waiting would not help
        return InvalidInputError(message("Your pass allows {limit} per hour.", limit=limit), field=("count",))
    if is_last_hour:  # waiting would not help, either
        remaining = pass_.of(charge.media).remaining
        text = message("Your pass has {remaining} left, and this is its last hour.", remaining=remaining)
        return MembershipRequiredError(text=text)
    return _exhausted(pass_, charge)


def _exclusion(pass_: ActivePass, charge: Charge) -> Refusal | None:
    """Return why the pass never pays for this; None: it does, as far as its allowance goes."""
    qualities = list(Quality)
    if pass_.quality is not None and qualities.index(charge.quality) > qualities.index(pass_.quality):
        text = message("Your pass pays for the quality {quality} at most.", quality=pass_.quality.value)
        return InvalidInputError(text, field=("quality",))
    if charge.included_seconds is not None:
        text = message("Your pass pays for videos of {seconds} seconds.", seconds=charge.included_seconds)
        return InvalidInputError(text, field=("durationSeconds",))
    if pass_.collections is not None and charge.collection not in pass_.collections:
        text = message(
            "Your pass does not pay for this collection. It pays for: {collections}.", collections=pass_.collections
        )
        return InvalidInputError(text, field=("styleId",))
    return None


def _exhausted(pass_: ActivePass, charge: Charge) -> QuotaExceededError:
    allowance = pass_.of(charge.media)
    text = message("Your pass has {remaining} left this hour.", remaining=allowance.remaining)
    return QuotaExceededError(text, allowance.resets_at)
