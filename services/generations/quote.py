"""Quotes: what a request would cost, and what would pay for it; and all that an order depends on, read together."""

import functools
from dataclasses import dataclass

from models import Collection, Style, User
from models.database.connection import rows
from models.database.model_row import columns, from_row
from models.enum import MediaKind, PaidBy, Quality
from services.billing import passes
from services.billing.entitlement import Entitlements
from services.billing.funding import Charge, FundingService
from services.billing.passes import ActivePass
from services.catalogue.style import PROMPT_ONLY_STYLE, StyleService, is_locked, no_style, price
from services.core.error import MembershipRequiredError
from services.media.quota import StorageUsage, usage_columns, usage_from

# $1: the account; its own custom styles and those of the catalogue can be used. $2: the style, or $2 and $3: collection
# and slug of one of the catalogue.
_TERMS = """
SELECT {columns}, {usage}, active_pass.* FROM styles JOIN collections ON collections.id = styles.collection_id
LEFT JOIN ({active_pass}) AS active_pass ON TRUE
WHERE styles.is_active AND collections.is_active AND {style} ORDER BY active_pass.started_at"""
_BY_ID = "styles.id = $2 AND (styles.owner_id IS NULL OR styles.owner_id = $1)"
_BY_SLUG = "collections.slug = $2 AND styles.slug = $3 AND styles.owner_id IS NULL"
_NO_USAGE = "0 AS used_bytes, 0 AS generations"


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


@dataclass(frozen=True)
class Terms:
    """What an order depends on besides the account's row: the style with its collection, its price among others."""

    style: Style
    active_pass: ActivePass | None
    usage: StorageUsage  # zeros if it was not to be read


async def read_terms(user: User, style_id: str | None, *, with_usage: bool) -> Terms:
    """Read the terms of an order in one statement. Without a style: a generation from the prompt alone.

    Raises:
        NotFoundError: the style does not exist, is no longer active, or belongs to another user.
        InvalidInputError: there is none, and the profile offers no generations from the prompt alone.
    """
    statement = _terms_sql(by_id=bool(style_id), with_usage=with_usage)
    found = await rows(statement, user.id, *([style_id] if style_id else PROMPT_ONLY_STYLE))
    if not found:
        raise no_style(style_id)
    row = found[-1]  # the pass that began last, if there are several
    style = from_row(Style, row, "style.")
    style.collection = from_row(Collection, row, "collection.")
    active_pass = passes.active_from(row) if row["expires_at"] is not None else None
    return Terms(style, active_pass, usage_from(row))


@functools.cache
def _terms_sql(*, by_id: bool, with_usage: bool) -> str:
    return _TERMS.format(
        columns=f"{columns(Style, 'styles', 'style.')}, {columns(Collection, 'collections', 'collection.')}",
        usage=usage_columns("$1") if with_usage else _NO_USAGE,
        active_pass=passes.active_sql("$1"),
        style=_BY_ID if by_id else _BY_SLUG,
    )
