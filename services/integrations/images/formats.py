"""The picture formats: the one table of their content types, the other spellings of these, and file name endings."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class PictureFormat:
    """How a format is named outside: in headers, and at the end of file names."""

    content_type: str
    extension: str
    aliases: tuple[str, ...] = ()  # unregistered content types that clients send for it


class PngStorage(StrEnum):
    """What a PNG is stored as. One with a palette, and one that WebP makes no smaller, is a PNG in any case."""

    WEBP = "webp"  # high quality: about a fifth of the bytes
    WEBP_LOSSLESS = "webp-lossless"  # the same pixels
    PNG = "png"


FORMATS = {
    "JPEG": PictureFormat("image/jpeg", "jpg", ("image/jpg", "image/pjpeg", "image/jfif")),
    "PNG": PictureFormat("image/png", "png", ("image/x-png",)),
    "WEBP": PictureFormat("image/webp", "webp", ("image/x-webp",)),
    "HEIC": PictureFormat("image/heic", "heic", ("image/heif", "image/heic-sequence", "image/heif-sequence")),
    "AVIF": PictureFormat("image/avif", "avif", ("image/avif-sequence",)),
}
CONTENT_TYPES = {name: known.content_type for name, known in FORMATS.items()}
FORMAT_NAMES = {known.content_type: name for name, known in FORMATS.items()}
EXTENSIONS = {known.content_type: known.extension for known in FORMATS.values()}
_ALIASES = {alias: known.content_type for known in FORMATS.values() for alias in known.aliases}


def normalize_content_type(text: str) -> str:
    """Return a content type as the table spells it: without parameters, in lower case, aliases replaced.

    Case and parameters mean nothing in a picture's content type (RFC 9110, section 8.3.1), and clients send both:
    "Image/JPEG; charset=binary" is "image/jpeg". An unknown type is returned without them.
    """
    media_type = text.partition(";")[0].strip(" \t").lower()
    return _ALIASES.get(media_type, media_type)
