"""What an operation loads is limited by what is there, where its price could only assume how long lists are."""

from typing import Any

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type, get_nullable_type, is_list_type

from models import ids
from models.database.connection import rows
from schema.root import schema
from schema.runtime.complexity import MAX_COST
from schema.runtime.loaded import MAX_LOADED
from schema.runtime.price import STATEMENT_PRICE
from tests.schema.test_complexity import complexity
from tests.support import factories
from tests.support.client import Api
from tests.support.factories import insert
from tests.support.hostile_documents import IN_ALBUMS, OF_GENERATION, nested
from tests.support.named_lists import add_albums

ALBUMS = 30  # of one generation; the price assumes 2
BATCH = 16  # generations; the price assumes 4
TEXT = "There is more in these lists than one request may read. Request less at a time."
IN_BATCH = "id batch { generations { %s } }"
OF_COLLECTION = "id collection { styles { %s } }"


async def add_generations(owner: Api, count: int) -> list[str]:
    """Give an account a batch of canceled generations, and return their IDs."""
    user_id = (await owner.one("{ viewer { id } }"))["id"]
    batch = ids.new_id(ids.BATCH)
    ended = {"status": "CANCELED", "stage": "CANCELED", "completed_at": factories.NOW}
    made = [factories.generation(user_id, batch_id=batch, **ended) for _ in range(count)]
    for row in made:
        await insert("generations", row)
    return [row["id"] for row in made]


async def refused(api: Api, query: str, **variables: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.raw(query, **variables)).json()["errors"]
    return found


async def test_albums_within_albums_end_with_one_error(ada: Api) -> None:
    [generation] = await add_generations(ada, 1)
    await add_albums(ada, generation, ALBUMS)
    once = OF_GENERATION % nested(IN_ALBUMS, "id", 1)
    assert len((await ada.execute(once, id=generation))["viewer"]["generation"]["albums"]) == ALBUMS
    deep = OF_GENERATION % nested(IN_ALBUMS, "id", 4)
    assert complexity(deep).total_cost < MAX_COST
    for _ in range(3):  # later ones by a plan
        [error] = await refused(ada, deep, id=generation)
        assert (error["message"], error["extensions"]) == (TEXT, {"code": "TOO_COMPLEX"})


async def test_batches_within_batches_end_with_one_error(ada: Api) -> None:
    [generation, *_] = await add_generations(ada, BATCH)
    twice = await ada.execute(OF_GENERATION % nested(IN_BATCH, "id", 2), id=generation)
    assert len(twice["viewer"]["generation"]["batch"]["generations"]) == BATCH
    deep = OF_GENERATION % nested(IN_BATCH, "id", 6)
    assert complexity(deep).total_cost < MAX_COST
    for _ in range(3):
        [error] = await refused(ada, deep, id=generation)
        assert error["extensions"] == {"code": "TOO_COMPLEX"}


async def test_styles_within_styles_end_with_one_error_when_signed_out(api: Api) -> None:
    [first, *_] = await rows("SELECT * FROM styles")
    for number in range(100):
        await insert("styles", {**first, "id": ids.new_id(ids.STYLE), "slug": f"copy-{number}"})
    query = nested("{ collections { styles { %s } } }", nested(OF_COLLECTION, "id", 2), 1)
    [error] = await refused(api, query)
    assert error["extensions"] == {"code": "TOO_COMPLEX"}
    assert (await api.execute("{ collections { styles { id title } } }"))["collections"]


async def test_events_of_a_subscription_are_limited_each_for_itself(ada: Api) -> None:
    [generation, *_] = await add_generations(ada, BATCH)
    query = "subscription($id: ID!) { generationProgress(id: $id) { %s } }"
    async with ada.socket() as socket:
        stream = await socket.subscribe(query % nested(IN_BATCH, "id", 6), id=generation)
        message = await stream.message()
        assert [error["extensions"] for error in message["payload"]["errors"]] == [{"code": "TOO_COMPLEX"}]


async def test_operations_of_one_socket_are_counted_apart(ada: Api) -> None:
    [generation, *_] = await add_generations(ada, BATCH)
    query = OF_GENERATION % nested(IN_BATCH, "id", 3)  # 4,096 of 12,000 objects
    async with ada.socket() as socket:
        streams = [await socket.subscribe(query, id=generation) for _ in range(5)]
        for stream in streams:
            assert (await stream.next())["generation"]["id"] == generation


@pytest.mark.parametrize("size", [1, 10, 100])
def test_pages_that_the_price_admits_are_not_refused_for_what_they_load(size: int) -> None:
    query = "{{ viewer {{ generations(first: {}) {{ nodes {{ children(first: {}) {{ nodes {{ id }} }} }} }} }} }}"
    count = max(each for each in range(1, 101) if complexity(query.format(each, size)).total_cost <= MAX_COST)
    assert (count + 1) * (STATEMENT_PRICE + 5 * size) + 5 * count < MAX_LOADED


def test_lists_that_can_be_nested_in_themselves_are_those_that_are_counted() -> None:
    """A new one needs `counted` where it is loaded."""
    kinds = schema._schema.type_map
    below = {
        name: {get_named_type(field.type).name for field in kind.fields.values()} | possible_types(kind)
        for name, kind in kinds.items()
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__")
    }
    for _ in kinds:  # until nothing more can be reached
        more = {name: found.union(*(below.get(one, ()) for one in found)) for name, found in below.items()}
        if more == below:
            break
        below = more
    found = {
        f"{name}.{field}"
        for name in below
        if isinstance(kind := kinds[name], GraphQLObjectType) and not name.endswith("Connection")
        for field, definition in kind.fields.items()
        if is_list_type(get_nullable_type(definition.type)) and "first" not in definition.args
        if name in below.get(get_named_type(definition.type).name, ())
    }
    assert found == {"Generation.albums", "Batch.generations", "Collection.styles"}


def possible_types(kind: GraphQLObjectType | GraphQLInterfaceType) -> set[str]:
    if isinstance(kind, GraphQLObjectType):
        return set()
    return {possible.name for possible in schema._schema.get_possible_types(kind)}
