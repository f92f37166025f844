"""GraphQL types of media: files and uploads."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

import strawberry
from strawberry.scalars import JSON

import models
from models.generation_row import FileColumns
from models.media import StoredFile
from schema.runtime.context import Info
from schema.runtime.node import SourceClasses
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.gallery.download_name import file_name
from services.gallery.share import ShareLinks
from services.integrations.images.sanitizer import THUMBNAIL_WIDTHS
from services.integrations.storage.protocol import Link, Target
from services.media.file import narrowest

_DEFAULT_WIDTH = THUMBNAIL_WIDTHS[0]


@strawberry.type(description="A stored image or video.")
class MediaFile:
    row: strawberry.Private[StoredFile]
    name: strawberry.Private[Callable[[], str]]  # suggested for downloads, without the extension
    # For a shared file: signed URLs would reveal the storage key, which contains the account's ID.
    shared: strawberry.Private[ShareLinks | None]
    is_type_of = SourceClasses(FileColumns)
    id: strawberry.ID = strawberry.field(
        description="The same whatever the URLs are at the moment, and another one in the public view of a share. "
        "`node` does not find it."
    )
    content_type: str
    byte_size: int = strawberry.field(description="Size in bytes.")
    width: int | None = strawberry.field(description="Pixels, in upright orientation; null: unknown.")
    height: int | None = strawberry.field(description="Pixels, in upright orientation; null: unknown.")
    duration: float | None = strawberry.field(description="Seconds, of a video; null for an image.")
    placeholder: str | None = strawberry.field(
        description="A tiny image as a data: URI of about 100 bytes, to show while the file loads; null: none."
    )

    @strawberry.field(description="As `duration`.")
    def duration_seconds(self) -> float | None:
        return self.row.duration

    @strawberry.field(description="A URL of a frame of the video, a JPEG of its size; null for an image.")
    def poster_url(self, info: Info) -> str | None:
        if not self.row.is_video:
            return None
        if self.shared:
            return self.shared.poster
        return info.context.services.media.files.poster_link(self.row).url

    @strawberry.field(
        description="A signed URL, valid for a short time; repeated requests return the same URL for a while, so that "
        "browsers can cache. Only its query changes then: its path names the file. It answers Range requests, so that "
        "a video can be played from any position.",
    )
    def url(self, info: Info) -> str:
        if self.shared:
            return self.shared.media
        return info.context.services.media.files.link(self.row).url

    @strawberry.field(description="A URL of the same file with Content-Disposition: attachment.")
    def download_url(self, info: Info) -> str:
        if self.shared:
            return self.shared.download
        name = file_name(self.row) if isinstance(self.row, FileColumns) else self.name()
        return info.context.services.media.files.download_link(self.row, name).url

    @strawberry.field(
        description="A URL of a WebP thumbnail at least `width` pixels (1 to 4096) wide: the narrowest of 320, 640 and "
        "1280, else of the image itself. Of a video, it is one of the poster."
    )
    def thumbnail_url(self, info: Info, width: int | None = _DEFAULT_WIDTH) -> str | None:
        wanted_width = _DEFAULT_WIDTH if width is None else width
        if self.shared:
            return self.shared.thumbnail_of(self.row, narrowest(self.row.thumbnail_widths, wanted_width))
        return info.context.services.media.files.thumbnail_link(self.row, wanted_width).url

    @strawberry.field(description="When the URLs expire; null: valid while the generation is shared.")
    def expires_at(self, info: Info) -> datetime | None:
        if self.shared:
            return None
        link = info.context.services.media.files.link(self.row)
        return _expiry(link) if isinstance(link, Link) else cast(datetime, link.then(_expiry))

    @classmethod
    def of(
        cls, row: StoredFile, name: Callable[[], str] = lambda: "picture", shared: ShareLinks | None = None
    ) -> "MediaFile":
        """Return the source of a file's fields; FileColumns have their attributes themselves."""
        if isinstance(row, FileColumns):
            return cast(MediaFile, row)
        return cls(
            row=row,
            name=name,
            shared=shared,
            id=strawberry.ID(f"shared_file_{shared.slug}" if shared else row.id),
            content_type=row.content_type,
            byte_size=row.byte_size,
            width=row.width,
            height=row.height,
            duration=row.duration,
            placeholder=row.placeholder,
        )


def _expiry(link: Link) -> datetime:
    return datetime.fromtimestamp(link.expires_at, UTC)


@strawberry.type(
    description="Where to send an image. With `fields`: as multipart/form-data, `fields` first, then a part named "
    "`file`. With `fields` null: the image itself as the body of the request."
)
class UploadTarget:
    id: strawberry.ID = strawberry.field(description="For `uploadId`, once the image is sent.")
    url: str
    method: str
    headers: JSON = strawberry.field(description="Request headers to send, as an object of names and values.")
    fields: JSON | None = strawberry.field(
        description="Form fields to send, as an object of names and values; null: no form, the image is the body."
    )
    expires_at: datetime = strawberry.field(description="When the address expires.")

    @classmethod
    def of(cls, upload: models.Upload, target: Target, address: str | None = None) -> "UploadTarget":
        """Return the target; `address`: of this server, as the client reaches it."""
        return cls(
            id=strawberry.ID(upload.id),
            url=target.url_at(address),
            method=target.method,
            headers=JSON(target.headers),
            fields=JSON(target.fields),
            expires_at=datetime.fromtimestamp(target.expires_at, UTC),
        )


@strawberry.input
class CreateUploadInput:
    content_type: str = strawberry.field(
        description="`image/jpeg`, `image/png`, `image/webp`, `image/heic` or `image/avif`, as the product accepts; "
        "in any case, with or without parameters."
    )
    byte_size: int = strawberry.field(
        description="The size of the image in bytes; an image of another size is refused."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the same upload; with another input, CONFLICT.",
    )


@strawberry.type
class UploadPayload(Payload):
    upload: UploadTarget | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
