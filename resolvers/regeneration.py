"""Generations made of generations: the same again, variations, refinements."""

from models import ids
from resolvers.generation import sold, unsold
from schema.context import Info
from schema.generation import GenerationsPayload
from schema.input import given
from schema.node import known_id
from schema.regeneration import RefineGenerationInput, RegenerateInput
from services.core.error import Refusal
from services.generations.regeneration import RefinementRequest, RegenerationRequest


async def regenerate(info: Info, input: RegenerateInput) -> GenerationsPayload:
    viewer, services = info.context.require_viewer(), info.context.services
    try:
        request = RegenerationRequest(
            id=known_id(input.id, ids.GENERATION),
            as_variation=given(input.as_variation, False),
            count=given(input.count, 1),
            idempotency_key=given(input.idempotency_key, None),
        )
        generations = await services.regenerations.regenerate(viewer, request)
    except Refusal as refusal:
        return await unsold(info, refusal)
    return await sold(info, generations)


async def refine_generation(info: Info, input: RefineGenerationInput) -> GenerationsPayload:
    viewer, services = info.context.require_viewer(), info.context.services
    try:
        request = RefinementRequest(
            id=known_id(input.id, ids.GENERATION),
            instruction=input.instruction,
            idempotency_key=given(input.idempotency_key, None),
        )
        generations = await services.regenerations.refine(viewer, request)
    except Refusal as refusal:
        return await unsold(info, refusal)
    return await sold(info, generations)
