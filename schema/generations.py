"""GraphQL types of generations: requests, status, refinement and regeneration."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Self, cast

import strawberry
from strawberry.file_uploads import Upload
from strawberry.scalars import JSON

from models import enum, ids
from models.generation_row import GENERATIONS, AnyGeneration, GenerationRow
from schema.catalogue import Style
from schema.media import MediaFile
from schema.runtime.context import Info
from schema.runtime.enum import ErrorCode, GenerationStage, GenerationStatus, MediaKind, PaidBy, Quality, Size
from schema.runtime.input import given
from schema.runtime.node import Node, SourceClasses
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from schema.user_loader import load_user, user_node
from services.gallery import download_name, gallery
from services.generations import status_message

if TYPE_CHECKING:
    from schema.accounts import User


@strawberry.type(description="A request for one image.")
class Generation(Node):
    row: strawberry.Private[AnyGeneration]
    is_type_of = SourceClasses(
        GENERATIONS.record,
        GENERATIONS.plain,
        GENERATIONS.updated,
        attributes=("original", "result"),
        shared={"style": "style.id"},
    )
    media: MediaKind
    status: GenerationStatus
    stage: GenerationStage
    progress: float = strawberry.field(description="From 0 to 1.")
    preview_url: str | None = strawberry.field(
        description="A partial image as a data: URI; null unless GENERATING and the provider streams one."
    )
    prompt: str | None = strawberry.field(description="The user's words, without the style's template.")
    size: Size
    quality: Quality
    aspect_ratio: str | None
    cost: int = strawberry.field(description="Credits.")
    paid_by: PaidBy
    refunded: bool
    is_favorite: bool
    provider: str | None
    model: str | None
    variables: JSON
    error_code: ErrorCode | None
    batch_id: strawberry.ID | None
    version: int = strawberry.field(description="Increases by one with every change.")
    attempts: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None = strawberry.field(description="When it reached a final status; null: not yet.")

    @strawberry.field(description="The stage in the viewer's language.")
    def message(self, info: Info) -> str:
        return info.context.translate(status_message.stage_message(self.stage))

    @strawberry.field(description="The reason of a failure in the viewer's language; null: none.")
    def error_message(self, info: Info) -> str | None:
        return info.context.translate(status_message.error_message(self.error_code)) if self.error_code else None

    @strawberry.field(description="The number of generations ahead in the queue, 0: next; null unless QUEUED.")
    async def queue_position(self, info: Info) -> int | None:
        return await _position(self.row, info)

    @strawberry.field(description="Seconds until completion, from recent generations of the same kind; null: unknown.")
    async def estimated_seconds(self, info: Info) -> float | None:
        return await info.context.services.generations.queue_estimates.seconds(
            self.row, await _position(self.row, info)
        )

    @strawberry.field
    def style(self) -> Style | None:
        style = self.row.style
        return Style.of(style) if style and style.is_active else None

    @strawberry.field(
        description="In the viewer's language; kept where the style is deleted. Null: requested without a style."
    )
    def style_title(self, info: Info) -> str | None:
        return info.context.localize(self.row.style_title) or None

    @strawberry.field
    def original(self) -> MediaFile | None:
        file = self.row.original
        return MediaFile.of(file, partial(download_name.original_name, self.row)) if file else None

    @strawberry.field
    def result(self) -> MediaFile | None:
        file = self.row.result
        return MediaFile.of(file, partial(download_name.result_name, self.row)) if file else None

    @strawberry.field(description="The public page of the shared generation; null: not shared.")
    def share_url(self, info: Info) -> str | None:
        return info.context.services.gallery.shares.page_url(self.row)

    @strawberry.field(description="The generation that this one repeats or refines; null: none, or deleted.")
    async def parent(self, info: Info) -> "Generation | None":
        if self.row.parent_id is None:
            return None
        found = await info.context.generation_by_id.load(self.row.parent_id)
        return Generation.of(found) if found else None

    @strawberry.field(description="US dollars as reported by the provider; null: unknown, or the viewer is no admin.")
    def provider_cost(self, info: Info) -> float | None:
        return self.row.provider_cost if info.context.is_admin else None

    @strawberry.field(description="Null: none, or the viewer is no admin.")
    def provider_request_id(self, info: Info) -> str | None:
        return self.row.provider_request_id if info.context.is_admin else None

    @strawberry.field
    async def owner(self, info: Info) -> Annotated["User", strawberry.lazy("schema.accounts")]:
        return await load_user(info, self.row.user_id)

    @classmethod
    def all_of(cls, rows: Sequence[AnyGeneration]) -> "list[Generation]":
        """Return the sources of several, which were read together."""
        if rows and isinstance(rows[0], GenerationRow):
            return cast("list[Generation]", rows)
        return [cls.of(row) for row in rows]

    @classmethod
    def of(cls, row: AnyGeneration) -> "Generation":
        """Return the source of a generation's fields; a GenerationRow has their attributes itself."""
        if isinstance(row, GenerationRow):
            return cast("Generation", row)
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            media=row.media,
            status=row.status,
            stage=row.stage,
            progress=row.progress,
            preview_url=row.preview,
            prompt=row.prompt,
            size=row.size,
            quality=row.quality,
            aspect_ratio=row.aspect_ratio,
            cost=row.cost,
            paid_by=row.paid_by,
            refunded=row.refunded,
            is_favorite=row.is_favorite,
            provider=row.provider,
            model=row.model,
            variables=JSON(row.variables),
            error_code=row.error_code,
            batch_id=strawberry.ID(row.batch_id),
            version=row.version,
            attempts=row.attempts,
            created_at=row.created_at,
            updated_at=row.updated_at,
            started_at=row.started_at,
            completed_at=row.completed_at,
        )


async def _position(row: AnyGeneration, info: Info) -> int | None:
    is_queued = row.status is GenerationStatus.PENDING
    return await info.context.queue_position.load(row.id) if is_queued else None


def generation_key(order: gallery.GenerationOrder) -> Callable[[str], gallery.GenerationKey]:
    """Return the function that reads a key from a cursor of this order."""

    def favorite_key(text: str) -> gallery.GenerationKey:
        flag, _, id = text.partition(" ")
        return gallery.FavoriteKey(bool(int(flag)), id)

    return favorite_key if order is gallery.GenerationOrder.FAVORITES_FIRST else str


@strawberry.input(description="Which generations to return; omitted fields match every generation.")
class GenerationFilter:
    status: list[GenerationStatus] | None = strawberry.UNSET
    media: MediaKind | None = strawberry.UNSET
    is_favorite: bool | None = strawberry.UNSET
    style_id: strawberry.ID | None = strawberry.UNSET
    collection: str | None = strawberry.UNSET
    batch_id: strawberry.ID | None = strawberry.UNSET
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Words that must all occur in the prompt, a title of the style or the ID."
    )
    created_after: datetime | None = strawberry.UNSET
    created_before: datetime | None = strawberry.UNSET

    def criteria(self) -> gallery.GenerationFilter:
        """Return the filter for the service."""
        status: list[GenerationStatus] | None = given(self.status, None)
        return gallery.GenerationFilter(
            status=tuple(status) if status is not None else None,
            media=given(self.media, None),
            is_favorite=given(self.is_favorite, None),
            style_id=_id_or_none(self.style_id, ids.STYLE),
            collection=given(self.collection, None),
            batch_id=_id_or_none(self.batch_id, ids.BATCH),
            search=given(self.search, None),
            created_after=given(self.created_after, None),
            created_before=given(self.created_before, None),
        )


def _id_or_none(value: strawberry.ID | None, prefix: str) -> str | None:
    value = given(value, None)
    # An invalid ID matches nothing, where None would match everything.
    return value if value is None or ids.is_id(value, prefix) else ""


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
    variables: JSON | None = strawberry.field(default=strawberry.UNSET, description="Values for the style's variables.")
    size: Size | None = enum.Size.MEDIUM
    quality: Quality | None = enum.Quality.STANDARD
    aspect_ratio: str | None = strawberry.field(
        default=strawberry.UNSET, description="Such as 1:1, 3:2 or 16:9; by default that of the reference image."
    )
    media: MediaKind | None = enum.MediaKind.IMAGE
    count: int | None = strawberry.field(default=1, description="How many to create: 1 to the viewer's maxBatch.")
    model: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="One of the models that the deployment allows; by default its standard model.",
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )


@strawberry.type
class GenerationsPayload(Payload):
    generations: list[Generation] = strawberry.field(default_factory=list)
    viewer: Annotated["User", strawberry.lazy("schema.accounts")] | None = strawberry.field(
        default=None, description="The viewer, with the balance after the deduction."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)

    @classmethod
    async def refused(cls, errors: list[UserError], info: Info) -> Self:
        """Return no generations, and the viewer with the present balance."""
        viewer = await info.context.services.accounts.users.get(info.context.require_viewer().id)
        return cls(viewer=user_node(viewer), errors=errors)


@strawberry.type
class GenerationPayload(Payload):
    generation: Generation | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class RegenerateInput:
    id: strawberry.ID
    as_variation: bool | None = strawberry.field(
        default=False, description="Use its result as the reference image, for a similar image."
    )
    count: int | None = strawberry.field(default=1, description="How many to create: 1 to the viewer's maxBatch.")
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
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )
