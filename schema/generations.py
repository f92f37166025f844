"""GraphQL types of generations: requests, status, refinement and regeneration."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Self, cast

import strawberry
from strawberry.scalars import JSON

from models import enum, ids
from models.generation_row import GENERATIONS, AnyGeneration, GenerationRow
from schema.catalogue import Style
from schema.media import MediaFile
from schema.runtime.attribute import attributes_of
from schema.runtime.connection import Connection, page_request
from schema.runtime.context import Info
from schema.runtime.enum import ErrorCode, GenerationStage, GenerationStatus, MediaKind, PaidBy, Quality, Size
from schema.runtime.input import given
from schema.runtime.loaded import counted
from schema.runtime.node import Node, SourceClasses
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from schema.user_loader import load_user, payload_viewer, user_node
from services.gallery import download_name, gallery
from services.generations import status_message

if TYPE_CHECKING:
    from schema.accounts import User
    from schema.albums import Album, Tag
    from schema.batch import Batch


_CHAIN = "CHAIN"  # the order of its cursors
_OF_BATCH = frozenset({"batch_id", "status", "progress", "created_at"})  # what its own fields show


@strawberry.type(description="One try to make a generation, at one provider.")
class ProviderTry:
    provider: str
    model: str | None
    error_code: ErrorCode | None = strawberry.field(description="Null: it made the result, or its job has not ended.")
    seconds: float
    sent: bool = strawberry.field(
        description="Whether a request has, or may have, left for the provider; not if its circuit was open."
    )


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
    enhanced_prompt: str | None = strawberry.field(
        description="The user's words as a text model enriched them, which the image is made from; null: not enriched."
    )
    size: Size
    quality: Quality
    aspect_ratio: str | None
    duration_seconds: int | None = strawberry.field(
        description="That was ordered, of a video; null: the model's default. `result` has that of what came."
    )
    cost: int = strawberry.field(description="Credits.")
    paid_by: PaidBy
    refunded: bool
    delivered_quality: Quality | None = strawberry.field(
        description="The quality that came, by the result's size; null: not completed, or not measured."
    )
    size_refund: int = strawberry.field(
        description="Credits that were returned because a lower quality came than was ordered."
    )
    is_favorite: bool
    provider: str | None
    model: str | None
    requested_model: str | None = strawberry.field(
        description="The ID of the one of `models` that was ordered; another one may have made the result."
    )
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
        is_paused = info.context.services.generations.queue_estimates.waits_for_provider(self.row)
        text = status_message.stage_message(self.stage, self.media, is_loading=self.row.is_loading, is_paused=is_paused)
        return info.context.translate(text)

    @strawberry.field(description="The reason of a failure in the viewer's language; null: none.")
    def error_message(self, info: Info) -> str | None:
        if not self.error_code:
            return None
        return info.context.translate(status_message.error_message(self.error_code, self.media))

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

    @strawberry.field(
        description="The earlier generation whose result it got, instead of a new one; it may be deleted."
    )
    def reused_id(self) -> strawberry.ID | None:
        return strawberry.ID(self.row.reused_id) if self.row.reused_id is not None else None

    @strawberry.field(description="The generation that this one repeats or refines; null: none, or deleted.")
    async def parent(self, info: Info) -> "Generation | None":
        if self.row.parent_id is None:
            return None
        found = await info.context.generation_by_id.load(self.row.parent_id)
        return Generation.of(found) if found else None

    @strawberry.field(description="The generations that repeat or refine this one, newest first.")
    async def children(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> "Connection[Generation]":
        order = gallery.GenerationOrder.NEWEST
        request = page_request(generation_key(order), first, after, last, before, order, prefix=ids.GENERATION)
        page = await info.context.services.gallery.lists.children(
            self.row.user_id, self.row.id, request, attributes_of(info)
        )
        return Connection(page=page, order=order, nodes=Generation.all_of(page.items))

    @strawberry.field(
        description="The generations that it was made from, itself, and what was made from it by the newest of each: "
        "oldest first, up to 1,000 before and after it."
    )
    async def chain(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> "Connection[Generation]":
        request = page_request(str, first, after, last, before, _CHAIN, prefix=ids.GENERATION)
        page = await info.context.services.gallery.lists.chain(
            self.row.user_id, self.row.id, request, attributes_of(info)
        )
        return Connection(page=page, order=_CHAIN, nodes=Generation.all_of(page.items))

    @strawberry.field(description="All that were requested together with this one.")
    async def batch(self, info: Info) -> Annotated["Batch", strawberry.lazy("schema.batch")] | None:
        return await load_batch(info, self.row.batch_id)

    @strawberry.field(description="Its tags, by their names.")
    async def tags(self, info: Info) -> list[Annotated["Tag", strawberry.lazy("schema.albums")]]:
        return await load_tags(info, self.row.id)

    @strawberry.field(description="The albums that it is in, in their order; they do not count for its version.")
    async def albums(self, info: Info) -> list[Annotated["Album", strawberry.lazy("schema.albums")]]:
        return await load_albums(info, self.row.id)

    @strawberry.field(
        description="US dollars as reported by the provider, or as expected where no answer said it;"
        " null: unknown, or the viewer is no admin."
    )
    def provider_cost(self, info: Info) -> float | None:
        return self.row.provider_cost if info.context.is_admin else None

    @strawberry.field(description="Null: none, or the viewer is no admin.")
    def provider_request_id(self, info: Info) -> str | None:
        return self.row.provider_request_id if info.context.is_admin else None

    @strawberry.field(
        description="Every provider and model that was tried, in order; null: none yet, or the viewer is no admin."
    )
    def provider_path(self, info: Info) -> list[ProviderTry] | None:
        path = self.row.provider_path if info.context.is_admin else None
        return None if path is None else [_provider_try(one) for one in path]

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
            enhanced_prompt=row.enhanced_prompt,
            size=row.size,
            quality=row.quality,
            aspect_ratio=row.aspect_ratio,
            duration_seconds=row.duration_seconds,
            cost=row.cost,
            paid_by=row.paid_by,
            refunded=row.refunded,
            delivered_quality=row.delivered_quality,
            size_refund=row.size_refund,
            is_favorite=row.is_favorite,
            provider=row.provider,
            model=row.model,
            requested_model=row.requested_model,
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


def _provider_try(stored: dict[str, Any]) -> ProviderTry:
    code = stored["code"]
    return ProviderTry(
        provider=stored["provider"],
        model=stored["model"],
        error_code=enum.ErrorCode(code) if code is not None else None,
        seconds=stored["seconds"],
        sent=stored["sent"],
    )


async def load_batch(info: Info, batch_id: str) -> "Batch | None":
    """Return the viewer's generations of a batch, for admins any user's; None: there are none."""
    from schema.batch import Batch  # imported late: it imports this module

    found = counted(await info.context.batch_by_id.load((batch_id, attributes_of(info) | _OF_BATCH)))
    return Batch.of(batch_id, found) if found else None


async def load_tags(info: Info, generation_id: str) -> "list[Tag]":
    """Return the tags of a generation that the viewer may see."""
    from schema.albums import Tag  # imported late: it imports this module

    return [Tag.of(row) for row in counted(await info.context.tags_by_generation.load(generation_id) or ())]


async def load_albums(info: Info, generation_id: str) -> "list[Album]":
    """Return the albums of a generation that the viewer may see."""
    from schema.albums import Album  # imported late: it imports this module

    return [Album.of(row) for row in counted(await info.context.albums_by_generation.load(generation_id) or ())]


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
    is_shared: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether it has a public page, `shareUrl`."
    )
    style_id: strawberry.ID | None = strawberry.UNSET
    collection: str | None = strawberry.UNSET
    batch_id: strawberry.ID | None = strawberry.UNSET
    album_id: strawberry.ID | None = strawberry.UNSET
    tag_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Tags that they all have, up to 5."
    )
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Words that must all occur in the prompt, a title of the style or the ID."
    )
    created_after: datetime | None = strawberry.UNSET
    created_before: datetime | None = strawberry.UNSET

    def criteria(self) -> gallery.GenerationFilter:
        """Return the filter for the service."""
        status: list[GenerationStatus] | None = given(self.status, None)
        tags: list[strawberry.ID] = given(self.tag_ids, [])
        return gallery.GenerationFilter(
            status=tuple(status) if status is not None else None,
            media=given(self.media, None),
            is_favorite=given(self.is_favorite, None),
            is_shared=given(self.is_shared, None),
            style_id=_id_or_none(self.style_id, ids.STYLE),
            collection=given(self.collection, None),
            batch_id=_id_or_none(self.batch_id, ids.BATCH),
            album_id=_id_or_none(self.album_id, ids.ALBUM),
            tag_ids=tuple(dict.fromkeys(_id_or_none(id, ids.TAG) or "" for id in tags)),
            search=given(self.search, None),
            created_after=given(self.created_after, None),
            created_before=given(self.created_before, None),
        )


def _id_or_none(value: strawberry.ID | None, prefix: str) -> str | None:
    value = given(value, None)
    # An invalid ID matches nothing, where None would match everything.
    return value if value is None or ids.is_id(value, prefix) else ""


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
    viewer: Annotated["User", strawberry.lazy("schema.accounts")] | None = strawberry.field(
        resolver=payload_viewer, description="The viewer as the change left it: credits, counts and version."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)
