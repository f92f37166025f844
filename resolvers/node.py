"""Anything by its id: one's own objects and the catalogue; whatever else is asked for is not there."""

import asyncio

import strawberry

from models import User, ids
from schema.api_key import ApiKey
from schema.context import Info
from schema.credit import CreditTransaction
from schema.generation import Generation
from schema.node import Node
from schema.style import Collection, Style
from schema.user import User as UserType
from services.error import InvalidInputError, NotFoundError
from services.message import message

MAX_NODES = 100


async def node(info: Info, id: strawberry.ID) -> Node | None:
    return await _find(info, str(id))


async def nodes(info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
    if len(ids) > MAX_NODES:
        raise InvalidInputError(message("Ask for 1 to {limit} at a time.", limit=MAX_NODES), field=("ids",))
    return list(await asyncio.gather(*(_find(info, str(id)) for id in ids)))


async def _find(info: Info, id: str) -> Node | None:
    viewer: User | None = info.context.viewer
    services = info.context.services
    if not ids.is_id(id):
        return None
    try:
        match id.split("_")[0], viewer:
            case ids.STYLE, _:
                return Style.of(await services.styles.style(id, viewer))
            case ids.COLLECTION, _:
                return Collection.of(await services.styles.collection(id))
            case ids.USER, User(id=own) if own == id:
                return UserType.of(viewer)
            case ids.GENERATION, User(id=owner):
                return Generation.of(await services.generations.get(owner, id))
            case ids.API_KEY, User(id=owner):
                return ApiKey.of(await services.api_keys.get(owner, id))
            case ids.TRANSACTION, User(id=owner):
                return CreditTransaction.of(await services.credits.transaction(owner, id))
    except NotFoundError:
        pass
    return None
