"""Sharing: a link that anyone may open, given and taken back."""

import strawberry

from models import ids
from schema.context import Info
from schema.error import user_errors
from schema.generation import Generation, GenerationPayload
from schema.node import known_id
from schema.share import SharedGeneration
from services.core.error import Refusal


async def share_generation(info: Info, id: strawberry.ID, slug: str | None = None) -> GenerationPayload:
    viewer = info.context.require_viewer()
    try:
        row = await info.context.services.shares.share(viewer.id, known_id(id, ids.GENERATION), slug)
    except Refusal as refusal:
        return GenerationPayload(generation=None, errors=user_errors(refusal, info.context))
    return GenerationPayload(generation=Generation.of(row), errors=[])


async def unshare_generation(info: Info, id: strawberry.ID) -> GenerationPayload:
    viewer = info.context.require_viewer()
    try:
        row = await info.context.services.shares.unshare(viewer.id, known_id(id, ids.GENERATION))
    except Refusal as refusal:
        return GenerationPayload(generation=None, errors=user_errors(refusal, info.context))
    return GenerationPayload(generation=Generation.of(row), errors=[])


async def shared_generation(info: Info, slug: str) -> SharedGeneration | None:
    shared = await info.context.services.shares.find(slug)
    return SharedGeneration.of(shared) if shared else None
