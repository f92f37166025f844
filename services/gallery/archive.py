"""Archives: a selection of an account's results as one zip, streamed from the storage by a link that ends soon."""

import hashlib
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from models import Archive, ids
from models.database.connection import placeholders, rows, run_tx
from models.generation_row import GenerationRow
from services.core.chore import Chore, Lane
from services.core.error import InvalidInputError, NotFoundError, Refusal
from services.core.message import Message, message
from services.core.rate_limit import RateLimits
from services.events import account_change
from services.gallery.download_name import result_name
from services.gallery.gallery import GalleryService
from services.gallery.zip_stream import StoredPicture, Unread, zipped
from services.integrations.fair_slots import FairSlots
from services.integrations.storage.protocol import Storage
from services.media.new_file import EXTENSIONS

PATH = "/archives"
LIFETIME = timedelta(minutes=15)  # of a link; a download that has begun goes on
_TOKEN_LENGTH = 43  # 256 bits in base64
_ATTRIBUTES = frozenset({"result", "created_at", "media", "style_slug"})
_DOWNLOADS = 64  # of a process at once: each holds a picture while its client reads
_READS = 8  # parts that a process reads at once for all archives
_MIB = 2**20
_FOUND = """
SELECT g.id, f.byte_size FROM generations g JOIN files f ON f.id = g.result_id
WHERE g.user_id = $1 AND g.deleted_at IS NULL AND {condition} ORDER BY g.id DESC LIMIT {most}
"""
_OF_ALBUM = """g.id IN (SELECT e.generation_id FROM album_entries e JOIN albums a ON a.id = e.album_id
    WHERE a.id = $2 AND a.user_id = $1)"""
_EXPIRED = "DELETE FROM archives WHERE expires_at < NOW() RETURNING id"


@dataclass(frozen=True)
class ArchiveLimits:
    """The most that one archive has."""

    pictures: int = 500
    mib: int = 2048


@dataclass(frozen=True)
class NewArchive:
    """An archive with its link, which is shown once, and what was asked for and is not in it."""

    row: Archive
    url: str
    refusals: list[Refusal]


class ArchiveBusyError(Exception):
    """The account downloads an archive from this process already, or too many accounts do."""


class ArchiveService:
    """Makes archives, of which an account has one: a new one ends the link of the one before.

    `address`: PUBLIC_URL, with which links start.
    """

    def __init__(
        self, storage: Storage, gallery: GalleryService, rates: RateLimits, address: str, limits: ArchiveLimits
    ) -> None:
        self._storage = storage
        self._gallery = gallery
        self._rates = rates
        self._address = address
        self._limits = limits
        self._reads = FairSlots(total=_READS, per_key=1)
        self._downloading: set[str] = set()  # accounts

    async def create(self, user_id: str, wanted: Sequence[str] | None, album_id: str | None) -> NewArchive:
        """Make an archive of the results of these generations, or of an album.

        `wanted`: ids as the client sent them. One that is missing, or has no result, does not prevent the others.

        Raises:
            InvalidInputError: neither or both are given, no result is found, or there are too many pictures or bytes.
            NotFoundError: the album does not exist, or belongs to another user.
            RateLimitedError: the account has made many.
        """
        if (wanted is None) == (album_id is None):
            raise InvalidInputError(message("Name either pictures or an album."), ("ids",))
        found = await self._in_album(user_id, album_id) if wanted is None else await self._of_ids(user_id, wanted)
        field = ("ids",) if album_id is None else ("albumId",)
        if not found:
            raise InvalidInputError(message("None of these has a picture to download."), field)
        byte_size = sum(found.values())
        if len(found) > self._limits.pictures:
            raise InvalidInputError(self._too_many, field)
        if byte_size > self._limits.mib * _MIB:
            text = message("These are more than {limit} MB. Download fewer at a time.", limit=self._limits.mib)
            raise InvalidInputError(text, field)
        await self._rates.hit_archives(user_id)
        token = secrets.token_urlsafe()
        row = Archive(
            user_id=user_id,
            token_hash=_hash(token),
            generation_ids=list(found),
            byte_size=byte_size,
            expires_at=datetime.now(UTC) + LIFETIME,
        )
        await run_tx(self._replace, row)
        places = {id: place for place, id in reversed(list(enumerate(wanted or ())))}
        missing = sorted(place for id, place in places.items() if id not in found)
        refusals: list[Refusal] = [NotFoundError(("ids", str(place)), _NO_PICTURE) for place in missing]
        return NewArchive(row, f"{self._address}{PATH}/{token}", refusals)

    async def _of_ids(self, user_id: str, wanted: Sequence[str]) -> dict[str, int]:
        """Return the sizes of the results of these generations, in bytes, newest first."""
        known = list(dict.fromkeys(id for id in wanted if ids.is_id(id, ids.GENERATION)))
        if len(known) > self._limits.pictures:
            raise InvalidInputError(self._too_many, ("ids",))
        condition = f"g.id IN ({placeholders(known, first=2)})"
        return await self._sizes(user_id, condition, *known) if known else {}

    async def _in_album(self, user_id: str, album_id: str | None) -> dict[str, int]:
        """Return the sizes of the results in an album, in bytes, newest first: one more than allowed at most."""
        if not await rows("SELECT id FROM albums WHERE id = $1 AND user_id = $2", album_id, user_id):
            raise NotFoundError(("albumId",))
        return await self._sizes(user_id, _OF_ALBUM, album_id)

    async def _sizes(self, user_id: str, condition: str, *values: object) -> dict[str, int]:
        sql = _FOUND.format(condition=condition, most=self._limits.pictures + 1)
        return {row["id"]: int(row["byte_size"]) for row in await rows(sql, user_id, *values)}

    @property
    def _too_many(self) -> Message:
        return message("Download at most {limit} pictures at a time.", limit=self._limits.pictures)

    @staticmethod
    async def _replace(row: Archive) -> None:
        # The version stays the same, because it does not cover archives.
        await account_change.lock_account(row.user_id)
        await Archive.filter(user_id=row.user_id).delete()
        await row.save(force_create=True)

    async def find(self, token: str) -> Archive | None:
        """Return the archive of a link; None if it has ended: by time, by a newer one, or with the account."""
        if len(token) != _TOKEN_LENGTH or not token.isascii():
            return None
        return await Archive.get_or_none(
            token_hash=_hash(token),
            expires_at__gt=datetime.now(UTC),
            user__deleted_at__isnull=True,
            user__suspended_at__isnull=True,
        )

    def begin(self, archive: Archive) -> None:
        """Count a download of the account, until `end`.

        Raises:
            ArchiveBusyError: it has one from this process already, or the process has as many as it may.
        """
        if archive.user_id in self._downloading or len(self._downloading) >= _DOWNLOADS:
            raise ArchiveBusyError
        self._downloading.add(archive.user_id)

    def end(self, archive: Archive) -> None:
        """Let the account download again."""
        self._downloading.discard(archive.user_id)

    async def chunks(self, archive: Archive, translate: Callable[[Message], str]) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the zip, whose notes are translated by `translate`, for a download that has begun.

        No connection to the database or to the storage is held while the caller waits for its client.

        Raises:
            StorageError: the storage does not respond at the beginning. What cannot be read later is named in a note.
        """
        wanted: list[str] = archive.generation_ids
        found = await self._gallery.by_ids(archive.user_id, wanted, _ATTRIBUTES)
        pictures = _named([found[id] for id in wanted if id in found])
        deleted = len(wanted) - len(pictures)

        async def read(key: str, start: int, size: int) -> bytes:
            async with self._reads.slot(archive.user_id):
                return await self._storage.get_part(key, start, size)

        async for chunk in zipped(pictures, read, lambda unread: _note(translate, deleted, unread)):
            yield chunk

    @property
    def chores(self) -> tuple[Chore, ...]:
        return (Chore(Lane.CLEAN_UP, lambda: rows(_EXPIRED)),)


_NO_PICTURE = message("This has no picture to download.")


def _hash(token: str) -> str:
    # A fast hash without salt is enough: the token is 256 random bits.
    return hashlib.sha256(token.encode()).hexdigest()


def _note(translate: Callable[[Message], str], deleted: int, unread: Unread) -> str:
    """Return what is said in the archive about pictures that are not in it; empty: all are."""
    gone = message("Deleted since this download was requested: {count}", count=deleted)
    return (f"{translate(gone)}\n" if deleted else "") + unread.described(translate)


def _named(rows: Sequence[GenerationRow]) -> list[StoredPicture]:
    """Return the results with the names of downloads; those that repeat one are numbered."""
    used: Counter[str] = Counter()
    found = []
    for row in rows:
        file = row.result
        if file is None:
            continue
        name = result_name(row)
        used[name] += 1
        number = f"-{used[name]}" if used[name] > 1 else ""
        extension = EXTENSIONS[file.content_type]
        found.append(StoredPicture(f"{name}{number}.{extension}", file.key, file.byte_size, row.created_at))
    return found
