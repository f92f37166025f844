"""Resolvers of generations: requests, cancellation, regeneration, and the progress subscription."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

import strawberry
from starlette.datastructures import UploadFile

import models
from models import enum, ids
from models.generation_row import GenerationRow
from schema.accounts import User
from schema.generations import (
    CreateGenerationInput,
    Generation,
    GenerationPayload,
    GenerationsPayload,
    RefineGenerationInput,
    RegenerateInput,
)
from schema.runtime.context import Context, Info
from schema.runtime.feed import follow
from schema.runtime.input import given
from schema.runtime.node import known_id
from services.core.error import NotFoundError
from services.events.generation_topic import GenerationTopic
from services.events.topic import Item
from services.generations.regeneration import RefinementRequest, RegenerationRequest
from services.generations.specification import GenerationRequest


async def create_generation(info: Info, input: CreateGenerationInput) -> GenerationsPayload:
    viewer, services = info.context.require_viewer(), info.context.services
    style_id = given(input.style_id, None)
    upload_id = given(input.upload_id, None)
    image: Any = given(input.image, None)
    request = GenerationRequest(
        style_id=known_id(style_id, ids.STYLE, "styleId") if style_id is not None else None,
        prompt=given(input.prompt, None),
        image=await image.read() if isinstance(image, UploadFile) else None,
        upload_id=known_id(upload_id, ids.UPLOAD, "uploadId") if upload_id is not None else None,
        variables=given(input.variables, None),
        size=given(input.size, enum.Size.MEDIUM),
        quality=given(input.quality, enum.Quality.STANDARD),
        aspect_ratio=given(input.aspect_ratio, None),
        media=given(input.media, enum.MediaKind.IMAGE),
        count=given(input.count, 1),
        model=given(input.model, None),
        idempotency_key=given(input.idempotency_key, None),
    )
    generations = await services.generations.requests.create(viewer, request)
    return await _submitted(info, generations)


async def _submitted(info: Info, generations: list[models.Generation]) -> GenerationsPayload:
    """Return the new generations, with the balance that is left."""
    viewer = await info.context.services.accounts.users.get(info.context.require_viewer().id)
    info.context.set_viewer(viewer)
    return GenerationsPayload(generations=[Generation.of(row) for row in generations], viewer=User.of(viewer))


async def cancel_generation(info: Info, id: strawberry.ID) -> GenerationPayload:
    viewer, generations = info.context.require_viewer(), info.context.services.generations.requests
    known = known_id(id, ids.GENERATION)
    if info.context.is_admin:
        row = await generations.cancel_as_admin(viewer, known)
    else:
        row = await generations.cancel(viewer.id, known)
    return GenerationPayload(generation=Generation.of(row))


async def admin_refund_generation(info: Info, id: strawberry.ID, reason: str) -> GenerationPayload:
    admin = info.context.require_viewer()
    row = await info.context.services.generations.admin_refunds.refund(admin, known_id(id, ids.GENERATION), reason)
    return GenerationPayload(generation=Generation.of(row) if row else None)


async def admin_retry_generation(info: Info, id: strawberry.ID, reason: str) -> GenerationPayload:
    admin = info.context.require_viewer()
    row = await info.context.services.generations.admin_retries.retry(admin, known_id(id, ids.GENERATION), reason)
    return GenerationPayload(generation=Generation.of(row))


async def generation_progress(info: Info, id: strawberry.ID) -> AsyncGenerator[Generation, None]:
    """Yield the present state, then every change, until a final status."""
    viewer, services = info.context.require_viewer(), info.context.services
    generation_id, topics = known_id(id, ids.GENERATION), services.events.topics
    join = topics.join((GenerationTopic, generation_id), partial(GenerationTopic, generation_id))
    async with follow(info.context, join, _states) as feed:
        async with topics.opening:
            row = await services.gallery.lists.find(viewer.id, generation_id)
        if row is None:
            raise NotFoundError(field=("id",))
        feed.topic.show(row)
        async for generation in feed.events([Item((row.version,), row)]):
            yield generation


def _states(row: GenerationRow, _: Context) -> list[Generation]:
    return [row]  # type: ignore[list-item]  # it has the attributes of a Generation itself


async def regenerate(info: Info, input: RegenerateInput) -> GenerationsPayload:
    viewer, services = info.context.require_viewer(), info.context.services
    request = RegenerationRequest(
        id=known_id(input.id, ids.GENERATION),
        as_variation=given(input.as_variation, False),
        count=given(input.count, 1),
        idempotency_key=given(input.idempotency_key, None),
    )
    generations = await services.generations.regenerations.regenerate(viewer, request)
    return await _submitted(info, generations)


async def refine_generation(info: Info, input: RefineGenerationInput) -> GenerationsPayload:
    viewer, services = info.context.require_viewer(), info.context.services
    request = RefinementRequest(
        id=known_id(input.id, ids.GENERATION),
        instruction=input.instruction,
        idempotency_key=given(input.idempotency_key, None),
    )
    generations = await services.generations.regenerations.refine(viewer, request)
    return await _submitted(info, generations)
