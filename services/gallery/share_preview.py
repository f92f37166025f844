"""Previews of shared pictures and videos for chats: small JPEGs, made at the first request and stored beside them."""

import asyncio
from collections import Counter
from functools import partial

import structlog

from models import File
from models.enum import FileState
from services.core.error import UnavailableError
from services.integrations.fair_slots import FairSlots
from services.integrations.images.sanitizer import BadImageError, ImageSanitizer, SanitizerUnavailableError
from services.integrations.storage.protocol import MissingObjectError, Storage

log = structlog.get_logger(__name__)

PREVIEW_TYPE = "image/jpeg"  # every chat shows it; some show no WebP
MAX_BYTES = 300_000  # WhatsApp shows no larger ones
BOX = (1200, 2400)  # pixels: the width that large previews have everywhere, and twice that for tall pictures
# Tried in this order. Even coloured noise of this size fits with the last; black and white noise is made smaller.
_QUALITIES = (85, 75, 65, 55, 45, 30, 15, 5)
_MAX_WAIT = 10.0  # seconds for a turn; chats wait about as long
_MAX_WAITING = 200  # previews of this process that are being made or wait for it
_MAX_WAITING_PER_OWNER = 4


def preview_size(file: File) -> tuple[int, int]:
    """Return width and height of a picture's preview in pixels, made or not; black and white noise has fewer."""
    longest = max(BOX)  # the sanitizer decodes into a square first
    return _fit(_fit((file.width, file.height), (longest, longest)), BOX)


def _fit(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, box[0] / size[0], box[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


class SharePreviews:
    """Reads previews, and makes those that are missing.

    Anyone may request them, so they are made one at a time in each process, the owners of the pictures take turns with
    a few each, and concurrent requests for one picture wait for the same work. Each is made once: it is stored until
    its picture is removed.
    """

    def __init__(self, storage: Storage, sanitizer: ImageSanitizer) -> None:
        self._storage = storage
        self._sanitizer = sanitizer
        self._turns = FairSlots(total=1, per_key=1)
        self._making: dict[str, asyncio.Task[bytes]] = {}  # by file
        self._owners: Counter[str] = Counter()  # of those files

    async def find(self, file: File) -> bytes | None:
        """Return the stored preview; None if there is none yet. Raises StorageError."""
        try:
            return await self._storage.get(file.preview_key)
        except MissingObjectError:
            return None

    async def make(self, file: File) -> bytes:
        """Make and store the preview of a shared picture, at most MAX_BYTES, unless it was stored meanwhile.

        Raises:
            MissingObjectError: the picture was removed, or is none.
            StorageError: the storage does not respond.
            UnavailableError: it cannot be made right now, or too many of this owner wait.
        """
        making = self._making.get(file.id)
        if making is None:
            if len(self._making) >= _MAX_WAITING or self._owners[file.owner_id] >= _MAX_WAITING_PER_OWNER:
                raise UnavailableError
            making = self._making[file.id] = asyncio.create_task(self._make(file))
            self._owners[file.owner_id] += 1
            making.add_done_callback(partial(self._finish, file))
        return await asyncio.shield(making)

    def _finish(self, file: File, task: asyncio.Task[bytes]) -> None:
        del self._making[file.id]
        self._owners[file.owner_id] -= 1
        if not self._owners[file.owner_id]:
            del self._owners[file.owner_id]
        if not task.cancelled():
            task.exception()  # retrieved, even if every client has left

    async def _make(self, file: File) -> bytes:
        try:
            async with asyncio.timeout(_MAX_WAIT):
                await self._turns.acquire(file.owner_id)
        except TimeoutError:
            raise UnavailableError from None
        try:
            return await self.find(file) or await self._make_and_store(file)
        except SanitizerUnavailableError as error:
            log.warning("share.preview_failed", file=file.id, error=error)
            raise UnavailableError from None
        except BadImageError as error:
            log.warning("share.preview_failed", file=file.id, error=error)
            raise MissingObjectError(file.key) from None
        finally:
            self._turns.release(file.owner_id)

    async def _make_and_store(self, file: File) -> bytes:
        preview = await self._sanitizer.reduce(
            await self._storage.get(file.picture_key),
            max_bytes=MAX_BYTES,
            box=BOX,
            opaque=True,
            qualities=_QUALITIES,
            account=f"preview:{file.owner_id}",  # visitors must not take the turn of the owner's own uploads
        )
        await self._storage.put(file.preview_key, preview.data, PREVIEW_TYPE)
        if not await File.exists(id=file.id, state=FileState.LIVE):
            # Deleted meanwhile, and the sweeper may have been here already.
            await self._storage.delete(file.preview_key)
            raise MissingObjectError(file.key)
        return preview.data
