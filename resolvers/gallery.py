"""The gallery: marks on generations."""

import strawberry

from models import ids
from schema.context import Info
from schema.error import user_errors
from schema.generation import Generation, GenerationPayload
from schema.node import known_id
from services.core.error import Refusal


async def set_favorite(info: Info, id: strawberry.ID, is_favorite: bool) -> GenerationPayload:
    viewer, favorites = info.context.require_viewer(), info.context.services.favorites
    try:
        row = await favorites.set(viewer.id, known_id(id, ids.GENERATION), is_favorite=is_favorite)
    except Refusal as refusal:
        return GenerationPayload(generation=None, errors=user_errors(refusal, info.context))
    return GenerationPayload(generation=Generation.of(row), errors=[])
