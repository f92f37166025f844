"""Files and uploads as the API shows them."""

from datetime import UTC, datetime

import strawberry
from strawberry.scalars import JSON

import models
from models import File
from schema.runtime.context import Info
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.gallery.share import ShareLinks
from services.integrations.images.sanitizer import THUMBNAIL_WIDTHS
from services.integrations.storage.protocol import Target
from services.media.file import thumbnail_width

_USUAL = THUMBNAIL_WIDTHS[0]


@strawberry.type(description="A stored picture.")
class MediaFile:
    row: strawberry.Private[File]
    name: strawberry.Private[str]  # that it is saved under, without its ending
    # Of a shared picture: signed links carry the storage's key, and the account's id in it.
    shared: strawberry.Private[ShareLinks | None]
    content_type: str
    byte_size: int = strawberry.field(description="Bytes.")
    width: int | None = strawberry.field(description="Pixels, upright.")
    height: int | None = strawberry.field(description="Pixels, upright.")
    placeholder: str | None = strawberry.field(
        description="A data: URI of about 100 bytes, to show while the file loads."
    )

    @strawberry.field(description="Signed and short-lived; the same for a while, so that browsers can cache.")
    async def url(self, info: Info) -> str:
        if self.shared:
            return self.shared.picture
        return (await info.context.services.media.files.link(self.row)).url

    @strawberry.field(description="The same file with Content-Disposition: attachment.")
    async def download_url(self, info: Info) -> str:
        if self.shared:
            return self.shared.download
        return (await info.context.services.media.files.download_link(self.row, self.name)).url

    @strawberry.field(
        description="A WebP for a space of `width` pixels (1 to 4096): the narrowest of 320, 640 and 1280 that fills "
        "it, else the picture itself."
    )
    async def thumbnail_url(self, info: Info, width: int | None = _USUAL) -> str | None:
        wanted = _USUAL if width is None else width
        if self.shared:
            return self.shared.thumbnail_of(self.row, thumbnail_width(self.row, wanted))
        return (await info.context.services.media.files.thumbnail_link(self.row, wanted)).url

    @strawberry.field(description="When the URLs stop working; null where they live as long as a share.")
    async def expires_at(self, info: Info) -> datetime | None:
        if self.shared:
            return None
        return datetime.fromtimestamp((await info.context.services.media.files.link(self.row)).expires_at, UTC)

    @classmethod
    def of(cls, row: File, name: str = "picture", shared: ShareLinks | None = None) -> "MediaFile":
        return cls(
            row=row,
            name=name,
            shared=shared,
            content_type=row.content_type,
            byte_size=row.byte_size,
            width=row.width,
            height=row.height,
            placeholder=row.placeholder,
        )


@strawberry.type(
    description="Where to send a picture: as multipart/form-data, `fields` first, then a part named `file`."
)
class UploadTarget:
    id: strawberry.ID = strawberry.field(description="For `uploadId`, once the picture was sent.")
    url: str
    method: str
    headers: JSON = strawberry.field(description="To be sent with it, as an object of names and values.")
    fields: JSON | None = strawberry.field(description="Form fields, for a POST policy.")
    expires_at: datetime = strawberry.field(description="When nothing is taken here any more.")

    @classmethod
    def of(cls, upload: models.Upload, target: Target) -> "UploadTarget":
        return cls(
            id=strawberry.ID(upload.id),
            url=target.url,
            method=target.method,
            headers=JSON(target.headers),
            fields=JSON(target.fields),
            expires_at=datetime.fromtimestamp(target.expires_at, UTC),
        )


@strawberry.input
class CreateUploadInput:
    content_type: str = strawberry.field(description="`image/jpeg`, `image/png` or `image/webp`.")
    byte_size: int = strawberry.field(description="Of the picture; no more is taken.")
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the same upload; with another input, CONFLICT.",
    )


@strawberry.type
class UploadPayload(Payload):
    upload: UploadTarget | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
