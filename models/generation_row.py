"""Rows of generations as lists and single reads show them, with the columns and joins that the caller wants."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

from models.catalogue import Collection, Localised, Style
from models.catalogue_row import STYLE_NAMES, StyleColumns, style_columns
from models.database.fixed_sql import Row, RowKind, WholePart, columns, fetch, places_of
from models.enum import (
    FINAL,
    ErrorCode,
    FileKind,
    GenerationStage,
    GenerationStatus,
    MediaKind,
    PaidBy,
    Quality,
    Size,
)
from models.generations import Generation
from models.media import File, StoredFile, file_key


class FileColumns(StoredFile, WholePart, model=File):
    """A file in the columns of a generation's row."""

    __slots__ = ()
    id: str
    owner_id: str
    kind: FileKind
    folder_id: str | None
    content_type: str
    byte_size: int
    width: int
    height: int
    thumbnail_widths: list[int]
    placeholder: str
    duration: float | None
    poster_bytes: int
    shared = None  # what the type of the API has for the picture of a share

    @property
    def key(self) -> str:
        """The storage key, from the columns as they are stored."""
        return file_key(self[2], self[3] or self[1], self[0])

    @property
    def row(self) -> "FileColumns":
        """Itself: what the type of the API calls its row."""
        return self

    @property
    def generation(self) -> "GenerationRow":
        """The generation whose original or result it is."""
        found: GenerationRow = self[-1]
        return found


class GenerationRow(Row, model=Generation):
    """A generation as the API shows it: the attributes of the model that it needs."""

    id: str
    user_id: str
    batch_id: str
    media: MediaKind
    status: GenerationStatus
    stage: GenerationStage
    progress: float
    preview: str | None
    is_loading: bool
    version: int
    requested_model: str | None
    style_slug: str
    style_title: Localised
    prompt: str | None
    enhanced_prompt: str | None
    variables: dict[str, str]
    size: Size
    quality: Quality
    aspect_ratio: str | None
    duration_seconds: int | None
    parent_id: str | None
    reused_id: str | None
    cost: int
    paid_by: PaidBy
    refunded: bool
    delivered_quality: Quality | None
    size_refund: int
    attempts: int
    provider: str | None
    model: str | None
    provider_cost: float | None
    provider_request_id: str | None
    provider_path: list[dict[str, Any]] | None
    error_code: ErrorCode | None
    is_favorite: bool
    share_slug: str | None
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @property
    def row(self) -> "GenerationRow":
        """Itself: what the type of the API calls its row."""
        return self

    @property
    def preview_url(self) -> str | None:
        """The preview, as the API calls it."""
        return self.preview

    original = property(FileColumns.reader("original"), doc="The reference image; None: none.")
    result = property(FileColumns.reader("result"), doc="The picture; None: not yet, or none.")

    @property
    def style(self) -> StyleColumns | None:
        """The style; None: requested without one, or it was deleted."""
        return StyleColumns(self) if self["style.id"] is not None else None


_FINAL = frozenset(status.value for status in FINAL)
_STORED_STATUS = itemgetter("status")  # the column's text, which no enum is looked up for


AnyGeneration: TypeAlias = Generation | GenerationRow


def all_final(rows: Sequence[AnyGeneration]) -> bool:
    """Return whether no status can change any more. `rows`: those of one list, which are all of one kind."""
    is_stored = bool(rows) and isinstance(rows[0], GenerationRow)
    status_of: Callable[[Any], str] = _STORED_STATUS if is_stored else attrgetter("status")
    return _FINAL.issuperset(map(status_of, rows))


GENERATIONS = RowKind(GenerationRow)
PARTS = (("original", File), ("result", File), ("style", Style), ("collection", Collection))


@dataclass(frozen=True, eq=False)
class Selection:
    """What a statement reads of each generation: its select list, and the joins that this needs. Known by identity."""

    columns: str
    joins: str


_ALWAYS = ("id", "status")  # for cursors, and whether an answer may be kept
_JOINS = {
    "original": ' LEFT JOIN "files" "original" ON "original"."id" = "generations"."original_id"',
    "result": ' LEFT JOIN "files" "result" ON "result"."id" = "generations"."result_id"',
    "style": (
        ' LEFT JOIN "styles" "style" ON "style"."id" = "generations"."style_id"'
        ' LEFT JOIN "collections" "collection" ON "collection"."id" = "style"."collection_id"'
    ),
}

_KNOWN = frozenset(GenerationRow.attributes) | frozenset(_JOINS) | STYLE_NAMES


@lru_cache(maxsize=256)
def selection(wanted: frozenset[str] | None) -> Selection:
    """Return what to read where these attributes are wanted: of GenerationRow, and `style.title`, `collection.title`.

    None: all. More may be read than is wanted; an unknown name is ignored.
    """
    return _select(None if wanted is None else wanted & _KNOWN)


# Clients can make any number of them, so only those used last are kept, here and by the connections, which prepare
# every text of a statement.
@lru_cache(maxsize=64)
def _select(wanted: frozenset[str] | None) -> Selection:
    names = [name for name in GenerationRow.attributes if wanted is None or name in _ALWAYS or name in wanted]
    lists = [columns(Generation, '"generations"', names, packs_moments=True)]
    joins = ""
    for part, join in _JOINS.items():
        if wanted is not None and part not in wanted:
            continue
        joins += join
        if part == "style":
            lists.append(style_columns(wanted))
        else:
            lists.append(columns(File, f'"{part}"', FileColumns.attributes, f"{part}."))
    return Selection(", ".join(lists), joins)


async def generations_by_id(ids: list[str]) -> list[GenerationRow]:
    """Return the generations with these ids, of any account, deleted or not, with everything that displays them."""
    found = selection(None)
    places, values = places_of(ids)
    sql = f'SELECT {found.columns} FROM "generations"{found.joins} WHERE "generations"."id" IN ({places})'  # noqa: S608 - columns and placeholders
    return await fetch(GENERATIONS, sql, values, PARTS)
