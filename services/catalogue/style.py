"""The catalogue: collections and styles as the profile describes them, and what a style costs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tortoise.queryset import QuerySet

from models import Collection, Style, User
from models.database.connection import run_tx
from models.enum import MediaKind, Quality, Size
from services.billing.entitlement import Entitlement, is_member
from services.core.error import InvalidInputError, NotFoundError
from services.core.message import message
from services.core.pagination import Page, PageRequest, paginate
from services.core.text import clean_text, is_slug, slug_or_empty
from services.products.collection import ProfileCollection, ProfileStyle
from services.products.profile import Profile
from services.products.prompt import StylePrompt, StyleVariable

PROMPT_ONLY_STYLE = ("sandbox", "free")  # what a bare prompt is made and priced with
_STYLES_PER_COLLECTION = 1000  # positions are numbered through the whole catalogue, so that it has one order
FIRST_ADDED_POSITION = 1_000_000_000  # of the catalogue's styles that admins added; no profile counts so far
_LONGEST_SEARCH = 100  # characters
# What {size} says in an own style, where its collection has no sentences for it.
_PLAIN_SIZES = {Size.SMALL: "small", Size.MEDIUM: "medium-sized", Size.LARGE: "large"}


@dataclass(frozen=True)
class StyleFilter:
    """Which styles to show. `collection` is a slug, `category` a name in any language."""

    collection: str | None = None
    category: str | None = None
    members_only: bool | None = None
    search: str | None = None


def cost_of(style: Style) -> int:
    """Credits for one STANDARD image."""
    return style.collection.base_cost if style.cost is None else style.cost


def price(style: Style, quality: Quality) -> int:
    """Credits for one image; rounded up once.

    Raises:
        InvalidInputError: the collection does not sell this quality.
    """
    multiplier = style.collection.qualities.get(quality.value)
    if multiplier is None:
        raise InvalidInputError(message("This quality is not offered here."), field=("quality",))
    # Decimal: 100 * 1.1 in binary floats is a little more than 110, and would round up to 111.
    return math.ceil(cost_of(style) * Decimal(str(multiplier)))


def is_locked(style: Style, viewer: User | None) -> bool:
    """Whether this viewer may not use the style."""
    return style.members_only and not is_member(viewer)


def is_own(style: Style, viewer: User | None) -> bool:
    """Whether this viewer made the style for themselves."""
    return viewer is not None and style.owner_id == viewer.id


def prompt_of(style: Style) -> StylePrompt:
    """What a style's prompts are rendered from."""
    is_own_words = style.owner_id is not None
    return StylePrompt(
        prompt=style.prompt,
        prompt_without_photo=style.prompt_without_photo,
        variables=variables_of(style),
        sizes=style.collection.sizes or (_PLAIN_SIZES if is_own_words else {}),
        is_own=is_own_words,
    )


def search_text(
    title: Mapping[str, str], description: Mapping[str, str], category: Mapping[str, str] | None, *more: str
) -> str:
    """What a search among styles looks through, case-folded; never the prompt, which is not everybody's to know."""
    texts = [*title.values(), *description.values(), *(category or {}).values(), *more]
    # Every text is a line of its own, so that a whole category can be told from a word in a description.
    return "\n".join(["", *(" ".join(text.split()) for text in texts), ""]).casefold()


def variables_of(style: Style) -> tuple[StyleVariable, ...]:
    """What a person may fill in."""
    return tuple(StyleVariable.model_validate(variable) for variable in style.variables)


class StyleService:
    """Reads the catalogue and fills it from the profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    async def collections(self) -> list[Collection]:
        """All collections, in the profile's order."""
        return await Collection.filter(is_active=True).order_by("position")

    async def styles_of(self, collection_ids: list[str]) -> dict[str, list[Style]]:
        """The styles of several collections at once, in order."""
        found = self._active().filter(collection_id__in=collection_ids).order_by("position")
        by_collection: dict[str, list[Style]] = {collection_id: [] for collection_id in collection_ids}
        for style in await found:
            by_collection[style.collection_id].append(style)
        return by_collection

    async def styles(self, request: PageRequest[int], wanted: StyleFilter) -> Page[Style, int]:
        """The catalogue, filtered; every word of `search` must occur in a title, description or category."""
        return await paginate(self._matching(self._active(), wanted), request, key="position", descending=False)

    async def own_styles(self, viewer: User | None, request: PageRequest[str], wanted: StyleFilter) -> Page[Style, str]:
        """The viewer's own styles, newest first, filtered like the catalogue; nobody signed in has none."""
        own = self._usable().filter(owner_id=viewer.id if viewer else "")
        return await paginate(self._matching(own, wanted), request, key="id", descending=True)

    @staticmethod
    def _matching(query: QuerySet[Style], wanted: StyleFilter) -> QuerySet[Style]:
        category = clean_text(wanted.category, _LONGEST_SEARCH, field=("filter", "category")) or ""
        search = clean_text(wanted.search, _LONGEST_SEARCH, field=("filter", "search")) or ""
        if wanted.collection is not None:
            query = query.filter(collection__slug=slug_or_empty(wanted.collection))
        if wanted.members_only is not None:
            query = query.filter(members_only=wanted.members_only)
        if wanted.category is not None:
            query = query.filter(search_text__contains=f"\n{category.casefold()}\n")
        for word in search.split():
            query = query.filter(search_text__contains=word.casefold())
        return query

    async def by_slug(self, slug: str, collection: str | None) -> Style | None:
        """A style by its address; without a collection, the first of that slug in the catalogue."""
        if not is_slug(slug) or not is_slug(collection or slug):
            return None
        query = self._active().filter(slug=slug)
        if collection is not None:
            query = query.filter(collection__slug=collection)
        return await query.order_by("position").first()

    async def by_ids(self, style_ids: list[str], viewer: User | None) -> dict[str, Style]:
        """Those of these styles that are in the catalogue, or the viewer's own."""
        found = await self._usable().filter(id__in=style_ids)
        return {style.id: style for style in found if style.owner_id is None or is_own(style, viewer)}

    async def collections_by_ids(self, collection_ids: list[str]) -> dict[str, Collection]:
        """Those of these collections that are in the catalogue."""
        return {found.id: found for found in await Collection.filter(id__in=collection_ids, is_active=True)}

    async def style(self, style_id: str, viewer: User | None = None) -> Style:
        """A style by id: one of the catalogue, or the viewer's own.

        Raises:
            NotFoundError: there is none, it has left the catalogue, was deleted, or is somebody else's own.
        """
        found = await self._usable().get_or_none(id=style_id)
        if found is None or not (found.owner_id is None or is_own(found, viewer)):
            raise NotFoundError(field=("styleId",))
        return found

    async def prompt_only_style(self) -> Style:
        """The style of a bare prompt. Raises InvalidInputError where the profile sells none: a style must be named."""
        collection, slug = PROMPT_ONLY_STYLE
        found = await self.by_slug(slug, collection)
        if found is None:
            raise InvalidInputError(message("Please choose a style."), field=("styleId",))
        return found

    def _active(self) -> QuerySet[Style]:
        """The catalogue."""
        return self._usable().filter(owner_id__isnull=True)

    @staticmethod
    def _usable() -> QuerySet[Style]:
        """The catalogue, and everybody's own styles."""
        return Style.filter(is_active=True, collection__is_active=True).select_related("collection")

    def check_request(self, entitlement: Entitlement, media: MediaKind, count: int, model: str | None) -> None:
        """Refuse what this product does not sell, or not to this account.

        Raises:
            InvalidInputError: with the field that asks for it.
        """
        if media is not MediaKind.IMAGE:
            raise InvalidInputError(message("Only images can be made here."), field=("media",))
        limit = entitlement.max_batch
        if not 1 <= count <= limit:
            text = message("Ask for 1 to {limit} pictures at a time.", limit=limit)
            text = text if limit > 1 else message("Ask for one picture at a time.")
            raise InvalidInputError(text, field=("count",))
        if model is not None and model not in self._profile.models:
            raise InvalidInputError(message("This model is not offered here."), field=("model",))

    async def seed(self) -> int:
        """Bring the catalogue in step with the profile and say how many styles it has.

        What left the profile leaves the catalogue, but stays for the generations that were made with it. Own styles,
        and what admins added or changed, are none of the profile's business.
        """
        return await run_tx(self._seed)

    async def _seed(self) -> int:
        kept_collections, kept_styles = [], []
        for number, entry in enumerate(self._profile.collections, 1):
            collection = await Collection.get_or_none(slug=entry.slug, edited=True)
            if collection is None:
                collection, _ = await Collection.update_or_create(_collection_row(entry, number), slug=entry.slug)
            kept_collections.append(collection.id)
            for position, style in enumerate(entry.styles, number * _STYLES_PER_COLLECTION):
                row = await Style.get_or_none(slug=style.slug, collection_id=collection.id, edited=True)
                if row is None:
                    row, _ = await Style.update_or_create(
                        _style_row(entry, style, position), slug=style.slug, collection_id=collection.id
                    )
                kept_styles.append(row.id)
        await Collection.filter(id__not_in=kept_collections, edited=False).update(is_active=False)
        seeded = Style.filter(owner_id__isnull=True, position__lt=FIRST_ADDED_POSITION, edited=False)
        await seeded.filter(id__not_in=kept_styles).update(is_active=False)
        return len(kept_styles)


def _collection_row(entry: ProfileCollection, position: int) -> dict[str, Any]:
    return {
        "title": entry.title,
        "description": entry.description,
        "base_cost": entry.base_cost,
        "refund_policy": entry.refund_policy,
        "qualities": {quality.value: multiplier for quality, multiplier in entry.qualities.items()},
        "sizes": {size.value: sentence for size, sentence in entry.sizes.items()},
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
