"""Uploads: a picture that a client sends by itself, ahead of the request that uses it."""

from datetime import UTC, datetime

import strawberry
from strawberry.scalars import JSON

import models
from schema.error import UserError
from services.integrations.storage.protocol import Target


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
class UploadPayload:
    upload: UploadTarget | None
    errors: list[UserError]
