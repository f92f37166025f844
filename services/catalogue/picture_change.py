"""Changes of styles' pictures: each is a small copy of a finished result, stored under a key of its own."""

import hashlib
from collections.abc import Sequence

import structlog

from models import AuditEntry, Generation, Style, StylePicture, User
from models.database.connection import rows, run_tx
from models.enum import AdminAction, FileState, GenerationStatus
from models.media import File
from services.catalogue.custom_style import changeable_style
from services.catalogue.style_change import differences
from services.catalogue.style_picture import discard_pictures
from services.core.crashpoint import crashpoint
from services.core.error import (
    ConflictError,
    NotFoundError,
    UnavailableError,
    UploadFailedError,
)
from services.core.message import message
from services.core.text import clean_optional_reason
from services.events import account_change, audit_log
from services.events.publisher import EventPublisher
from services.integrations.images.sanitizer import (
    BadImageError,
    ImageSanitizer,
    ReducedImage,
    SanitizerUnavailableError,
)
from services.integrations.storage.protocol import MissingObjectError, Storage, StorageError
from services.products.style_picture import CONTENT_TYPE, MAX_BYTES, SIDE

log = structlog.get_logger(__name__)

_STYLE, _GENERATION = ("styleId",), ("generationId",)
_QUALITIES = (84, 76, 68, 60, 50, 40, 28, 16)  # of WebP, tried in this order before the size is reduced


class StylePictureChanges:
    """Sets and removes the pictures of styles, and removes the bytes of those that were replaced.

    Like other changes of styles they increase no account's version; only admin actions are published.
    """

    def __init__(
        self, storage: Storage, sanitizer: ImageSanitizer, events: EventPublisher, orphan_seconds: float
    ) -> None:
        self._storage = storage
        self._sanitizer = sanitizer
        self._events = events
        self._orphan_seconds = orphan_seconds

    async def set(
        self, user: User, style_id: str, generation_id: str | None, reason: str | None = None, *, is_admin: bool
    ) -> Style:
        """Make a copy of a result, or of a video's poster, the picture of a style; None removes the one that was set.

        The copy is independent of the generation, which may be deleted. Setting the same picture again changes nothing.
        `reason`: an admin's, for the audit log, which has the changes of the catalogue alone.

        Raises:
            InvalidInputError: the reason is invalid.
            NotFoundError: this account may not change the style, or has no such generation.
            ConflictError: the generation is not completed.
            UnavailableError, UploadFailedError: it cannot be copied; nothing is changed.
        """
        clean = clean_optional_reason(reason)
        result = await _result(user, generation_id) if generation_id is not None else None
        style = await changeable_style(user, style_id, is_admin=is_admin, field=_STYLE)
        if generation_id is None or result is None:
            return await self._use(user, style_id, None, None, clean, is_admin=is_admin)
        copy = await self._copy(user, result)
        digest = hashlib.sha256(copy.data).hexdigest()
        if style.picture_id is not None and await StylePicture.exists(id=style.picture_id, sha256=digest):
            return style
        picture = await self._store(user.id, copy, digest)
        try:
            return await self._use(user, style_id, picture, (generation_id, result.id), clean, is_admin=is_admin)
        except BaseException:
            await self._abandon(picture)
            raise

    async def _copy(self, user: User, result: File) -> ReducedImage:
        try:
            return await self._sanitizer.reduce(
                await self._storage.get(result.picture_key),
                max_bytes=MAX_BYTES,
                box=(SIDE, SIDE),
                as_webp=True,
                qualities=_QUALITIES,
                account=user.id,
            )
        except MissingObjectError:
            raise NotFoundError(field=_GENERATION) from None
        except (StorageError, SanitizerUnavailableError) as error:
            log.warning("style_picture.copy_failed", file=result.id, error=error)
            raise UnavailableError from None
        except BadImageError as error:
            log.warning("style_picture.copy_failed", file=result.id, error=error)
            raise _not_stored() from None

    async def _store(self, user_id: str, copy: ReducedImage, digest: str) -> StylePicture:
        picture = StylePicture(
            owner_id=user_id, byte_size=len(copy.data), width=copy.width, height=copy.height, sha256=digest
        )
        await picture.save(force_create=True)
        crashpoint("file.row_written")
        try:
            await self._storage.put(picture.key, copy.data, CONTENT_TYPE)
        except StorageError:
            log.exception("style_picture.store_failed", picture=picture.id)
            await self._abandon(picture)
            raise _not_stored() from None
        crashpoint("file.bytes_written")
        return picture

    async def _use(
        self,
        user: User,
        style_id: str,
        picture: StylePicture | None,
        source: tuple[str, str] | None,
        reason: str | None,
        *,
        is_admin: bool,
    ) -> Style:
        style, action = await run_tx(_use, user, style_id, picture, source, reason, is_admin)
        if action is not None:
            await self._events.admin_action(None, action)
        return style

    async def _abandon(self, picture: StylePicture) -> None:
        """Discard a picture that was to be used; if its row, the only record, was swept, remove the bytes."""
        await rows(
            "UPDATE style_pictures SET state = 'DELETING', updated_at = NOW() WHERE id = $1 AND state = 'PENDING'",
            picture.id,
        )
        if not await StylePicture.exists(id=picture.id):
            log.warning("style_picture.swept_while_storing", picture=picture.id)
            await self._remove_bytes(picture)

    async def find_removable(self, limit: int) -> Sequence[StylePicture]:
        """Discard pictures that have been PENDING for too long; return DELETING ones, oldest first."""
        await rows(
            "UPDATE style_pictures SET state = 'DELETING', updated_at = NOW()"
            " WHERE state = 'PENDING' AND updated_at < LATER($1) RETURNING id",
            -float(self._orphan_seconds),
        )
        return await StylePicture.filter(state=FileState.DELETING).order_by("updated_at").limit(limit)

    async def remove(self, picture: StylePicture) -> bool:
        """Remove the bytes, then the row, of a DELETING picture; False if the storage fails."""
        if not await self._remove_bytes(picture):
            await rows("UPDATE style_pictures SET updated_at = NOW() WHERE id = $1", picture.id)  # others first
            return False
        crashpoint("file.bytes_removed")
        await StylePicture.filter(id=picture.id, state=FileState.DELETING).delete()
        return True

    async def _remove_bytes(self, picture: StylePicture) -> bool:
        try:
            await self._storage.delete(picture.key)
        except StorageError:
            log.exception("style_picture.remove_failed", picture=picture.id)
            return False
        return True


def _not_stored() -> UploadFailedError:
    return UploadFailedError(message("The picture could not be stored. Please try again."))


async def _result(user: User, generation_id: str) -> File:
    """Return the result of the user's generation. Raises NotFoundError, ConflictError."""
    found = await Generation.present().get_or_none(id=generation_id, user_id=user.id)
    if found is None:
        raise NotFoundError(field=_GENERATION)
    if found.status is not GenerationStatus.COMPLETED or found.result is None:
        raise ConflictError(message("Only a finished picture can become the picture of a style."), field=_GENERATION)
    return found.result


async def _use(
    user: User,
    style_id: str,
    picture: StylePicture | None,
    source: tuple[str, str] | None,
    reason: str | None,
    is_admin: bool,
) -> tuple[Style, AuditEntry | None]:
    """Refer to the new picture and discard the earlier one. `source`: the generation and its result, still there."""
    await account_change.lock_account(user.id)  # the order of locks; a deletion of the generation takes it, too
    if source is not None:
        generation_id, result_id = source
        if not await Generation.exists(id=generation_id, user_id=user.id, result_id=result_id, deleted_at=None):
            raise NotFoundError(field=_GENERATION)
    style = await changeable_style(user, style_id, is_admin=is_admin, field=_STYLE, lock=True)
    earlier = style.picture_id
    if picture is None and earlier is None:
        return style, None
    if picture is not None and not await _mark_live(picture):
        raise _not_stored()  # this process stalled until the sweeper discarded it
    style.picture_id, style.picture_folder_id = (picture.id if picture is not None else None), None
    action = None
    if style.owner_id is None:
        difference = differences({"picture": earlier}, {"picture": style.picture_id})
        action = await audit_log.record(user.id, AdminAction.UPDATE_STYLE, style.id, **difference, reason=reason)
    await style.save(update_fields=["picture_id", "picture_folder_id", "updated_at"])
    if earlier is not None:
        await discard_pictures([earlier])
    return style, action


async def _mark_live(picture: StylePicture) -> bool:
    found = await rows(
        "UPDATE style_pictures SET state = 'LIVE', updated_at = NOW() WHERE id = $1 AND state = 'PENDING' RETURNING id",
        picture.id,
    )
    return bool(found)
