"""GraphQL inputs of requests for generations: new ones, repeated ones, refined ones."""

import strawberry
from strawberry.file_uploads import Upload
from strawberry.scalars import JSON

from models import enum
from schema.runtime.enum import MediaKind, Quality, Size
from schema.style_value import StyleValueInput


@strawberry.input(one_of=True, description="Where the reference image is: one of these.")
class ReferenceInput:
    image: Upload | None = strawberry.field(default=strawberry.UNSET, description="Sent with this request.")
    upload_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Sent before this request to the address of createUpload."
    )
    data_url: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="`data:image/png;base64,` and the image in base64. More than 100 KiB are sent over HTTP, as the "
        "value of a variable.",
    )


@strawberry.input
class CreateGenerationInput:
    style_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="`styleId`, `prompt` or both are required, else INVALID_INPUT."
    )
    prompt: str | None = strawberry.field(
        default=strawberry.UNSET, description="Added to the style's template; without a style, the whole prompt."
    )
    image: Upload | None = strawberry.field(
        default=strawberry.UNSET, description="The reference image, sent with this request."
    )
    upload_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The reference image, sent before this request to the address of createUpload.",
    )
    reference: ReferenceInput | None = strawberry.field(
        default=strawberry.UNSET, description="The reference image, instead of `image` and `uploadId`."
    )
    variables: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="Values for the style's variables: an object of names and strings."
    )
    style_variables: list[StyleValueInput] | None = strawberry.field(
        default=strawberry.UNSET, description="The same with types; one of the two forms."
    )
    size: Size | None = enum.Size.MEDIUM
    quality: Quality | None = enum.Quality.STANDARD
    aspect_ratio: str | None = strawberry.field(
        default=strawberry.UNSET, description="Such as 1:1, 3:2 or 16:9; by default that of the reference image."
    )
    media: MediaKind | None = enum.MediaKind.IMAGE
    duration_seconds: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Of a video: one of the `durations` of its model, by default the first. Longer ones may cost more.",
    )
    count: int | None = strawberry.field(default=1, description="How many to create: 1 to the viewer's maxBatch.")
    model: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The ID of one of `models`; by default the first that can do what is asked for.",
    )
    enhance_prompt: bool | None = strawberry.field(
        default=False,
        description="Have a text model enrich `prompt` first; without a prompt, or if that fails, it changes nothing. "
        "Where the product does not offer it, INVALID_INPUT.",
    )
    reuse_result: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="True: instead of a new image, the earlier result of the same request, completed at once and for "
        "the price that `quote` shows as `reusable`. CONFLICT where there is none, INVALID_INPUT where that is not "
        "offered.",
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )


@strawberry.input
class RegenerateInput:
    id: strawberry.ID
    as_variation: bool | None = strawberry.field(
        default=False, description="Use its result as the reference image, for a similar image."
    )
    count: int | None = strawberry.field(default=1, description="How many to create: 1 to the viewer's maxBatch.")
    model: str | None = strawberry.field(
        default=strawberry.UNSET, description="The ID of one of `models`; by default that of the earlier generation."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )


@strawberry.input
class RefineGenerationInput:
    id: strawberry.ID = strawberry.field(
        description="A completed generation, whose result becomes the reference image."
    )
    instruction: str = strawberry.field(description="The change to make; everything else is kept.")
    model: str | None = strawberry.field(
        default=strawberry.UNSET, description="The ID of one of `models`; by default that of the earlier generation."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )
