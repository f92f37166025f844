"""Quotes: what a request would cost, and what would pay for it; and all that an order depends on, read together."""

import functools
from dataclasses import dataclass

from models import Collection, Style, User
from models.database.connection import rows
from models.database.model_row import columns, from_row
from models.enum import MediaKind, PaidBy, Quality, ReferenceImage
from services.billing import passes
from services.billing.entitlement import Entitlement, Entitlements
from services.billing.funding import Charge, FundingService
from services.billing.passes import ActivePass
from services.catalogue.model_choice import Demand, ModelChoice
from services.catalogue.style import PROMPT_ONLY_STYLE, StyleService, is_locked, no_style, price
from services.core.error import InvalidInputError, MembershipRequiredError, Refusal, RefusalGroup
from services.generations.reuse.earlier_result import Reusable, ReuseService
from services.generations.specification import GenerationRequest, build_spec, check_request, included_seconds
from services.media.picture_check import PictureChecks
from services.media.quota import StorageUsage, usage_columns, usage_from
from services.products.model import Model
from services.products.profile import Limits

# $1: the account; its own custom styles and those of the catalogue can be used. $2: the style, or $2 and $3: collection
# and slug of one of the catalogue.
_TERMS = """
SELECT {columns}, {usage}, active_pass.* FROM styles JOIN collections ON collections.id = styles.collection_id
LEFT JOIN ({active_pass}) AS active_pass ON TRUE
WHERE styles.is_active AND collections.is_active AND {style} ORDER BY active_pass.started_at"""
_BY_ID = "styles.id = $2 AND (styles.owner_id IS NULL OR styles.owner_id = $1)"
_BY_SLUG = "collections.slug = $2 AND styles.slug = $3 AND styles.owner_id IS NULL"
_HAS_PHOTO = {ReferenceImage.REQUIRED: True, ReferenceImage.OPTIONAL: None, ReferenceImage.UNUSED: False}
_MAX_COUNT = 1000  # that are priced, in any product
_NO_USAGE = "0 AS used_bytes, 0 AS generations"


@dataclass(frozen=True)
class QuoteRequest:
    """The input of a quote. Without a style: a generation from the prompt alone.

    `order`: the whole request, to look for an earlier result of it.
    """

    style_id: str | None
    quality: Quality
    media: MediaKind
    count: int
    model: str | None
    aspect_ratio: str | None = None
    duration_seconds: int | None = None
    has_photo: bool | None = None  # None: as the style needs one
    refines: bool = False  # an earlier result, with the prompts that led to it
    order: GenerationRequest | None = None


@dataclass(frozen=True)
class Quote:
    """The cost of a request, in credits, and the model that would do it.

    `refusals`: why the request would be refused all the same, without what is missing to pay for it. `shortage`: that.
    """

    model: Model
    cost: int
    paid_by: PaidBy
    affordable: bool
    balance_after: int
    reusable: Reusable | None = None
    refusals: tuple[Refusal, ...] = ()
    shortage: Refusal | None = None


class QuoteService:
    """Quotes requests at current prices."""

    def __init__(
        self,
        styles: StyleService,
        models: ModelChoice,
        entitlements: Entitlements,
        funding: FundingService,
        pictures: PictureChecks,
        reuse: ReuseService,
        limits: Limits,
    ) -> None:
        self._styles = styles
        self._models = models
        self._entitlements = entitlements
        self._funding = funding
        self._pictures = pictures
        self._reuse = reuse
        self._limits = limits

    async def quote(self, viewer: User | None, request: QuoteRequest) -> Quote:
        """Return the cost of a request for this viewer; an anonymous viewer has no credits.

        Raises:
            InvalidInputError, NotFoundError: there is no price: of a style or a model that is not offered.
        """
        entitlement = await self._entitlements.of(viewer)
        style_id = request.style_id
        style = await self._styles.style(style_id, viewer) if style_id else await self._styles.prompt_only_style()
        refusals: list[Refusal] = [MembershipRequiredError(field=("styleId",))] if is_locked(style, viewer) else []
        has_photo = _HAS_PHOTO[style.reference_image] if request.has_photo is None else request.has_photo
        seconds = request.duration_seconds
        demand = Demand(
            request.media,
            request.quality,
            request.count,
            request.aspect_ratio,
            has_reference=True if request.refines else has_photo,
            refines=request.refines,
            seconds=seconds,
        )
        model, against = self._models.find(entitlement, request.model, demand)
        refusals += against
        if any(refusal.field == ("durationSeconds",) for refusal in against):
            seconds = None  # the default's price
        each, included = price(style, request.quality, model, seconds), included_seconds(model, seconds)
        count = min(max(request.count, 1), _MAX_COUNT)
        charge = Charge(request.media, count, each, request.quality, style.collection.slug, included)
        funding = await self._funding.find(viewer, charge)
        cost = funding.each * charge.count
        balance = viewer.credits if viewer else 0
        reusable = None
        if viewer is not None and request.order is not None and style.collection.reuse_share is not None:
            reusable = await self._find_reusable(viewer, entitlement, request.order, style)
        return Quote(
            model,
            cost,
            funding.paid_by,
            affordable=funding.refusal is None,
            balance_after=balance - cost,
            reusable=reusable,
            refusals=tuple(refusals),
            shortage=funding.refusal,
        )

    async def _find_reusable(
        self, viewer: User, entitlement: Entitlement, order: GenerationRequest, style: Style
    ) -> Reusable | None:
        try:
            model = self._models.choose(entitlement, order.model, order.demand)
            prompt = check_request(order, self._limits)
            spec = build_spec(viewer, entitlement, order, prompt, style, model)
        except (
            InvalidInputError,
            MembershipRequiredError,
            RefusalGroup,
        ):  # not complete yet, such as without its photo
            return None
        image = await self._pictures.photo(viewer.id, order.image, order.upload_id)
        return await self._reuse.quote(viewer, entitlement, spec, image.sha256 if image else None)


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
