"""Pictures, videos and their rows: a row is written before its bytes and deleted after them."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from models import File
from models.database.connection import dialect, placeholders, rows, run_tx
from models.database.model_row import columns, from_row
from models.enum import FileKind, FileState
from models.media import StoredFile, thumbnail_key
from services.core.crashpoint import crashpoint
from services.core.error import InvalidInputError, RateLimitedError, UnavailableError, UploadFailedError
from services.core.message import Message, message
from services.events import account_change
from services.integrations.images.formats import CONTENT_TYPES, FORMAT_NAMES
from services.integrations.images.sanitizer import (
    BadImage,
    BadImageError,
    CleanImage,
    ImageSanitizer,
    SanitizerBusyError,
    SanitizerUnavailableError,
)
from services.integrations.storage.protocol import Link, PendingLink, Storage, StorageError
from services.media.new_file import EXTENSIONS, POSTER_TYPE, THUMBNAIL_TYPE, CleanMedia, accompanying, new_file
from services.media.quota import UNLIMITED, StorageQuota
from telemetry.trace import span

log = structlog.get_logger(__name__)

MAX_WIDTH = 4096  # pixels, of a stored picture
_BUSY_RETRY = 5.0  # seconds after which a client whose turn did not come may try again
# Several processes find different files: `updated_at` of one that is being removed is in the future. On SQLite, which
# knows no row locks, one statement writes at a time, and it uses the index of the unsettled only if it is named.
_FIND_REMOVABLE = """
WITH found AS MATERIALIZED (
    SELECT id FROM files WHERE state = 'DELETING' AND state <> 'LIVE' AND updated_at <= NOW(){condition}
    ORDER BY updated_at {direction} LIMIT $1{lock})
UPDATE files SET updated_at = LATER($2) FROM found WHERE files.id = found.id
RETURNING {columns}"""


@dataclass(frozen=True)
class UploadLimits:
    """What clients may upload: the largest size in bytes, and the formats, detected by content."""

    max_bytes: int
    formats: frozenset[str]  # of JPEG, PNG, WEBP, HEIC, AVIF

    @property
    def content_types(self) -> list[str]:
        """The content types of the formats."""
        return sorted(CONTENT_TYPES[name] for name in self.formats)

    def too_large(self) -> Message:
        """Return the refusal of a picture of too many bytes, which says what its sender can do."""
        return message(
            "The picture is too large: it can have up to {megabytes} MiB. Please save it with fewer pixels or at a"
            " lower quality.",
            megabytes=f"{self.max_bytes / 2**20:.3g}",
        )


class FileService:
    """Sanitizes pictures; stores, links and removes them and videos.

    `claim_seconds`: for which a process alone removes the files that it found; after its death, others do then.
    """

    def __init__(
        self,
        storage: Storage,
        sanitizer: ImageSanitizer,
        limits: UploadLimits,
        quota: StorageQuota = UNLIMITED,
        claim_seconds: float = 30.0,
    ) -> None:
        self._claim_seconds = claim_seconds
        self._storage = storage
        self._sanitizer = sanitizer
        self.limits = limits
        self._quota = quota

    async def check_upload(self, data: bytes, *, account: str, field: tuple[str, ...] = ("image",)) -> CleanImage:
        """Return a client's picture, decoded and sanitized; nothing is stored. `field`: of the input that holds it.

        `account`: the id of the client's account, whose pictures are decoded one after another.

        Raises:
            InvalidInputError: it is not an accepted picture.
            RateLimitedError: its turn did not come in time.
            UnavailableError: it cannot be decoded right now.
        """
        try:
            return await self._sanitizer.clean(
                data, max_bytes=self.limits.max_bytes, formats=self.limits.formats, account=account
            )
        except SanitizerBusyError:
            log.warning("sanitizer.busy", account=account)
            text = message(
                "Many pictures are waiting to be read. Please try again in {seconds} seconds.",
                seconds=round(_BUSY_RETRY),
            )
            raise RateLimitedError(_BUSY_RETRY, text) from None
        except SanitizerUnavailableError as error:
            log.error("sanitizer.unavailable", error=str(error))
            raise UnavailableError from None
        except BadImageError as error:
            raise self._refusal(error, field) from None

    def _refusal(self, error: BadImageError, field: tuple[str, ...]) -> InvalidInputError:
        texts = {
            BadImage.EMPTY: message("The picture is empty."),
            BadImage.TOO_MANY_BYTES: self.limits.too_large(),
            BadImage.UNSUPPORTED_FORMAT: self._unsupported_format(str(error.details.get("format", ""))),
            BadImage.TOO_MANY_PIXELS: _too_many_pixels(error.details),
            BadImage.TOO_SLOW: message("The picture takes too long to decode. Please save it in another way."),
            BadImage.DAMAGED: message("The picture is damaged or incomplete."),
        }
        return InvalidInputError(texts[error.reason], field=field)

    def _unsupported_format(self, found: str) -> Message:
        formats = ", ".join(sorted(self.limits.formats - {found}))
        if found == "HEIC":
            return message(
                "HEIC pictures cannot be read here. On an iPhone, choose Settings > Camera > Formats > Most Compatible"
                " and take the photo again, or send it in one of these formats: {formats}.",
                formats=formats,
            )
        return message("The picture must be one of: {formats}.", formats=formats)

    async def store(
        self,
        owner_id: str,
        kind: FileKind,
        media: CleanMedia,
        write_row: Callable[[File], Awaitable[None]] | None = None,
    ) -> File:
        """Write the row, then the bytes. The file stays PENDING until a transaction that uses it calls `mark_live`.

        `write_row`: writes the row together with what else changes; then the caller also calls `abandon` if it finds
        the file swept.

        Raises:
            StorageFullError: it is an ORIGINAL and exceeds the account's quota; nothing is stored.
            NotFoundError: it is an ORIGINAL, and the account was deleted.
            UploadFailedError: storing it failed; the sweeper removes what was written.
        """
        file = new_file(owner_id, kind, media)
        await (write_row(file) if write_row else run_tx(self._write_row, file))
        crashpoint("file.row_written")
        try:
            await self._write_bytes(file, media)
        except StorageError:
            log.exception("file.store_failed", file=file.id)
            await self.discard(file.id)
            raise self._not_stored() from None
        if write_row is None and not await File.exists(id=file.id, state=FileState.PENDING):
            # This process stalled until the sweeper deleted the row, which was the only record of the bytes.
            log.warning("file.swept_while_storing", file=file.id)
            await self._remove_bytes(file)
            raise self._not_stored()
        crashpoint("file.bytes_written")
        return file

    async def _write_row(self, file: File) -> None:
        if file.kind is FileKind.ORIGINAL:  # a result is paid for, so it is stored in any case
            await account_change.lock_account(file.owner_id)
            await self._quota.check_bytes(file.owner_id, file.byte_size)
        await file.save(force_create=True)

    async def _write_bytes(self, file: File, media: CleanMedia) -> None:
        async def write_media() -> None:
            with span("storage.put", kind=file.kind.value, bytes=len(media.data)):
                await self._storage.put(file.key, media.data, media.content_type)
            crashpoint("file.picture_written")

        others = (self._storage.put(*stored) for stored in accompanying(file, media))
        # Concurrently, and each to its end: bytes written after the file is discarded would be orphaned.
        outcomes = await asyncio.gather(write_media(), *others, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    @staticmethod
    def _not_stored() -> UploadFailedError:
        return UploadFailedError(message("The picture could not be stored. Please try again."))

    async def read(self, file: StoredFile) -> bytes:
        """Return the stored bytes. Raises StorageError."""
        with span("storage.get", kind=str(file.kind), bytes=file.byte_size):
            return await self._storage.get(file.key)

    async def read_as(self, file: StoredFile, format: str | None, quality: int | None = None) -> tuple[bytes, str]:
        """Return the bytes of a picture and their format: JPEG, PNG or WEBP.

        `format`: that is wanted; the stored one where it is None, or the picture cannot be converted. `quality`: 0 to
        100, of JPEG and WebP that are made for this.

        Raises:
            StorageError: it cannot be read.
        """
        data, stored = await self.read(file), FORMAT_NAMES[file.content_type]
        if format is None or format == stored:
            return data, stored
        options = {} if quality is None else {"quality": quality}
        try:
            return await self._sanitizer.convert(data, format, account=file.owner_id, **options), format
        except (BadImageError, SanitizerUnavailableError) as error:
            log.warning("file.not_converted", file=file.id, format=format, error=error)
            return data, stored

    async def discard(self, file_id: str) -> None:
        """Discard a file that nothing uses; the sweeper removes it."""
        await rows(
            "UPDATE files SET state = 'DELETING', updated_at = NOW() WHERE id = $1 AND state = 'PENDING'", file_id
        )

    async def abandon(self, file: File) -> None:
        """Discard a file that was to be used; if the sweeper has removed its row, the only record, remove the bytes."""
        await self.discard(file.id)
        if not await File.exists(id=file.id):
            log.warning("file.swept_while_storing", file=file.id)
            await self._remove_bytes(file)

    async def find_removable(self, limit: int, orphan_seconds: float) -> list[File]:
        """Discard files that have been PENDING for `orphan_seconds`; claim and return DELETING files.

        Half of them are those that have waited longest, and half the newest: a user who deletes one picture does not
        wait until all of an account with thousands are removed. Files whose removal has failed are none of the newest.
        """
        marked = await rows(
            "UPDATE files SET state = 'DELETING', updated_at = NOW()"
            " WHERE state = 'PENDING' AND state <> 'LIVE' AND updated_at < LATER($1) RETURNING id",
            -float(orphan_seconds),
        )
        if marked:
            crashpoint("sweeper.files_marked")
        half = (limit + 1) // 2
        oldest = await self._claim_removable(half, "", "ASC")
        if len(oldest) < half:
            return oldest
        return [*oldest, *await self._claim_removable(limit - len(oldest), " AND removal_failed_at IS NULL", "DESC")]

    async def _claim_removable(self, limit: int, condition: str, direction: str) -> list[File]:
        lock = " FOR UPDATE SKIP LOCKED" if dialect() == "postgres" else ""
        statement = _FIND_REMOVABLE.format(
            condition=condition, direction=direction, lock=lock, columns=columns(File, "files")
        )
        return [from_row(File, row) for row in await rows(statement, limit, self._claim_seconds)]

    async def release(self, files: Sequence[File]) -> None:
        """Let any process find these files again at once, which `find_removable` has claimed."""
        ids = [file.id for file in files]
        await rows(f"UPDATE files SET updated_at = NOW() WHERE id IN ({placeholders(ids)}) RETURNING id", *ids)  # noqa: S608 - placeholders

    async def remove(self, file: File) -> bool:
        """Remove the bytes, then the row, of a DELETING file; False if the storage fails."""
        if not await self._remove_bytes(file):
            # To the end of the queue, so that files which cannot be removed do not block those which can.
            await rows("UPDATE files SET updated_at = NOW(), removal_failed_at = NOW() WHERE id = $1", file.id)
            return False
        crashpoint("file.bytes_removed")
        await File.filter(id=file.id, state=FileState.DELETING).delete()
        return True

    async def _remove_bytes(self, file: File) -> bool:
        try:
            previews = [file.preview_key] if file.kind is FileKind.RESULT else []
            posters = [file.poster_key] if file.is_video else []
            others = (self._storage.delete(key) for key in (*previews, *posters, *file.thumbnail_keys))
            outcomes = await asyncio.gather(*others, return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
            crashpoint("file.thumbnail_removed")
            await self._storage.delete(file.key)
        except StorageError:
            log.exception("file.remove_failed", file=file.id)
            return False
        return True

    def link(self, file: StoredFile) -> Link | PendingLink:
        """Return a signed link to the picture or video."""
        return self._link(file.key, file.content_type)

    def download_link(self, file: StoredFile, name: str) -> Link | PendingLink:
        """Return a signed link that makes a browser save the file as `name` with the right extension."""
        return self._link(file.key, file.content_type, f"{name}.{EXTENSIONS[file.content_type]}")

    def poster_link(self, file: StoredFile) -> Link | PendingLink:
        """Return a signed link to the poster of a video."""
        return self._link(file.poster_key, POSTER_TYPE)

    def thumbnail_link(self, file: StoredFile, width: int) -> Link | PendingLink:
        """Return a signed link to the thumbnail that `narrowest` chooses, else to the picture itself, or the poster.

        Raises:
            InvalidInputError: the width is out of range.
        """
        widths = file.thumbnail_widths
        found = narrowest(widths, width)
        if found is None:
            return self.poster_link(file) if file.is_video else self.link(file)
        return self._link(thumbnail_key(file.key, found, widths), THUMBNAIL_TYPE)

    def _link(self, key: str, content_type: str, download_as: str | None = None) -> Link | PendingLink:
        """Return a signed link, or one to wait for where the storage has to wait for its credentials."""
        return self._storage.sign(key, content_type, download_as) or PendingLink(
            partial(self._storage.link, key, content_type, download_as=download_as)
        )


def _too_many_pixels(details: dict[str, Any]) -> Message:
    """Return the refusal of a picture. `details`: of BadImageError; empty if its decoding took too much memory."""
    if "width" not in details:
        return message("Decoding the picture takes too much memory. Please save it with fewer pixels, or as a JPEG.")
    width, height = int(details["width"]), int(details["height"])
    if max(width, height) > details["side"]:
        return message(
            "The picture has {width} x {height} pixels; its sides can have up to {limit}.",
            width=width,
            height=height,
            limit=details["side"],
        )
    return message(
        "The picture has too many pixels: {megapixels} megapixels ({width} x {height}); at most {limit} are accepted.",
        megapixels=f"{math.ceil(width * height / 100_000) / 10:g}",
        width=width,
        height=height,
        limit=f"{details['pixels'] / 1_000_000:g}",
    )


def narrowest(widths: Sequence[int], wanted: int) -> int | None:
    """Return the narrowest thumbnail of at least `wanted` pixels; None: use the picture itself.

    Raises:
        InvalidInputError: the width is out of range.
    """
    if not 1 <= wanted <= MAX_WIDTH:
        raise InvalidInputError(message("A width is 1 to {limit} pixels.", limit=MAX_WIDTH), field=("width",))
    for width in widths:
        if width >= wanted:
            return width
    return None


async def mark_live(file_id: str) -> bool:
    """Make a PENDING file LIVE inside the transaction that refers to it; False if the sweeper discarded it first."""
    found = await rows(
        "UPDATE files SET state = 'LIVE', updated_at = NOW() WHERE id = $1 AND state = 'PENDING' RETURNING id", file_id
    )
    return bool(found)
