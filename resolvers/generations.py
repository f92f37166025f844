"""Resolvers of generations: requests, cancellation, regeneration, and the progress subscription."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

import strawberry
from starlette.datastructures import UploadFile

import models
from models import enum, ids
from schema.accounts import User
from schema.generation_request import CreateGenerationInput, RefineGenerationInput, RegenerateInput
from schema.generations import Generation, GenerationPayload, GenerationsPayload
from schema.runtime.context import Info
from schema.runtime.feed import as_it_is, follow
from schema.runtime.input import given
from schema.runtime.node import any_id, known_id
from schema.style_value import variables_of
from services.core.error import InvalidInputError, NotFoundError
from services.core.message import message
from services.events.generation_topic import GenerationTopic
from services.events.topic import Item
from services.generations.regeneration import RefinementRequest, RegenerationRequest
from services.generations.specification import GenerationRequest


async def create_generation(info: Info, input: CreateGenerationInput) -> GenerationsPayload:
    viewer, services = info.context.require_viewer(), info.context.services
    style_id = given(input.style_id, None)
    request = GenerationRequest(
        style_id=any_id(style_id, ids.STYLE) if style_id is not None else None,
        prompt=given(input.prompt, None),
        **await _photo(input),
        variables=variables_of(input.variables, input.style_variables),
        size=given(input.size, enum.Size.MEDIUM),
        quality=given(input.quality, enum.Quality.STANDARD),
        aspect_ratio=given(input.aspect_ratio, None),
        media=given(input.media, enum.MediaKind.IMAGE),
        count=given(input.count, 1),
        duration_seconds=given(input.duration_seconds, None),
        model=given(input.model, None),
        enhance_prompt=given(input.enhance_prompt, None) or None,
        reuse_result=given(input.reuse_result, None) or None,
        idempotency_key=given(input.idempotency_key, None),
    )
    generations = await services.generations.requests.create(viewer, request)
    return await _submitted(info, generations)


async def _photo(input: CreateGenerationInput) -> dict[str, Any]:
    """Return the fields of a request that say where its reference image is."""
    reference, image, upload_id = (given(one, None) for one in (input.reference, input.image, input.upload_id))
    image_field, data_url = ("image",), None
    if reference is not None:
        if upload_id is not None or image is not None:
            text = message("Send the reference image in one form, not in both.")
            raise InvalidInputError(text, field=("reference",))
        image, upload_id = given(reference.image, None), given(reference.upload_id, None)
        data_url = given(reference.data_url, None)
        image_field = ("reference", "image" if data_url is None else "dataUrl")
    return {
        "image": await image.read() if isinstance(image, UploadFile) else None,
        "image_field": image_field,
        "data_url": data_url,
        "upload_id": any_id(upload_id, ids.UPLOAD) if upload_id is not None else None,
    }


async def _submitted(info: Info, generations: list[models.Generation]) -> GenerationsPayload:
    """Return the new generations, with the balance that is left."""
    viewer = await info.context.services.accounts.users.get(info.context.require_viewer().id)
    info.context.set_viewer(viewer)
    return GenerationsPayload(generations=[Generation.of(row) for row in generations], viewer=User.of(viewer))


async def cancel_generation(info: Info, id: strawberry.ID, reason: str | None = None) -> GenerationPayload:
    viewer, generations = info.context.require_viewer(), info.context.services.generations.requests
    known = known_id(id, ids.GENERATION)
    if info.context.is_admin:
        row = await generations.cancel_as_admin(viewer, known, reason)
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
    async with follow(info.context, join, as_it_is) as feed:
        async with topics.opening:
            row = await services.gallery.lists.find(viewer.id, generation_id)
        if row is None:
            raise NotFoundError(field=("id",))
        feed.topic.show(row)
        async for generation in feed.events([Item((row.version, feed.topic.repeats), row)]):
            yield generation


async def regenerate(info: Info, input: RegenerateInput) -> GenerationsPayload:
    viewer, services = info.context.require_viewer(), info.context.services
    request = RegenerationRequest(
        id=known_id(input.id, ids.GENERATION),
        as_variation=given(input.as_variation, False),
        count=given(input.count, 1),
        idempotency_key=given(input.idempotency_key, None),
        model=given(input.model, None),
    )
    generations = await services.generations.regenerations.regenerate(viewer, request)
    return await _submitted(info, generations)


async def refine_generation(info: Info, input: RefineGenerationInput) -> GenerationsPayload:
    viewer, services = info.context.require_viewer(), info.context.services
    request = RefinementRequest(
        id=known_id(input.id, ids.GENERATION),
        instruction=input.instruction,
        idempotency_key=given(input.idempotency_key, None),
        model=given(input.model, None),
    )
    generations = await services.generations.regenerations.refine(viewer, request)
    return await _submitted(info, generations)
