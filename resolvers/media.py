"""Resolvers of media: uploads of reference images ahead of the request."""

from schema.media import CreateUploadInput, UploadPayload, UploadTarget
from schema.runtime.context import Info
from schema.runtime.input import given


async def create_upload(info: Info, input: CreateUploadInput) -> UploadPayload:
    viewer = info.context.require_viewer()
    upload, target = await info.context.services.media.uploads.create(
        viewer.id, input.content_type, input.byte_size, given(input.idempotency_key, None)
    )
    return UploadPayload(upload=UploadTarget.of(upload, target, info.context.address))
