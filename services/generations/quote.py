"""Quotes: what a request would cost, and what would pay for it."""

from dataclasses import dataclass

from models import User
from models.enum import MediaKind, PaidBy, Quality
from services.billing.entitlement import Entitlements
from services.billing.funding import Charge, FundingService
from services.catalogue.style import StyleService, is_locked, price
from services.core.error import MembershipRequiredError


@dataclass(frozen=True)
class QuoteRequest:
    """The input of a quote. Without a style: a generation from the prompt alone."""

    style_id: str | None
    quality: Quality
    media: MediaKind
    count: int
    model: str | None


@dataclass(frozen=True)
class Quote:
    """The cost of a request, in credits."""

    cost: int
    paid_by: PaidBy
    affordable: bool
    balance_after: int


class QuoteService:
    """Quotes requests at current prices."""

    def __init__(self, styles: StyleService, entitlements: Entitlements, funding: FundingService) -> None:
        self._styles = styles
        self._entitlements = entitlements
        self._funding = funding

    async def quote(self, viewer: User | None, request: QuoteRequest) -> Quote:
        """Return the cost of a request for this viewer; an anonymous viewer has no credits.

        Raises:
            InvalidInputError, NotFoundError, MembershipRequiredError: as the request itself, except when only credits,
            a pass or its allowance is missing.
        """
        entitlement = await self._entitlements.of(viewer)
        self._styles.check_request(entitlement, request.media, request.count, request.model)
        style_id = request.style_id
        style = await self._styles.style(style_id, viewer) if style_id else await self._styles.prompt_only_style()
        if is_locked(style, viewer):
            raise MembershipRequiredError(field=("styleId",))
        charge = Charge(request.media, request.count, price(style, request.quality))
        funding = await self._funding.find(viewer, charge)
        cost = funding.each * charge.count
        balance = viewer.credits if viewer else 0
        return Quote(cost, funding.paid_by, affordable=funding.refusal is None, balance_after=balance - cost)
