"""Checks of uploaded pictures within the rate limits: refused pictures count against the account that sent them."""

import contextlib
from collections.abc import AsyncIterator

from services.core.error import InvalidInputError
from services.core.rate_limit import RateLimits
from services.integrations.images.sanitizer import CleanImage
from services.media.data_url import decode_data_url
from services.media.file import FileService
from services.media.upload import UploadService


class PictureChecks:
    """Decodes the pictures that clients send."""

    def __init__(self, files: FileService, uploads: UploadService, rates: RateLimits) -> None:
        self._files = files
        self._uploads = uploads
        self._rates = rates

    async def read_data_url(self, user_id: str, text: str, field: tuple[str, ...]) -> bytes:
        """Return the bytes of the picture in a data URL, which are not checked yet. `field`: of the input.

        Raises:
            InvalidInputError: it is no data URL, or too long, which is counted.
            RateLimitedError: as `check`.
        """
        async with self._counted(user_id):
            return await decode_data_url(text, self._files.limits, field)

    async def check(self, user_id: str, data: bytes, field: tuple[str, ...] = ("image",)) -> CleanImage:
        """Return the picture, decoded and sanitized; nothing is stored. `field`: of the input that holds it.

        Raises:
            InvalidInputError: it is not an accepted picture, which is counted.
            RateLimitedError: too many pictures of the account were refused, or are waiting to be decoded.
            UnavailableError: it cannot be decoded right now.
        """
        async with self._counted(user_id):
            return await self._files.check_upload(data, account=user_id, field=field)

    async def check_upload(self, user_id: str, upload_id: str) -> CleanImage:
        """Return the picture that was sent ahead, as `check` does; if that is limited, it is not even read.

        Raises:
            NotFoundError: the upload does not exist, belongs to another user, has expired, or has no bytes yet.
            InvalidInputError, RateLimitedError, UnavailableError: as `check`.
        """
        async with self._counted(user_id):
            data = await self._uploads.read(user_id, upload_id)
            return await self._files.check_upload(data, account=user_id, field=("uploadId",))

    async def photo(
        self, user_id: str, data: bytes | None, upload_id: str | None, field: tuple[str, ...] = ("image",)
    ) -> CleanImage | None:
        """Return the picture of a request, sent with it or ahead, as `check` does; None if it has none.

        Raises:
            NotFoundError, InvalidInputError, RateLimitedError, UnavailableError: as `check` and `check_upload`.
        """
        if upload_id is not None:
            return await self.check_upload(user_id, upload_id)
        return await self.check(user_id, data, field) if data is not None else None

    @contextlib.asynccontextmanager
    async def _counted(self, user_id: str) -> AsyncIterator[None]:
        with self._rates.decoding(user_id):
            await self._rates.check_refused_pictures(user_id)
            try:
                yield
            except InvalidInputError:
                await self._rates.hit_refused_picture(user_id)
                raise
