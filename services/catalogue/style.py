"""The catalogue's collections and styles, their prices, and seeding from the profile."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from tortoise.queryset import QuerySet

from models import Collection, Style, User
from models.catalogue_row import (
    CATALOGUE,
    CATALOGUE_PARTS,
    AnyCollection,
    AnyStyle,
    CatalogueRow,
    CollectionColumns,
    StyleColumns,
    catalogue_columns,
)
from models.database.connection import run_tx
from models.database.fixed_sql import Select, places_of
from models.enum import MediaKind, Quality, Size
from services.billing.entitlement import is_member
from services.core.error import InvalidInputError, NotFoundError, Refusal
from services.core.message import message
from services.core.pagination import Page, PageRequest, paginate, replica_page
from services.core.text import clean_text, is_slug, nfc, slug_or_empty
from services.products.collection import ProfileCollection, ProfileStyle
from services.products.model import Model
from services.products.profile import Profile
from services.products.prompt import StylePrompt, StyleVariable

PROMPT_ONLY_STYLE = ("sandbox", "free")  # collection and slug; used for a prompt without a style
_STYLES_PER_COLLECTION = 1000  # positions are unique across the catalogue, so that it has one order
FIRST_ADDED_POSITION = 1_000_000_000  # of styles that admins added; above every position of a profile
_MAX_SEARCH_LENGTH = 100  # characters
_CATEGORY_MARK = "\t"  # begins the lines of categories in `search_text`; no text and no search contains it
# The text for {size} in a custom style whose collection defines none.
_DEFAULT_SIZES = {Size.SMALL: "small", Size.MEDIUM: "medium-sized", Size.LARGE: "large"}

_COLLECTIONS = (
    'SELECT {} FROM "collections" "collection" WHERE "collection"."is_active"'
    ' ORDER BY "collection"."position", "collection"."id"'
)
_STYLES = (
    'SELECT {} FROM "styles" "style" JOIN "collections" "collection" ON "collection"."id" = "style"."collection_id"'
    ' WHERE "style"."collection_id" IN ({}) AND "style"."is_active" AND "collection"."is_active"'
    ' AND "style"."owner_id" IS NULL ORDER BY "style"."position", "style"."id"'
)


@lru_cache(maxsize=256)
def _select(sql: str, values: int) -> Select[CatalogueRow]:
    return Select(CATALOGUE, sql, ("varchar",) * values, CATALOGUE_PARTS)


@dataclass(frozen=True)
class StyleFilter:
    """Conditions for a list of styles. `collection` is a slug, `category` a name in any language."""

    collection: str | None = None
    category: str | None = None
    members_only: bool | None = None
    search: str | None = None


def cost_of(style: AnyStyle) -> int:
    """Return the credits for one STANDARD image."""
    return style.collection.base_cost if style.cost is None else style.cost


def price(style: Style, quality: Quality, model: Model, seconds: int | None = None) -> int:
    """Return the credits for one image or video of a model, rounded up once. `seconds`: of a video, if ordered.

    Raises:
        InvalidInputError: the collection does not offer this quality, with those that it does; or no videos.
    """
    cost, multipliers = _prices(style, model)
    if quality.value not in multipliers:
        text = message("This quality is not offered here. Offered: {qualities}.", qualities=tuple(multipliers))
        raise InvalidInputError(text, field=("quality",))
    # Decimal: 100 * 1.1 in binary floats is a little more than 110, and would round up to 111.
    factors = (multipliers[quality.value], model.price_factor, model.duration_factor(seconds))
    return math.ceil(math.prod([Decimal(str(factor)) for factor in factors], start=Decimal(cost)))


def _prices(style: Style, model: Model) -> tuple[int, Mapping[str, float]]:
    """Return the credits for one STANDARD image or video, and the multipliers of the qualities that are offered."""
    if model.medium is MediaKind.IMAGE:
        return cost_of(style), style.collection.qualities
    if style.collection.video is None:
        raise InvalidInputError(message("No videos are made in this style."), field=("media",))
    return style.collection.video["base_cost"], style.collection.video["qualities"]


def lower_prices(style: Style, quality: Quality, model: Model, seconds: int | None = None) -> dict[str, int]:
    """Return what each quality below the ordered one would cost, none of them more than that.

    One that the collection does not offer costs what the next lower one does.
    """
    ordered, prices, last = price(style, quality, model, seconds), {}, 0
    for lower in list(Quality)[: list(Quality).index(quality)]:
        if lower.value in _prices(style, model)[1]:
            last = min(price(style, lower, model, seconds), ordered)
        prices[lower.value] = last
    return prices


def reuse_price(style: Style, cost: int) -> int | None:
    """Return the credits for an earlier result of a request that costs so much, rounded up; None: not offered."""
    share = style.collection.reuse_share
    return None if share is None else math.ceil(cost * Decimal(str(share)))


def is_locked(style: AnyStyle, viewer: User | None) -> bool:
    """Whether this viewer may not use the style."""
    return style.members_only and not is_member(viewer)


def is_own(style: AnyStyle, viewer: User | None) -> bool:
    """Whether the style is a custom style of this viewer."""
    return viewer is not None and style.owner_id == viewer.id


def prompt_of(style: Style) -> StylePrompt:
    """Return the templates and variables from which a style's prompts are rendered."""
    is_custom = style.owner_id is not None
    return StylePrompt(
        prompt=style.prompt,
        prompt_without_photo=style.prompt_without_photo,
        variables=variables_of(style),
        sizes=style.collection.sizes or (_DEFAULT_SIZES if is_custom else {}),
        is_own=is_custom,
    )


def video_prompt(style: Style, prompt: str) -> str:
    """Return the prompt of a video from that of a picture."""
    suffix = (style.collection.video or {}).get("prompt")
    return f"{prompt} {suffix}" if suffix else prompt


def search_text(
    title: Mapping[str, str], description: Mapping[str, str], category: Mapping[str, str] | None, *more: str
) -> str:
    """Return the text that a search among styles matches, case-folded; never the prompt, which is confidential."""
    categories = (category or {}).values()
    lines = [_folded(text) for text in (*title.values(), *description.values(), *categories, *more)]
    # Once more, marked, so that a whole category differs from a title. Servers of the release before read the first.
    return "\n".join(["", *lines, *(_CATEGORY_MARK + _folded(text) for text in categories), ""])


def _folded(text: str) -> str:
    """Return a text as `search_text` has it: in NFC, on one line, case-folded."""
    return " ".join(nfc(text).split()).casefold()


def variables_of(style: AnyStyle) -> tuple[StyleVariable, ...]:
    """Return the variables that a user may set."""
    return tuple(StyleVariable.model_validate(variable) for variable in style.variables)


def uses_size(style: AnyStyle) -> bool:
    """Whether the size of a request changes the prompt."""
    return StylePrompt(prompt=style.prompt, prompt_without_photo=style.prompt_without_photo).uses_size


def no_style(style_id: str | None) -> Refusal:
    """Return the refusal of a request whose style does not exist. None: it named none, and the profile needs one."""
    if style_id is None:
        return InvalidInputError(message("Please choose a style."), field=("styleId",))
    return NotFoundError(field=("styleId",))


class StyleKey(NamedTuple):
    """A cursor of the catalogue. The database does not keep positions unique."""

    position: int
    id: str


class StyleService:
    """Reads the catalogue and seeds it from the profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    async def collections(self, wanted: frozenset[str] | None = None) -> Sequence[AnyCollection]:
        """Return all active collections, in order of position, with the `wanted` columns; see models.catalogue_row."""
        found = await _select(_COLLECTIONS.format(catalogue_columns(wanted, of_styles=False)), 0).fetch(())
        return [CollectionColumns(row) for row in found]

    async def styles_of(
        self, collection_ids: list[str], wanted: frozenset[str] | None = None
    ) -> Mapping[str, Sequence[AnyStyle]]:
        """Return the catalogue's styles of several collections, in order of position, with the `wanted` columns."""
        places, values = places_of(sorted(set(collection_ids)))
        sql = _STYLES.format(catalogue_columns(wanted, of_styles=True), places)
        by_collection: dict[str, list[StyleColumns]] = {collection_id: [] for collection_id in collection_ids}
        for row in await _select(sql, len(values)).fetch(tuple(values)):
            by_collection[row["collection.id"]].append(StyleColumns(row))
        return by_collection

    async def styles(self, request: PageRequest[StyleKey], wanted: StyleFilter) -> Page[Style, StyleKey]:
        """Return a page of the catalogue; every word of `search` must occur in a title, description or category."""
        query = self._matching(self._active(), wanted)
        return await replica_page(lambda: paginate(query, request, key=StyleKey._fields, descending=False))

    async def custom_styles(
        self, viewer: User | None, request: PageRequest[str], wanted: StyleFilter
    ) -> Page[Style, str]:
        """Return a page of the viewer's custom styles, newest first; empty without a viewer."""
        own = self._usable().filter(owner_id=viewer.id if viewer else "")
        return await paginate(self._matching(own, wanted), request, key="id", descending=True)

    @staticmethod
    def _matching(query: QuerySet[Style], wanted: StyleFilter) -> QuerySet[Style]:
        category = clean_text(wanted.category, _MAX_SEARCH_LENGTH, field=("filter", "category")) or ""
        search = clean_text(wanted.search, _MAX_SEARCH_LENGTH, field=("filter", "search")) or ""
        if wanted.collection is not None:
            query = query.filter(collection__slug=slug_or_empty(wanted.collection))
        if wanted.members_only is not None:
            query = query.filter(members_only=wanted.members_only)
        if wanted.category is not None:
            query = query.filter(search_text__contains=f"\n{_CATEGORY_MARK}{_folded(category)}\n")
        for word in search.split():
            query = query.filter(search_text__contains=word.casefold())
        return query

    async def by_slug(self, slug: str, collection: str | None) -> Style | None:
        """Return a style of the catalogue by slug; without a collection, the first one with that slug."""
        if not is_slug(slug) or not is_slug(collection or slug):
            return None
        query = self._active().filter(slug=slug)
        if collection is not None:
            query = query.filter(collection__slug=collection)
        return await query.order_by("position", "id").first()

    async def by_ids(self, style_ids: list[str], viewer: User | None) -> dict[str, Style]:
        """Return the given styles that are in the catalogue or belong to the viewer."""
        found = await self._usable().filter(id__in=style_ids)
        return {style.id: style for style in found if style.owner_id is None or is_own(style, viewer)}

    async def collections_by_ids(self, collection_ids: list[str]) -> dict[str, Collection]:
        """Return the given collections that are active."""
        return {found.id: found for found in await Collection.filter(id__in=collection_ids, is_active=True)}

    async def style(self, style_id: str, viewer: User | None = None) -> Style:
        """Return a style of the catalogue or a custom style of the viewer.

        Raises:
            NotFoundError: it does not exist, is no longer active, or belongs to another user.
        """
        found = await self._usable().get_or_none(id=style_id)
        if found is None or not (found.owner_id is None or is_own(found, viewer)):
            raise no_style(style_id)
        return found

    async def prompt_only_style(self) -> Style:
        """Return the style for a prompt without a style. Raises InvalidInputError if the profile does not offer it."""
        collection, slug = PROMPT_ONLY_STYLE
        found = await self.by_slug(slug, collection)
        if found is None:
            raise no_style(None)
        return found

    def _active(self) -> QuerySet[Style]:
        """Return the query of the catalogue's styles."""
        return self._usable().filter(owner_id__isnull=True)

    @staticmethod
    def _usable() -> QuerySet[Style]:
        """Return the query of the catalogue's styles and all custom styles."""
        return Style.filter(is_active=True, collection__is_active=True).select_related("collection")

    async def seed(self) -> int:
        """Synchronize the catalogue with the profile and return the number of styles in it.

        What left the profile becomes inactive; its row stays for the generations that were made with it. Custom styles
        and rows that admins added or edited are left unchanged.
        """
        return await run_tx(self._seed)

    async def _seed(self) -> int:
        collection_ids, style_ids = [], []
        for number, entry in enumerate(self._profile.collections, 1):
            collection = await Collection.get_or_none(slug=entry.slug, edited=True)
            if collection is None:
                collection, _ = await Collection.update_or_create(_collection_row(entry, number), slug=entry.slug)
            collection_ids.append(collection.id)
            for position, style in enumerate(entry.styles, number * _STYLES_PER_COLLECTION):
                row = await Style.get_or_none(slug=style.slug, collection_id=collection.id, edited=True)
                if row is None:
                    row, _ = await Style.update_or_create(
                        _style_row(entry, style, position), slug=style.slug, collection_id=collection.id
                    )
                style_ids.append(row.id)
        await Collection.filter(id__not_in=collection_ids, edited=False).update(is_active=False)
        seeded = Style.filter(owner_id__isnull=True, position__lt=FIRST_ADDED_POSITION, edited=False)
        await seeded.filter(id__not_in=style_ids).update(is_active=False)
        return len(style_ids)


def _collection_row(entry: ProfileCollection, position: int) -> dict[str, Any]:
    return {
        "title": entry.title,
        "description": entry.description,
        "base_cost": entry.base_cost,
        "refund_policy": entry.refund_policy,
        "qualities": {quality.value: multiplier for quality, multiplier in entry.qualities.items()},
        "reuse_share": entry.reuse_share,
        "video": entry.video.model_dump(mode="json") if entry.video else None,
        "sizes": {size.value: text for size, text in entry.sizes.items()},
        "position": position,
        "is_active": True,
    }


def _style_row(collection: ProfileCollection, entry: ProfileStyle, position: int) -> dict[str, Any]:
    return {
        "title": entry.title,
        "description": entry.description,
        "category": entry.category,
        "search_text": search_text(entry.title, entry.description, entry.category, entry.slug),
        "members_only": entry.members_only,
        "cost": entry.cost,
        "reference_image": entry.reference_image,
        "prompt": entry.prompt,
        "prompt_without_photo": entry.prompt_without_photo,
        "variables": [variable.model_dump() for variable in collection.prompt_of(entry).variables],
        "position": position,
        "is_active": True,
    }
