"""Direct uploads: created here, sent by the client straight to the storage, read when a request names them."""

from datetime import UTC, datetime, timedelta

import structlog

from models import Upload
from models.database.connection import rows, run_tx
from services.core.crashpoint import crashpoint
from services.core.error import InvalidInputError, NotFoundError, QuotaExceededError, UnavailableError
from services.core.idempotency import check_key, key_conflict
from services.core.message import message
from services.core.problems import Problems
from services.events import account_change
from services.integrations.images.formats import normalize_content_type
from services.integrations.storage.protocol import MissingObjectError, Storage, StorageError, Target, TooLargeError
from services.media.file import UploadLimits
from services.media.quota import UNLIMITED, StorageQuota
from telemetry.created import note_created

log = structlog.get_logger(__name__)

MAX_UPLOADS = 20  # of one account at a time
_MISSING = ("uploadId",)


class UploadService:
    """Creates, reads and removes uploads. One exists for `seconds`, and accepts bytes for the first half of them.

    So even a slow client finishes before the sweeper removes the upload: no bytes arrive after their row was deleted.
    """

    def __init__(self, storage: Storage, limits: UploadLimits, seconds: int, quota: StorageQuota = UNLIMITED) -> None:
        self._storage = storage
        self._limits = limits
        self._types = limits.content_types
        self.seconds = seconds
        self._quota = quota

    async def create(
        self, user_id: str, content_type: str, byte_size: int, idempotency_key: str | None
    ) -> tuple[Upload, Target]:
        """Write the row, then return it with the target for the bytes.

        The same idempotency key with the same input returns the same upload, as long as that accepts bytes.

        Raises:
            InvalidInputError, ConflictError, QuotaExceededError, StorageFullError, UnavailableError: no upload was
            created.
        """
        problems = Problems()
        content_type = normalize_content_type(content_type)
        if content_type not in self._types:
            text = message("The content type must be one of: {types}.", types=", ".join(self._types))
            problems.add([InvalidInputError(text, field=("contentType",))])
        if byte_size < 1:
            problems.add([InvalidInputError(message("The picture is empty."), field=("byteSize",))])
        if byte_size > self._limits.max_bytes:
            problems.add([InvalidInputError(self._limits.too_large(), field=("byteSize",))])
        with problems:
            if idempotency_key is not None:
                check_key(idempotency_key)
        problems.check()
        upload = await run_tx(self._create_row, user_id, content_type, byte_size, idempotency_key)
        crashpoint("upload.row_written")
        note_created([upload.id])
        try:
            target = await self._storage.upload_target(
                upload.key,
                upload.content_type,
                byte_size=upload.byte_size,
                seconds=max(self._seconds_to_send(upload), 1),
            )
        except StorageError:
            log.exception("upload.target_failed", upload=upload.id)
            raise UnavailableError from None
        return upload, target

    async def _create_row(self, user_id: str, content_type: str, byte_size: int, key: str | None) -> Upload:
        # Locks the account's row first, as everywhere; the version stays the same, because it does not cover uploads.
        # The lock serializes concurrent duplicates, which counting in the INSERT statement would not.
        await account_change.lock_account(user_id)
        known = await Upload.get_or_none(owner_id=user_id, idempotency_key=key) if key is not None else None
        if known is not None:
            if self._seconds_to_send(known) > 0:
                if (known.content_type, known.byte_size) != (content_type, byte_size):
                    raise key_conflict()
                return known
            await Upload.filter(id=known.id).update(idempotency_key=None)
        await self._check_quota(user_id, byte_size)
        upload = Upload(owner_id=user_id, content_type=content_type, byte_size=byte_size, idempotency_key=key)
        await rows(
            # With the database's clock, which the sweeper uses, too.
            "INSERT INTO uploads (id, owner_id, content_type, byte_size, idempotency_key, created_at)"
            " VALUES ($1, $2, $3, $4, $5, NOW()) RETURNING id",
            upload.id,
            user_id,
            content_type,
            byte_size,
            key,
        )
        return await Upload.get(id=upload.id)

    async def _check_quota(self, user_id: str, byte_size: int) -> None:
        lifetime = timedelta(seconds=self.seconds)
        current = await Upload.filter(owner_id=user_id, created_at__gt=datetime.now(UTC) - lifetime).order_by(
            "created_at"
        )
        if len(current) >= MAX_UPLOADS:
            text = message("At most {limit} uploads can be waiting at a time.", limit=MAX_UPLOADS)
            raise QuotaExceededError(text, resets_at=current[-MAX_UPLOADS].created_at + lifetime)
        # Those that are waiting take room as well, with their declared sizes.
        await self._quota.check_bytes(user_id, byte_size + sum(upload.byte_size for upload in current))

    def _seconds_to_send(self, upload: Upload) -> int:
        """Return for how many seconds an upload still accepts bytes."""
        return int(self.seconds / 2 - (datetime.now(UTC) - upload.created_at).total_seconds())

    async def read(self, user_id: str, upload_id: str) -> bytes:
        """Return the uploaded bytes, unchanged.

        Raises:
            NotFoundError: it does not exist, belongs to another user, has expired, or has no bytes yet.
            InvalidInputError: another number of bytes was sent than declared.
            UnavailableError: the storage does not respond.
        """
        found = await rows(
            "SELECT id FROM uploads WHERE id = $1 AND owner_id = $2 AND created_at > LATER($3)",
            upload_id,
            user_id,
            -float(self.seconds),
        )
        upload = await Upload.get_or_none(id=upload_id) if found else None
        if upload is None:
            raise NotFoundError(_MISSING)
        try:
            data = await self._storage.get(upload.key, max_bytes=upload.byte_size)
        except MissingObjectError:
            raise NotFoundError(_MISSING, message("The picture has not arrived yet.")) from None
        except TooLargeError:
            raise InvalidInputError(message("The file is larger than declared."), field=_MISSING) from None
        except StorageError:
            log.exception("upload.read_failed", upload=upload.id)
            raise UnavailableError from None
        if len(data) < upload.byte_size:  # not every store enforces the size
            raise InvalidInputError(message("The file is smaller than declared."), field=_MISSING)
        return data

    async def expired(self, limit: int) -> list[Upload]:
        """Return expired uploads, used or not."""
        found = await rows(
            # In random order, so that uploads which cannot be removed do not block those which can.
            "SELECT id FROM uploads WHERE created_at < LATER($1) ORDER BY RANDOM() LIMIT $2",
            -float(self.seconds),
            limit,
        )
        return await Upload.filter(id__in=[row["id"] for row in found])

    async def remove_bytes_of(self, user_id: str) -> None:
        """Remove the bytes of all uploads of an account at once. Raises StorageError.

        The rows stay until they expire, because more bytes may still arrive at targets that were issued.
        """
        for upload in await Upload.filter(owner_id=user_id):
            await self._storage.delete(upload.key)

    async def remove(self, upload: Upload) -> bool:
        """Remove the bytes, then the row; False if the storage fails."""
        try:
            await self._storage.delete(upload.key)
        except StorageError:
            log.exception("upload.remove_failed", upload=upload.id)
            return False
        crashpoint("upload.bytes_removed")
        await Upload.filter(id=upload.id).delete()
        return True
