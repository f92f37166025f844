"""The catalogue as a whole: written out, and read in again, all or nothing."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from models import AuditEntry, Collection, Style, User, ids
from models.database.connection import rows, run_tx
from models.enum import AdminAction
from services.catalogue.custom_style import next_position
from services.catalogue.import_document import CatalogueCollection, CatalogueStyle, parse
from services.catalogue.style import FIRST_ADDED_POSITION, search_text, variables_of
from services.events import account_change, audit_log
from services.events.publisher import EventPublisher

_ADDED = "added-"  # what slugs of our own making begin with: no words that anybody looks for
_COLLECTION = ("title", "description", "base_cost", "refund_policy", "qualities", "sizes")
_STYLE = (
    "title",
    "description",
    "category",
    "members_only",
    "cost",
    "reference_image",
    "prompt",
    "prompt_without_photo",
    "variables",
)


@dataclass(frozen=True)
class Counts:
    """Collections and styles together."""

    created: int
    updated: int
    unchanged: int


class _DryRunError(Exception):
    """Takes everything back."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts


class CatalogueService:
    """Writes the catalogue out and takes it in; generations keep the words and the price that they were sold with."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def export(self) -> dict[str, Any]:
        """Every collection and style that is offered, in the catalogue's order, as `import_` reads it."""
        styles: dict[str, list[dict[str, Any]]] = {}
        for row in await Style.filter(owner_id__isnull=True, is_active=True).order_by("position", "id"):
            styles.setdefault(row.collection_id, []).append({"slug": row.slug, **_style_of(row)})
        collections = await Collection.filter(is_active=True).order_by("position", "id")
        return {
            "collections": [
                {"slug": row.slug, **_values(row, _COLLECTION), "styles": styles.get(row.id, [])} for row in collections
            ]
        }

    async def import_(self, admin: User, data: object, *, dry_run: bool) -> Counts:
        """Add what is new and change what is different; what is not in `data` stays. A dry run writes nothing.

        What was added or changed is no business of the profile's any more: the next start leaves it as it is.

        Raises:
            CatalogueError: with all that is wrong; nothing is changed.
        """
        catalogue = parse(data)
        try:
            counts, act = await run_tx(self._import, admin.id, catalogue.collections, dry_run)
        except _DryRunError as done:
            return done.counts
        if act is not None:
            await self._events.admin_act(act)
        return counts

    @staticmethod
    async def _import(
        admin_id: str, collections: tuple[CatalogueCollection, ...], dry_run: bool
    ) -> tuple[Counts, AuditEntry | None]:
        await account_change.lock_account(admin_id)
        await rows("UPDATE collections SET position = position RETURNING id")  # one import at a time
        done: Counter[str] = Counter()
        for entry in collections:
            collection = await _put_collection(entry, done)
            for style in entry.styles:
                await _put_style(collection, style, done)
        counts = Counts(done["created"], done["updated"], done["unchanged"])
        if dry_run:
            raise _DryRunError(counts)
        if not (counts.created or counts.updated):
            return counts, None
        act = await audit_log.record(
            admin_id, AdminAction.IMPORT_CATALOGUE, None, created=counts.created, updated=counts.updated
        )
        return counts, act


async def _put_collection(entry: CatalogueCollection, done: Counter[str]) -> Collection:
    values = {name: getattr(entry, name) for name in _COLLECTION}
    values["qualities"] = {quality.value: multiplier for quality, multiplier in entry.qualities.items()}
    values["sizes"] = {size.value: sentence for size, sentence in entry.sizes.items()}
    row = await Collection.get_or_none(slug=entry.slug)
    if row is None:
        position = FIRST_ADDED_POSITION + await Collection.all().count()
        row = Collection(id=ids.new_id(ids.COLLECTION), slug=entry.slug, position=position, edited=True, **values)
        await Collection.bulk_create([row])  # which inserts again when the transaction is repeated
        done["created"] += 1
    elif row.is_active and {name: getattr(row, name) for name in _COLLECTION} == values:
        done["unchanged"] += 1
    else:
        await row.update_from_dict({**values, "is_active": True, "edited": True}).save()
        done["updated"] += 1
    return row


async def _put_style(collection: Collection, entry: CatalogueStyle, done: Counter[str]) -> None:
    values = {name: getattr(entry, name) for name in _STYLE}
    values["variables"] = [variable.model_dump() for variable in entry.variables]
    row = await Style.filter(slug=entry.slug, collection_id=collection.id).select_for_update().first()
    if row is not None and row.is_active and _columns(row) == values:
        done["unchanged"] += 1
        return
    named = () if entry.slug.startswith(_ADDED) else (entry.slug,)
    values["search_text"] = search_text(entry.title, entry.description, entry.category, *named)
    values["edited"] = True
    if row is None:
        position = await next_position()
        style_id = ids.new_id(ids.STYLE)
        await Style.bulk_create(
            [Style(id=style_id, collection_id=collection.id, slug=entry.slug, position=position, **values)]
        )
        done["created"] += 1
    else:
        await row.update_from_dict({**values, "is_active": True}).save()
        done["updated"] += 1


def _columns(row: Style) -> dict[str, Any]:
    """What an import can change, as it writes it."""
    found = {name: getattr(row, name) for name in _STYLE}
    found["variables"] = [variable.model_dump() for variable in variables_of(row)]
    return found


def _style_of(row: Style) -> dict[str, Any]:
    return {name: value for name, value in _columns(row).items() if value is not None}


def _values(row: Collection, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
