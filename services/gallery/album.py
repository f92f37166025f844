"""Albums: named lists that users fill with their generations."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from models import Album, AlbumEntry
from models.albums import ALBUM_NAME_MAX
from models.database.connection import placeholders, rows, run_tx
from services.core.error import ConflictError, InvalidInputError, NotFoundError
from services.core.message import message
from services.core.pagination import Page, PageRequest, paginate
from services.core.unset import UNSET, Unset
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.gallery.list_name import clean_name, name_key
from services.gallery.selection import Chosen, Selection, UnchangedError

T = TypeVar("T")
AlbumKey = tuple[int, str]  # position and id

MAX_PER_ACCOUNT = 200
MAX_ENTRIES = 10_000  # generations of one album
_KEY = ("position", "id")
_ID = ("id",)
_NUMBER = """
UPDATE albums SET position = given.place FROM (
    SELECT id, CAST(ROW_NUMBER() OVER (ORDER BY position, id) AS INT) - 1 AS place FROM albums WHERE user_id = $1
) AS given
WHERE albums.id = given.id AND albums.position <> given.place RETURNING albums.id
"""
# The album $2 of the account $1 gets the place $3, and the others keep their order; only that one counts as changed.
# The database numbers them: an account may have more albums than a statement takes parameters.
_MOVE = """
UPDATE albums SET position = given.place,
    updated_at = CASE WHEN albums.id = $2 THEN NOW() ELSE albums.updated_at END FROM (
    SELECT id, number + CASE WHEN number >= CAST($3 AS INT) THEN 1 ELSE 0 END AS place FROM (
        SELECT id, CAST(ROW_NUMBER() OVER (ORDER BY position, id) AS INT) - 1 AS number
        FROM albums WHERE user_id = $1 AND id <> $2
    ) AS others
    UNION ALL SELECT id, CAST($3 AS INT) FROM albums WHERE id = $2
) AS given
WHERE albums.id = given.id AND albums.position <> given.place RETURNING albums.id
"""


@dataclass(frozen=True)
class AlbumChange:
    """What is set of an album."""

    name: str | Unset = UNSET
    position: int | Unset = UNSET  # in the account's list, from 0; larger ones: the last


class AlbumService:
    """Manages albums and what is in them. A change of one moves the account's version, and no generation's."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def by_ids(self, user_id: str, album_ids: Sequence[str]) -> dict[str, Album]:
        """Return the given albums that belong to the user."""
        return {album.id: album for album in await Album.filter(id__in=album_ids, user_id=user_id)}

    async def all_by_ids(self, album_ids: Sequence[str]) -> dict[str, Album]:
        """Return the given albums that exist, of any account, for admins."""
        return {album.id: album for album in await Album.filter(id__in=album_ids)}

    async def page(self, user_id: str, request: PageRequest[AlbumKey]) -> Page[Album, AlbumKey]:
        """Return a page of the user's albums, in their order."""
        return await paginate(Album.filter(user_id=user_id), request, key=_KEY, descending=False)

    async def of_generations(self, generation_ids: Sequence[str]) -> dict[str, list[Album]]:
        """Return the albums of each of the generations that is in any, in their order."""
        found: dict[str, list[Album]] = {}
        entries = AlbumEntry.filter(generation_id__in=generation_ids).select_related("album")
        for entry in await entries.order_by("album__position", "album__id"):
            found.setdefault(entry.generation_id, []).append(entry.album)
        return found

    async def covers(self, album_ids: Sequence[str]) -> dict[str, str]:
        """Return the id of the newest generation of each album that is not empty."""
        newest = (
            "SELECT generation_id FROM album_entries WHERE album_id = albums.id ORDER BY generation_id DESC LIMIT 1"
        )
        found = await rows(
            f"SELECT id, ({newest}) AS cover FROM albums WHERE id IN ({placeholders(album_ids)})",  # noqa: S608 - placeholders
            *album_ids,
        )
        return {row["id"]: row["cover"] for row in found if row["cover"] is not None}

    async def create(self, user_id: str, name: str) -> Album:
        """Create an empty album, the last of the user's.

        Raises:
            InvalidInputError: the name is empty, too long or has characters that cannot be used.
            ConflictError: the user has an album of this name, whatever its case, or MAX_PER_ACCOUNT albums.
        """
        cleaned = clean_name(name, ALBUM_NAME_MAX, field=("name",))

        async def work() -> tuple[Album, AccountChange]:
            account = await account_change.bump_version(user_id)
            counted = "SELECT COUNT(*) AS number, MAX(position) AS position FROM albums WHERE user_id = $1"
            (last,) = await rows(counted, user_id)
            if int(last["number"]) >= MAX_PER_ACCOUNT:
                raise ConflictError(message("You can have at most {limit} albums.", limit=MAX_PER_ACCOUNT))
            await _check_unused(user_id, cleaned)
            position = 0 if last["position"] is None else int(last["position"]) + 1
            album = await Album.create(user_id=user_id, name=cleaned, name_key=name_key(cleaned), position=position)
            return album, account.with_new_gallery()

        return await self._change(work)

    async def update(self, user_id: str, album_id: str, change: AlbumChange) -> Album:
        """Rename or move an album. If nothing changes, no version increases.

        Raises:
            InvalidInputError: the name cannot be used, or the position is negative.
            ConflictError: the user has another album of this name.
            NotFoundError: it does not exist, or belongs to another user.
        """
        name = None
        if not isinstance(change.name, Unset):
            name = clean_name(change.name, ALBUM_NAME_MAX, field=("name",))
        position = None if isinstance(change.position, Unset) else change.position
        if position is not None and position < 0:
            raise InvalidInputError(message("Positions begin with 0."), field=("position",))

        async def work() -> tuple[Album, AccountChange]:
            account = await account_change.bump_version(user_id)
            album = await self._find(user_id, album_id)
            is_renamed = name is not None and await _rename(album, name)
            is_moved = position is not None and await _move(album, position)
            if not is_renamed and not is_moved:
                raise UnchangedError(())
            return album, account.with_new_gallery()

        try:
            return await self._change(work)
        except UnchangedError:
            return await self._find(user_id, album_id)

    async def delete(self, user_id: str, album_id: str) -> None:
        """Delete an album; its generations stay.

        Raises:
            NotFoundError: it does not exist, or belongs to another user.
        """

        async def work() -> tuple[None, AccountChange]:
            account = await account_change.bump_version(user_id)
            await (await self._find(user_id, album_id)).delete()
            await number(user_id)
            return None, account.with_new_gallery()

        await self._change(work)

    async def add(self, user_id: str, album_id: str, wanted: Sequence[str]) -> tuple[Album, Chosen]:
        """Add generations to an album; those that are in it already stay. If nothing changes, no version increases.

        `wanted`: ids as the client sent them. One that is missing does not prevent the others from being added.

        Raises:
            InvalidInputError: more ids than one request may name.
            ConflictError: the album would have more than MAX_ENTRIES generations.
            NotFoundError: the album does not exist, or belongs to another user.
        """

        async def change(album: Album, found: list[str]) -> list[str]:
            added = await rows(
                "INSERT INTO album_entries (album_id, generation_id, is_favorite)"  # noqa: S608 - placeholders
                " SELECT CAST($1 AS VARCHAR), id, is_favorite FROM generations"
                f" WHERE id IN ({placeholders(found, first=2)})"
                " ON CONFLICT (album_id, generation_id) DO NOTHING RETURNING generation_id",
                album.id,
                *found,
            )
            if album.size + len(added) > MAX_ENTRIES:
                raise ConflictError(message("An album can have at most {limit} pictures.", limit=MAX_ENTRIES))
            return [row["generation_id"] for row in added]

        return await self._change_entries(user_id, album_id, Selection(wanted), change)

    async def remove(self, user_id: str, album_id: str, wanted: Sequence[str]) -> tuple[Album, Chosen]:
        """Remove generations from an album, as `add` adds them; they stay in the gallery."""

        async def change(album: Album, found: list[str]) -> list[str]:
            removed = await rows(
                "DELETE FROM album_entries WHERE album_id = $1"  # noqa: S608 - placeholders
                f" AND generation_id IN ({placeholders(found, first=2)}) RETURNING generation_id",
                album.id,
                *found,
            )
            return [row["generation_id"] for row in removed]

        return await self._change_entries(user_id, album_id, Selection(wanted), change)

    async def _change_entries(
        self,
        user_id: str,
        album_id: str,
        selection: Selection,
        change: Callable[[Album, list[str]], Awaitable[list[str]]],
    ) -> tuple[Album, Chosen]:
        async def work() -> tuple[list[str], AccountChange]:
            account = await account_change.bump_version(user_id)
            album = await self._find(user_id, album_id)
            found = await selection.present(user_id)
            changed = set(await change(album, found)) if found else set()
            if not changed:
                raise UnchangedError(found)
            await rows("UPDATE albums SET updated_at = NOW() WHERE id = $1 RETURNING id", album.id)
            return found, account.with_generations(ChangeKind.UPDATED, [id for id in found if id in changed])

        try:
            found: Sequence[str] = await self._change(work)
        except UnchangedError as unchanged:
            found = unchanged.found
        return await self._find(user_id, album_id), selection.chosen(found)

    async def _change(self, work: Callable[[], Awaitable[tuple[T, AccountChange]]]) -> T:
        result, account = await run_tx(work)
        await self._events.account_changed(account)
        return result

    @staticmethod
    async def _find(user_id: str, album_id: str) -> Album:
        album = await Album.get_or_none(id=album_id, user_id=user_id)
        if album is None:
            raise NotFoundError(field=_ID)
        return album


async def number(user_id: str) -> None:
    """Make the positions of an account's albums their places in its list, with the account's lock."""
    await rows(_NUMBER, user_id)


async def _check_unused(user_id: str, name: str) -> None:
    if await Album.exists(user_id=user_id, name_key=name_key(name)):
        raise ConflictError(message("You have an album of this name."), ("name",))


async def _rename(album: Album, name: str) -> bool:
    """Rename an album, with the account's lock; return whether it had another name. Raises ConflictError."""
    if name == album.name:
        return False
    if name_key(name) != album.name_key:
        await _check_unused(album.user_id, name)
    album.name, album.name_key = name, name_key(name)
    await album.save(update_fields=["name", "name_key", "updated_at"])
    return True


async def _move(album: Album, position: int) -> bool:
    """Move an album to a position of its account's list, with the account's lock; return whether any has moved.

    The others make room.
    """
    others = Album.filter(user_id=album.user_id).exclude(id=album.id)
    album.position = min(position, await others.count())
    return bool(await rows(_MOVE, album.user_id, album.id, album.position))
