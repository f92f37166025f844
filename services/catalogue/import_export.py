"""Export of the whole catalogue, and its import, all or nothing."""

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from models import AuditEntry, Collection, Style, User, ids
from models.database.connection import rows, run_tx
from models.enum import AdminAction
from services.catalogue.custom_style import next_position
from services.catalogue.import_document import CatalogueCollection, CatalogueStyle, parse
from services.catalogue.style import FIRST_ADDED_POSITION, search_text
from services.catalogue.style_change import COLUMNS, columns_of, differences
from services.core.text import clean_optional_reason
from services.events import account_change, audit_log
from services.events.publisher import EventPublisher

_GENERATED_PREFIX = "added-"  # of slugs generated from ids, which no user would search for
_COLLECTION_FIELDS = (
    "title",
    "description",
    "base_cost",
    "refund_policy",
    "qualities",
    "reuse_share",
    "video",
    "sizes",
)
_MAX_RECORDED = 100  # collections and styles of each kind that one entry of the audit log names


@dataclass(frozen=True)
class ImportCounts:
    """How many collections and styles together an import created, updated and left unchanged."""

    created: int
    updated: int
    unchanged: int


@dataclass
class _Tally:
    """What an import did so far. Styles are named `collection/style`."""

    unchanged: int = 0
    created: list[str] = field(default_factory=list)
    updated: dict[str, list[str]] = field(default_factory=dict)  # with the columns that changed

    @property
    def counts(self) -> ImportCounts:
        return ImportCounts(len(self.created), len(self.updated), self.unchanged)

    @property
    def detail(self) -> dict[str, Any]:
        """For the audit log."""
        return {
            "created": len(self.created),
            "updated": len(self.updated),
            "added": self.created[:_MAX_RECORDED],
            "changed": dict(islice(self.updated.items(), _MAX_RECORDED)),
        }


class _DryRunError(Exception):
    """Rolls back the transaction of a dry run."""

    def __init__(self, counts: ImportCounts) -> None:
        self.counts = counts


class CatalogueService:
    """Exports and imports the catalogue; generations keep the prompt and the price of their submission."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def export(self) -> dict[str, Any]:
        """Return every active collection and style, in the catalogue's order, in the format that `import_` reads."""
        styles: dict[str, list[dict[str, Any]]] = {}
        for row in await Style.filter(owner_id__isnull=True, is_active=True).order_by("position", "id"):
            styles.setdefault(row.collection_id, []).append({"slug": row.slug, **_style_of(row)})
        collections = await Collection.filter(is_active=True).order_by("position", "id")
        return {
            "collections": [
                {"slug": row.slug, **_values(row, _COLLECTION_FIELDS), "styles": styles.get(row.id, [])}
                for row in collections
            ]
        }

    async def import_(self, admin: User, data: object, reason: str | None = None, *, dry_run: bool) -> ImportCounts:
        """Add what is new and update what differs; what is not in `data` stays unchanged. A dry run writes nothing.

        Rows that were added or changed are marked as edited: seeding from the profile leaves them unchanged.

        Raises:
            CatalogueError: with all problems; nothing is changed.
            InvalidInputError: the reason is invalid.
        """
        clean = clean_optional_reason(reason)
        catalogue = parse(data)
        try:
            counts, action = await run_tx(self._import, admin.id, catalogue.collections, clean, dry_run)
        except _DryRunError as error:
            return error.counts
        if action is not None:
            await self._events.admin_action(None, action)
        return counts

    @staticmethod
    async def _import(
        admin_id: str, collections: tuple[CatalogueCollection, ...], reason: str | None, dry_run: bool
    ) -> tuple[ImportCounts, AuditEntry | None]:
        await account_change.lock_account(admin_id)
        await rows("UPDATE collections SET position = position RETURNING id")  # one import at a time
        tally = _Tally()
        for entry in collections:
            collection = await _put_collection(entry, tally)
            for style in entry.styles:
                await _put_style(collection, style, tally)
        counts = tally.counts
        if dry_run:
            raise _DryRunError(counts)
        if not (counts.created or counts.updated):
            return counts, None
        action = await audit_log.record(admin_id, AdminAction.IMPORT_CATALOGUE, None, **tally.detail, reason=reason)
        return counts, action


async def _put_collection(entry: CatalogueCollection, tally: _Tally) -> Collection:
    values = {name: getattr(entry, name) for name in _COLLECTION_FIELDS}
    values["qualities"] = {quality.value: multiplier for quality, multiplier in entry.qualities.items()}
    values["video"] = entry.video.model_dump(mode="json") if entry.video else None
    values["sizes"] = {size.value: text for size, text in entry.sizes.items()}
    row = await Collection.get_or_none(slug=entry.slug)
    if row is None:
        position = FIRST_ADDED_POSITION + await Collection.all().count()
        row = Collection(id=ids.new_id(ids.COLLECTION), slug=entry.slug, position=position, edited=True, **values)
        await Collection.bulk_create([row])  # unlike `save`, inserts again when the transaction is retried
        tally.created.append(row.slug)
    elif changed := _changed(row, _values(row, _COLLECTION_FIELDS), values):
        await row.update_from_dict({**values, "is_active": True, "edited": True}).save()
        tally.updated[row.slug] = changed
    else:
        tally.unchanged += 1
    return row


async def _put_style(collection: Collection, entry: CatalogueStyle, tally: _Tally) -> None:
    values = {name: getattr(entry, name) for name in COLUMNS}
    values["category"] = entry.category or None
    values["variables"] = [variable.model_dump(mode="json") for variable in entry.variables]
    row = await Style.filter(slug=entry.slug, collection_id=collection.id).select_for_update().first()
    changed = _changed(row, columns_of(row), values) if row is not None else []
    if row is not None and not changed:
        tally.unchanged += 1
        return
    slug = () if entry.slug.startswith(_GENERATED_PREFIX) else (entry.slug,)
    values["search_text"] = search_text(entry.title, entry.description, entry.category, *slug)
    values["edited"] = True
    name = f"{collection.slug}/{entry.slug}"
    if row is None:
        position = await next_position()
        style_id = ids.new_id(ids.STYLE)
        await Style.bulk_create(
            [Style(id=style_id, collection_id=collection.id, slug=entry.slug, position=position, **values)]
        )
        tally.created.append(name)
    else:
        await row.update_from_dict({**values, "is_active": True}).save()
        tally.updated[name] = changed


def _changed(row: Collection | Style, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the columns that an import changes, `is_active` if it was removed from the catalogue before."""
    changed: list[str] = differences(before, after).get("changed", [])
    return changed if row.is_active else [*changed, "is_active"]


def _style_of(row: Style) -> dict[str, Any]:
    return {name: value for name, value in columns_of(row).items() if value is not None}


def _values(row: Collection, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
