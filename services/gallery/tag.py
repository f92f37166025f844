"""Tags: words that users mark their generations with. A tag exists as long as a generation has it."""

from collections.abc import Awaitable, Callable, Sequence

from models import Tag, TagEntry, ids
from models.albums import TAG_NAME_MAX
from models.database.connection import placeholders, rows, run_tx
from services.core.error import ConflictError, InvalidInputError, NotFoundError
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.gallery.list_name import clean_name, name_key
from services.gallery.selection import Chosen, Selection, UnchangedError, publish

MAX_PER_ACCOUNT = 500
MAX_PER_GENERATION = 20
_FIELD = "tags"
_ADD = """
INSERT INTO tag_entries (tag_id, generation_id, is_favorite)
SELECT tags.id, generations.id, generations.is_favorite FROM generations JOIN tags ON tags.id IN ({tags})
WHERE generations.id IN ({generations}) ON CONFLICT (tag_id, generation_id) DO NOTHING RETURNING generation_id
"""
_REMOVE = "DELETE FROM tag_entries WHERE generation_id IN ({generations}){condition} RETURNING generation_id"
# $1: the tag that they get, $2: the one that they have. Those that have both keep one.
_MOVE = """
INSERT INTO tag_entries (tag_id, generation_id, is_favorite)
SELECT CAST($1 AS VARCHAR), generation_id, is_favorite FROM tag_entries WHERE tag_id = $2
ON CONFLICT (tag_id, generation_id) DO NOTHING RETURNING generation_id
"""
_MOVED = """
UPDATE generations SET version = version + 1, updated_at = NOW()
WHERE id IN (SELECT generation_id FROM tag_entries WHERE tag_id = $1) RETURNING id
"""
_TOO_MANY = """
SELECT generation_id FROM tag_entries WHERE generation_id IN ({generations})
GROUP BY generation_id HAVING COUNT(*) > {most} LIMIT 1
"""


class TagService:
    """Sets and removes tags. A change moves the version of the account and of each generation.

    `wanted` of each method: ids of generations as the client sent them; one that is missing does not prevent the others
    from being changed. If nothing changes, no version increases.
    """

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def by_ids(self, user_id: str, tag_ids: Sequence[str]) -> dict[str, Tag]:
        """Return the given tags that belong to the user."""
        return {tag.id: tag for tag in await Tag.filter(id__in=tag_ids, user_id=user_id, size__gt=0)}

    async def all_by_ids(self, tag_ids: Sequence[str]) -> dict[str, Tag]:
        """Return the given tags that exist, of any account, for admins."""
        return {tag.id: tag for tag in await Tag.filter(id__in=tag_ids, size__gt=0)}

    async def by_users(self, user_ids: Sequence[str]) -> dict[str, list[Tag]]:
        """Return the tags of each account that has any, by their names."""
        found: dict[str, list[Tag]] = {}
        for tag in await Tag.filter(user_id__in=user_ids, size__gt=0).order_by("name_key"):
            found.setdefault(tag.user_id, []).append(tag)
        return found

    async def of_generations(self, generation_ids: Sequence[str]) -> dict[str, list[Tag]]:
        """Return the tags of each of the generations that has any, by their names."""
        found: dict[str, list[Tag]] = {}
        entries = TagEntry.filter(generation_id__in=generation_ids).select_related("tag").order_by("tag__name_key")
        for entry in await entries:
            found.setdefault(entry.generation_id, []).append(entry.tag)
        return found

    async def replace(self, user_id: str, wanted: Sequence[str], names: Sequence[str]) -> Chosen:
        """Give generations these tags and no others.

        Raises:
            InvalidInputError: a name cannot be used, or there are too many ids or names.
            ConflictError: the account would have more than MAX_PER_ACCOUNT tags.
        """
        cleaned = _cleaned(names)

        async def change(found: list[str]) -> set[str]:
            kept, has_new = await _tag_ids(user_id, cleaned)
            changed = await _remove(found, kept, others=True) | await _add(found, kept)
            if has_new:  # once those are gone that it takes from the last generation
                await _check_number(user_id)
            return changed

        return await self._change(user_id, Selection(wanted), change)

    async def add(self, user_id: str, wanted: Sequence[str], names: Sequence[str]) -> Chosen:
        """Add tags to generations.

        Raises:
            InvalidInputError: a name cannot be used, or there are too many ids or names.
            ConflictError: the account or a generation would have too many tags.
        """
        cleaned = _cleaned(names)

        async def change(found: list[str]) -> set[str]:
            tags, has_new = await _tag_ids(user_id, cleaned)
            added = await _add(found, tags)
            if has_new:
                await _check_number(user_id)
            return added

        return await self._change(user_id, Selection(wanted), change)

    async def remove(self, user_id: str, wanted: Sequence[str], names: Sequence[str]) -> Chosen:
        """Remove tags from generations.

        Raises:
            InvalidInputError: a name cannot be used, or there are too many ids or names.
        """
        keys = [name_key(name) for name in _cleaned(names)]

        async def change(found: list[str]) -> set[str]:
            tags = await Tag.filter(user_id=user_id, name_key__in=keys).values_list("id", flat=True)
            return await _remove(found, [str(id) for id in tags])

        return await self._change(user_id, Selection(wanted), change)

    async def rename(self, user_id: str, tag_id: str, name: str) -> Tag:
        """Rename a tag. If the account has another one of this name, whatever its case, return that with all of both.

        That moves the versions of the generations that had the tag. If nothing changes, no version increases.

        Raises:
            InvalidInputError: the name is empty, too long or has characters that cannot be used.
            NotFoundError: the tag does not exist, or belongs to another user.
        """
        cleaned = clean_name(name, TAG_NAME_MAX, field=("name",))

        async def work() -> tuple[str, AccountChange]:
            account = await account_change.bump_version(user_id)
            await delete_unused(user_id)
            tag = await self._find(user_id, tag_id)
            if tag.name == cleaned:
                raise UnchangedError(())
            key = name_key(cleaned)
            other = await Tag.get_or_none(user_id=user_id, name_key=key)
            if other is None or other.id == tag.id:
                tag.name, tag.name_key = cleaned, key
                await tag.save(update_fields=["name", "name_key"])
                return tag.id, account.with_new_gallery()
            await rows(_MOVED, tag.id)
            await rows(_MOVE, other.id, tag.id)
            await rows("DELETE FROM tag_entries WHERE tag_id = $1 RETURNING id", tag.id)
            await tag.delete()
            return other.id, account.with_new_gallery()

        try:
            kept, account = await run_tx(work)
        except UnchangedError:
            return await self._find(user_id, tag_id)
        await self._events.account_changed(account)
        return await self._find(user_id, kept)

    @staticmethod
    async def _find(user_id: str, tag_id: str) -> Tag:
        tag = await Tag.get_or_none(id=tag_id, user_id=user_id, size__gt=0)
        if tag is None:
            raise NotFoundError(field=("id",))
        return tag

    async def _change(
        self, user_id: str, selection: Selection, change: Callable[[list[str]], Awaitable[set[str]]]
    ) -> Chosen:
        async def work() -> tuple[list[str], AccountChange]:
            account = await account_change.bump_version(user_id)
            await delete_unused(user_id)  # which would give new ones their spelling
            found = await selection.present(user_id)
            changed = await change(found) if found else set()
            if not changed:
                raise UnchangedError(found)
            in_order = [id for id in found if id in changed]
            await rows(
                "UPDATE generations SET version = version + 1, updated_at = NOW()"  # noqa: S608 - placeholders
                f" WHERE id IN ({placeholders(in_order)}) RETURNING id",
                *in_order,
            )
            await delete_unused(user_id)
            return found, account.with_generations(ChangeKind.UPDATED, in_order)

        try:
            found, account = await run_tx(work)
        except UnchangedError as unchanged:
            return selection.chosen(unchanged.found)
        await publish(self._events, account)
        return selection.chosen(found)


async def delete_unused(user_id: str) -> None:
    """Delete the account's tags that no generation has any more, with the account's lock."""
    await rows("DELETE FROM tags WHERE user_id = $1 AND size = 0 RETURNING id", user_id)


async def _tag_ids(user_id: str, names: Sequence[str]) -> tuple[list[str], bool]:
    """Return the ids of the account's tags with these names, and whether it had not all of them: those are made."""
    keys = {name_key(name): name for name in names}
    known = {tag.name_key: tag.id for tag in await Tag.filter(user_id=user_id, name_key__in=list(keys))}
    new = [
        Tag(id=ids.new_id(ids.TAG), user_id=user_id, name=name, name_key=key)
        for key, name in keys.items()
        if key not in known
    ]
    if new:
        await Tag.bulk_create(new)
    return [*known.values(), *(tag.id for tag in new)], bool(new)


async def _check_number(user_id: str) -> None:
    """Check that the account has not too many tags. Raises ConflictError, which must end the transaction."""
    if await Tag.filter(user_id=user_id, size__gt=0).count() > MAX_PER_ACCOUNT:
        raise ConflictError(message("You can have at most {limit} tags.", limit=MAX_PER_ACCOUNT), (_FIELD,))


def _cleaned(names: Sequence[str]) -> list[str]:
    """Return the names cleaned, each once, whatever its case.

    Raises:
        InvalidInputError: a name cannot be used, or there are more than MAX_PER_GENERATION.
    """
    if len(names) > MAX_PER_GENERATION:
        raise _too_many(InvalidInputError)
    cleaned = [clean_name(name, TAG_NAME_MAX, field=(_FIELD, str(place))) for place, name in enumerate(names)]
    return list({name_key(name): name for name in reversed(cleaned)}.values())[::-1]


def _too_many(kind: type[InvalidInputError] | type[ConflictError]) -> InvalidInputError | ConflictError:
    return kind(message("A picture can have at most {limit} tags.", limit=MAX_PER_GENERATION), (_FIELD,))


async def _add(generation_ids: Sequence[str], tag_ids: Sequence[str]) -> set[str]:
    """Add tags to generations, and return those that did not have one of them. Raises ConflictError."""
    if not tag_ids:
        return set()
    places = placeholders(generation_ids, first=len(tag_ids) + 1)
    sql = _ADD.format(tags=placeholders(tag_ids), generations=places)
    added = {row["generation_id"] for row in await rows(sql, *tag_ids, *generation_ids)}
    sql = _TOO_MANY.format(generations=placeholders(generation_ids), most=MAX_PER_GENERATION)
    if await rows(sql, *generation_ids):
        raise _too_many(ConflictError)
    return added


async def _remove(generation_ids: Sequence[str], tag_ids: Sequence[str], *, others: bool = False) -> set[str]:
    """Remove tags, or all `others`, from generations, and return those that had one of them."""
    if not tag_ids and not others:
        return set()
    condition = ""
    if tag_ids:
        places = placeholders(tag_ids, first=len(generation_ids) + 1)
        condition = f" AND tag_id {'NOT ' if others else ''}IN ({places})"
    sql = _REMOVE.format(generations=placeholders(generation_ids), condition=condition)
    return {row["generation_id"] for row in await rows(sql, *generation_ids, *tag_ids)}
