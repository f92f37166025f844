"""Open the reference photo of a request: opaque pixels, of a limited size."""

import io

from PIL import Image, UnidentifiedImageError

_FORMATS = ("JPEG", "PNG", "WEBP")
_MAX_PIXELS = 50_000_000  # 150 MB decoded; the sanitizer accepts far less


class UnreadablePhotoError(Exception):
    """The photo cannot be opened; the text is the reason, for the log."""


def open_photo(data: bytes, side: int) -> Image.Image:
    """Open a photo as RGB on white, at about `side` pixels on the long side or more, if it has that many.

    Raises:
        UnreadablePhotoError: malformed, truncated, too large, or of another format.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as photo:
            if photo.width * photo.height > _MAX_PIXELS:
                raise UnreadablePhotoError(f"{photo.width}x{photo.height} pixels")
            photo.draft("RGB", (side, side))  # JPEG can be decoded at a reduced size
            return _opaque(photo)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise UnreadablePhotoError(f"{type(error).__name__}: {error}") from error


def _opaque(photo: Image.Image) -> Image.Image:
    if not photo.has_transparency_data:
        return photo.convert("RGB")
    layered = photo.convert("RGBA")
    ground = Image.new("RGBA", layered.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, layered).convert("RGB")
