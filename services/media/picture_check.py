"""Checks of uploaded pictures within the rate limits: refused pictures count against the account that sent them."""

from services.core.error import InvalidInputError
from services.core.rate_limit import RateLimits
from services.integrations.images.sanitizer import CleanImage
from services.media.file import FileService


class PictureChecks:
    """Decodes the pictures that clients send."""

    def __init__(self, files: FileService, rates: RateLimits) -> None:
        self._files = files
        self._rates = rates

    async def check(self, user_id: str, data: bytes, *, field: str = "image") -> CleanImage:
        """Return the picture, decoded and sanitized; nothing is stored. `field`: of the input that names it.

        Raises:
            InvalidInputError: it is not an accepted picture, which is counted.
            RateLimitedError: too many pictures of the account were refused, or are waiting to be decoded.
            UnavailableError: it cannot be decoded right now.
        """
        with self._rates.decoding(user_id):
            await self._rates.check_refused_pictures(user_id)
            try:
                return await self._files.check_upload(data, account=user_id, field=field)
            except InvalidInputError:
                await self._rates.hit_refused_picture(user_id)
                raise
