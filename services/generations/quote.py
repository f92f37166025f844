"""Quotes: what a request would cost, and who would pay."""

from dataclasses import dataclass

from models import User
from models.enum import MediaKind, PaidBy, Quality
from services.billing.entitlement import Entitlements
from services.billing.funding import Charge, FundingService
from services.catalogue.style import StyleService, is_locked, price
from services.core.error import MembershipRequiredError


@dataclass(frozen=True)
class QuoteRequest:
    """What a price is asked for; without a style, for a bare prompt."""

    style_id: str | None
    quality: Quality
    media: MediaKind
    count: int
    model: str | None


@dataclass(frozen=True)
class Quote:
    """What a request would cost, in credits."""

    cost: int
    paid_by: PaidBy
    affordable: bool
    balance_after: int


class QuoteService:
    """Quotes prices: what a sale would do at this moment."""

    def __init__(self, styles: StyleService, entitlements: Entitlements, payers: FundingService) -> None:
        self._styles = styles
        self._entitlements = entitlements
        self._payers = payers

    async def quote(self, viewer: User | None, request: QuoteRequest) -> Quote:
        """What a request would cost this viewer; nobody signed in has no credits.

        Raises:
            InvalidInputError, NotFoundError, MembershipRequiredError: as the request itself would be refused, except
            for want of credits, of a pass or of room in it.
        """
        entitlement = await self._entitlements.of(viewer)
        self._styles.check_request(entitlement, request.media, request.count, request.model)
        style_id = request.style_id
        style = await self._styles.style(style_id, viewer) if style_id else await self._styles.prompt_only_style()
        if is_locked(style, viewer):
            raise MembershipRequiredError(field=("styleId",))
        bill = Charge(request.media, request.count, price(style, request.quality))
        payment = await self._payers.find(viewer, bill)
        cost = payment.each * bill.count
        balance = viewer.credits if viewer else 0
        return Quote(cost, payment.paid_by, affordable=payment.refusal is None, balance_after=balance - cost)
