"""Chains: what a generation was made from, and what was made from it."""

from typing import Any

from models import Generation
from models.database.connection import rows
from services.core.pagination import PageRequest
from services.gallery.generation_query import MAX_STEPS
from tests.conftest import Running
from tests.support import factories
from tests.support.client import REFINE, REGENERATE, Api
from tests.support.factories import NOW, insert
from tests.support.gallery_pages import ARGUMENTS, PAGE

CHAIN = f"""
query($id: ID!, {ARGUMENTS}) {{
  node(id: $id) {{ ... on Generation {{
    list: chain(first: $first, after: $after, last: $last, before: $before) {{ nodes {{ id }} {PAGE} }}
  }} }}
}}"""
_MANY = """
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < $2)
INSERT INTO generations ({columns})
SELECT 'gen_' || (100000 + n), CASE WHEN n > 1 THEN 'gen_' || (99999 + n) END, {others} FROM generations, counted
WHERE id = $1 RETURNING id"""


async def page(api: Api, id: str, **arguments: Any) -> dict[str, Any]:
    return dict((await api.one(CHAIN, id=id, **arguments))["list"])


async def ids_of(api: Api, id: str, **arguments: Any) -> list[str]:
    return [one["id"] for one in (await page(api, id, **arguments))["nodes"]]


async def finish(server: Running, made: dict[str, Any]) -> str:
    assert made["errors"] == []
    id = str(made["generations"][0]["id"])
    await server.services.generations.worker.process(id)
    return id


async def refined(server: Running, api: Api, id: str) -> str:
    return await finish(server, await api.one(REFINE, input={"id": id, "instruction": "Now in blue"}))


async def test_chain_has_all_that_led_to_a_generation_and_the_newest_that_followed(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    steps = [await finish(idle_server, await ada.create(prompt="A fox"))]
    for _ in range(5):
        steps.append(await refined(idle_server, ada, steps[-1]))
    branch = await finish(idle_server, await ada.one(REGENERATE, input={"id": steps[1], "asVariation": True}))
    end = await refined(idle_server, ada, branch)
    for id in steps[2:]:
        assert await ids_of(ada, id) == steps
    for id in (steps[0], steps[1], branch, end):  # the branch is the newer one
        assert await ids_of(ada, id) == [*steps[:2], branch, end]
    assert await eve.one(CHAIN, id=steps[0]) is None

    first = await page(ada, steps[3], first=2)
    assert ([one["id"] for one in first["nodes"]], first["totalCount"]) == (steps[:2], 6)
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    end_of_first = first["pageInfo"]["endCursor"]
    assert await ids_of(ada, steps[3], first=2, after=end_of_first) == steps[2:4]
    last = await page(ada, steps[3], last=2)
    assert [one["id"] for one in last["nodes"]] == steps[4:]
    assert await ids_of(ada, steps[3], last=3, before=last["pageInfo"]["startCursor"]) == steps[1:4]
    assert (await ada.refused(CHAIN.replace("chain", "children"), id=steps[0], after=end_of_first))["field"] == [
        "after"
    ]

    # A deleted step ends the chain on both sides, as it ends `parent`.
    await ada.one("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }", ids=[steps[3]])
    assert await ids_of(ada, steps[5]) == steps[4:]
    assert await ids_of(ada, steps[2]) == steps[:3]


async def test_chain_of_any_length_is_read_within_bounds(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    row = factories.generation(ada.user["id"], status="CANCELED", stage="CANCELED", completed_at=NOW)
    model = (await insert("generations", row))["id"]
    others = [f'"{name}"' for name in row if name not in ("id", "parent_id")]
    sql = _MANY.format(columns=", ".join(['"id"', '"parent_id"', *others]), others=", ".join(others))
    most = MAX_STEPS
    made = sorted(str(one["id"]) for one in await rows(sql, model, 2 * most + 500))
    found = await idle_server.services.gallery.lists.chain(
        str(ada.user["id"]), made[most + 100], PageRequest(first=100), frozenset({"id"})
    )
    assert await found.count() == 2 * most + 1
    assert [one.id for one in found.items] == made[100:200]
    assert await Generation.filter(id__in=made).count() == 2 * most + 500
