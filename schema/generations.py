"""Generations as the API shows them: requests, status, refinement and regeneration."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry.file_uploads import Upload
from strawberry.scalars import JSON

import models
from models import enum, ids
from schema.catalogue import Style
from schema.media import MediaFile
from schema.runtime.context import Info
from schema.runtime.enum import ErrorCode, GenerationStage, GenerationStatus, MediaKind, PaidBy, Quality, Size
from schema.runtime.input import given
from schema.runtime.node import Node
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from schema.user_loader import load_user, user_node
from services.gallery import download_name, gallery
from services.generations import status_message

if TYPE_CHECKING:
    from schema.accounts import User


@strawberry.type(description="A request for one picture.")
class Generation(Node):
    row: strawberry.Private[models.Generation]
    media: MediaKind
    status: GenerationStatus
    stage: GenerationStage
    progress: float = strawberry.field(description="0 to 1.")
    preview_url: str | None = strawberry.field(
        description="A partial image while GENERATING, as a data: URI, where the provider streams one."
    )
    prompt: str | None = strawberry.field(description="The person's own words.")
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
    version: int = strawberry.field(description="Grows by one with every change.")
    attempts: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None = strawberry.field(description="When it ended, well or not.")

    @strawberry.field(description="The stage, in the caller's language.")
    def message(self, info: Info) -> str:
        return info.context.translate(status_message.stage_message(self.stage))

    @strawberry.field(description="Why it failed, in the caller's language.")
    def error_message(self, info: Info) -> str | None:
        return info.context.translate(status_message.error_message(self.error_code)) if self.error_code else None

    @strawberry.field(description="While QUEUED: how many are ahead; 0 is next.")
    async def queue_position(self, info: Info) -> int | None:
        return await self._position(info)

    @strawberry.field(description="Until done, from recent generations of the same kind; null where nobody can tell.")
    async def estimated_seconds(self, info: Info) -> float | None:
        return await info.context.services.generations.queue_estimates.seconds(self.row, await self._position(info))

    async def _position(self, info: Info) -> int | None:
        waits = self.status is GenerationStatus.PENDING
        return await info.context.queue_position.load(self.row.id) if waits else None

    @strawberry.field
    def style(self) -> Style | None:
        return Style.of(self.row.style) if self.row.style and self.row.style.is_active else None

    @strawberry.field(description="Kept when the style is gone.")
    def style_title(self, info: Info) -> str | None:
        return info.context.localize(self.row.style_title) or None

    @strawberry.field
    def original(self) -> MediaFile | None:
        return MediaFile.of(self.row.original, download_name.original_name(self.row)) if self.row.original else None

    @strawberry.field
    def result(self) -> MediaFile | None:
        return MediaFile.of(self.row.result, download_name.result_name(self.row)) if self.row.result else None

    @strawberry.field(description="The page that anyone may open; null while it is not shared.")
    def share_url(self, info: Info) -> str | None:
        return info.context.services.gallery.shares.page_url(self.row)

    @strawberry.field(description="What it was regenerated or refined from; null when that is gone.")
    async def parent(self, info: Info) -> "Generation | None":
        if self.row.parent_id is None:
            return None
        found = await info.context.generation_by_id.load(self.row.parent_id)
        return Generation.of(found) if found else None

    @strawberry.field(description="US dollars as the provider reported; admins only.")
    def provider_cost(self, info: Info) -> float | None:
        return self.row.provider_cost if info.context.is_admin else None

    @strawberry.field(description="Admins only.")
    def provider_request_id(self, info: Info) -> str | None:
        return self.row.provider_request_id if info.context.is_admin else None

    @strawberry.field
    async def owner(self, info: Info) -> Annotated["User", strawberry.lazy("schema.accounts")]:
        return await load_user(info, self.row.user_id)

    @classmethod
    def of(cls, row: models.Generation) -> "Generation":
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


def generation_key(order: gallery.GenerationOrder) -> Callable[[str], gallery.GenerationKey]:
    """How a key is read from a cursor of this order."""

    def favorite_key(text: str) -> gallery.GenerationKey:
        flag, _, id = text.partition(" ")
        return gallery.FavoriteKey(bool(int(flag)), id)

    return favorite_key if order is gallery.GenerationOrder.FAVORITES_FIRST else str


@strawberry.input(description="Which generations to show; what is left out does not matter.")
class GenerationFilter:
    status: list[GenerationStatus] | None = strawberry.UNSET
    media: MediaKind | None = strawberry.UNSET
    is_favorite: bool | None = strawberry.UNSET
    style_id: strawberry.ID | None = strawberry.UNSET
    collection: str | None = strawberry.UNSET
    batch_id: strawberry.ID | None = strawberry.UNSET
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Every word must occur in the prompt, a title of the style or the id."
    )
    created_after: datetime | None = strawberry.UNSET
    created_before: datetime | None = strawberry.UNSET

    def wanted(self) -> gallery.GenerationFilter:
        """What the service is asked for."""
        status: list[GenerationStatus] | None = given(self.status, None)
        return gallery.GenerationFilter(
            status=tuple(status) if status is not None else None,
            media=given(self.media, None),
            is_favorite=given(self.is_favorite, None),
            style_id=_known(self.style_id, ids.STYLE),
            collection=given(self.collection, None),
            batch_id=_known(self.batch_id, ids.BATCH),
            search=given(self.search, None),
            created_after=given(self.created_after, None),
            created_before=given(self.created_before, None),
        )


def _known(value: strawberry.ID | None, prefix: str) -> str | None:
    value = given(value, None)
    # What is no id of that kind is nobody's, and finds nothing.
    return value if value is None or ids.is_id(value, prefix) else ""


@strawberry.input
class CreateGenerationInput:
    style_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="With neither styleId nor prompt: INVALID_INPUT."
    )
    prompt: str | None = strawberry.field(
        default=strawberry.UNSET, description="Added to the style's template, or the whole prompt."
    )
    image: Upload | None = strawberry.field(
        default=strawberry.UNSET, description="The reference image, sent with the request."
    )
    upload_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Or sent ahead with createUpload."
    )
    variables: JSON | None = strawberry.field(default=strawberry.UNSET, description="Values for the style's variables.")
    size: Size | None = enum.Size.MEDIUM
    quality: Quality | None = enum.Quality.STANDARD
    aspect_ratio: str | None = strawberry.field(
        default=strawberry.UNSET, description="1:1, 3:2, 16:9, ...; the reference image's own when left out."
    )
    media: MediaKind | None = enum.MediaKind.IMAGE
    count: int | None = strawberry.field(default=1, description="1 to the viewer's maxBatch.")
    model: str | None = strawberry.field(
        default=strawberry.UNSET, description="One of the models that the deployment allows."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )


@strawberry.type
class GenerationsPayload(Payload):
    generations: list[Generation] = strawberry.field(default_factory=list)
    viewer: Annotated["User", strawberry.lazy("schema.accounts")] | None = strawberry.field(
        default=None, description="With the balance after the deduction."
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
        default=False, description="With its result as the reference, asking for something similar."
    )
    count: int | None = strawberry.field(default=1, description="1 to the viewer's maxBatch.")
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )


@strawberry.input
class RefineGenerationInput:
    id: strawberry.ID = strawberry.field(description="A finished one: its result becomes the reference image.")
    instruction: str = strawberry.field(description="What shall be different; everything else is kept.")
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )
