"""Opening the photo a request brings: pixels only, opaque, never larger than memory allows."""

import io

from PIL import Image, UnidentifiedImageError

_FORMATS = ("JPEG", "PNG", "WEBP")
_MOST_PIXELS = 50_000_000  # 150 MB opened; the image sanitizer lets far less in


class UnreadablePhotoError(Exception):
    """These bytes are no photo we can open; the text says why, for the log."""


def open_photo(data: bytes, side: int) -> Image.Image:
    """RGB on white, about `side` pixels or more on the long side where the photo has that many.

    Raises:
        UnreadablePhotoError: broken, truncated, too large, or of another format.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as photo:
            if photo.width * photo.height > _MOST_PIXELS:
                raise UnreadablePhotoError(f"{photo.width}x{photo.height} pixels")
            photo.draft("RGB", (side, side))  # JPEG can be decoded small to begin with
            return _opaque(photo)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise UnreadablePhotoError(f"{type(error).__name__}: {error}") from error


def _opaque(photo: Image.Image) -> Image.Image:
    if not photo.has_transparency_data:
        return photo.convert("RGB")
    layered = photo.convert("RGBA")
    ground = Image.new("RGBA", layered.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, layered).convert("RGB")
