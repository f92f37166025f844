"""The row of a sanitized picture or video, and the objects that are stored for it."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from models import File
from models.enum import FileKind
from services.integrations.images import formats as images
from services.integrations.images.sanitizer import CleanImage
from services.integrations.videos import formats as videos
from services.integrations.videos.sanitizer import CleanVideo

CleanMedia: TypeAlias = CleanImage | CleanVideo

THUMBNAIL_TYPE = "image/webp"
POSTER_TYPE = "image/jpeg"
EXTENSIONS = images.EXTENSIONS | videos.EXTENSIONS  # of file names, by content type


class StoredObject(NamedTuple):
    """An object in the storage."""

    key: str
    data: bytes
    content_type: str


def new_file(owner_id: str, kind: FileKind, media: CleanMedia) -> File:
    """Return the row of a picture or a video that is not stored yet."""
    poster = media.poster if isinstance(media, CleanVideo) else None
    picture = media if isinstance(media, CleanImage) else media.poster
    return File(
        owner_id=owner_id,
        kind=kind,
        content_type=media.content_type,
        byte_size=len(media.data),
        width=media.width,
        height=media.height,
        sha256=media.sha256,
        thumbnail_widths=sorted(picture.thumbnails),
        placeholder=picture.placeholder,
        duration=media.seconds if isinstance(media, CleanVideo) else None,
        poster_bytes=len(poster.data) if poster else 0,
    )


def accompanying(file: File, media: CleanMedia) -> Iterator[StoredObject]:
    """Yield what is stored beside a file: a video's poster, and the thumbnails."""
    picture = media if isinstance(media, CleanImage) else media.poster
    if isinstance(media, CleanVideo):
        yield StoredObject(file.poster_key, picture.data, picture.content_type)
    for width, data in picture.thumbnails.items():
        yield StoredObject(file.thumbnail_key_of(width), data, THUMBNAIL_TYPE)
