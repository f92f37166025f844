"""Pictures, as people see them."""

from datetime import UTC, datetime

import strawberry

from models import File
from schema.context import Info
from services.integrations.image_door import THUMBNAIL_WIDTH
from services.share import ShareLinks


@strawberry.type(description="A stored picture.")
class MediaFile:
    row: strawberry.Private[File]
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
        return (await info.context.services.files.link(self.row)).url

    @strawberry.field(description="The same file with Content-Disposition: attachment.")
    async def download_url(self, info: Info) -> str:
        if self.shared:
            return self.shared.download
        return (await info.context.services.files.download_link(self.row)).url

    @strawberry.field(description="A smaller copy of at least `width` pixels, else the picture itself.")
    async def thumbnail_url(self, info: Info, width: int | None = THUMBNAIL_WIDTH) -> str | None:
        fits = (width or THUMBNAIL_WIDTH) <= THUMBNAIL_WIDTH
        if self.shared:
            return self.shared.thumbnail if fits else self.shared.picture
        files = info.context.services.files
        return (await (files.thumbnail_link(self.row) if fits else files.link(self.row))).url

    @strawberry.field(description="When the URLs stop working; null where they live as long as a share.")
    async def expires_at(self, info: Info) -> datetime | None:
        if self.shared:
            return None
        return datetime.fromtimestamp((await info.context.services.files.link(self.row)).expires_at, UTC)

    @classmethod
    def of(cls, row: File, shared: ShareLinks | None = None) -> "MediaFile":
        return cls(
            row=row,
            shared=shared,
            content_type=row.content_type,
            byte_size=row.byte_size,
            width=row.width,
            height=row.height,
            placeholder=row.placeholder,
        )
