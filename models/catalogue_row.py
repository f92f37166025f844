"""Rows of collections and styles as lists and generations show them, with the columns that the caller wants."""

from functools import lru_cache
from typing import Any, TypeAlias

from models.catalogue import Collection, Localised, Style
from models.database.fixed_sql import Part, Row, RowKind, columns
from models.enum import ReferenceImage, RefundPolicy


class CollectionColumns(Part, model=Collection, prefix="collection"):
    """The collection of a row's style."""

    id: str
    slug: str
    title: Localised
    description: Localised
    base_cost: int
    refund_policy: RefundPolicy
    qualities: dict[str, float]
    reuse_share: float | None
    video: dict[str, Any] | None

    @property
    def row(self) -> "CollectionColumns":
        """Itself: what the type of the API calls its row."""
        return self


class StyleColumns(Part, model=Style, prefix="style"):
    """The style of a row, with its collection."""

    id: str
    owner_id: str | None
    slug: str
    title: Localised
    description: Localised
    category: Localised | None
    members_only: bool
    cost: int | None
    reference_image: ReferenceImage
    prompt: str
    prompt_without_photo: str | None
    variables: list[dict[str, Any]]
    picture_id: str | None
    picture_folder_id: str | None
    is_active: bool

    @property
    def row(self) -> "StyleColumns":
        """Itself: what the type of the API calls its row."""
        return self

    @property
    def collection(self) -> CollectionColumns:
        """The product line that it belongs to."""
        return CollectionColumns(self._row)


class CatalogueRow(Row, model=Style):
    """A row whose columns are those of a collection, or of a style with its collection."""


AnyStyle: TypeAlias = Style | StyleColumns
AnyCollection: TypeAlias = Collection | CollectionColumns

CATALOGUE = RowKind(CatalogueRow)
CATALOGUE_PARTS = (("style", Style), ("collection", Collection))

STYLE_NAMES = frozenset(
    [f"style.{name}" for name in StyleColumns.attributes]
    + [f"collection.{name}" for name in CollectionColumns.attributes]
)
_STYLE_ALWAYS = ("id", "is_active")


def style_columns(wanted: frozenset[str] | None) -> str:
    """Return the select list of styles and their collections, from the tables "style" and "collection".

    `wanted`: `style.title`, `collection.title`; None: all. More may be read than is wanted.
    """
    names = _chosen(StyleColumns.attributes, _STYLE_ALWAYS, "style.", wanted)
    collection = _collection_columns(wanted)
    return columns(Style, '"style"', names, "style.") + (f", {collection}" if collection else "")


@lru_cache(maxsize=64)
def catalogue_columns(wanted: frozenset[str] | None, *, of_styles: bool) -> str:
    """Return the select list of collections, or of styles with their collections; as `style_columns`."""
    needed = None if wanted is None else wanted | {"collection.id"}
    return style_columns(needed) if of_styles else _collection_columns(needed)


def _collection_columns(wanted: frozenset[str] | None) -> str:
    names = _chosen(CollectionColumns.attributes, (), "collection.", wanted)
    return columns(Collection, '"collection"', names, "collection.")


def _chosen(names: tuple[str, ...], always: tuple[str, ...], prefix: str, wanted: frozenset[str] | None) -> list[str]:
    return [name for name in names if wanted is None or name in always or prefix + name in wanted]
