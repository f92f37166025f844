"""Queries leave nothing that only the garbage collector can free: its searches would be a part of their CPU."""

import gc
import json
from collections import Counter

import pytest

from tests.conftest import Running
from tests.support.client import Api
from tests.support.hostile_documents import IN_ALBUMS, OF_GENERATION, nested
from tests.support.named_lists import add_albums
from tests.support.raw_http import connection, request

REQUESTS = 10
ALBUMS = 30
PAGE = """query Page($first: Int!) { viewer { credits generations(first: $first) {
  edges { cursor node { id status result { url } style { title } } } pageInfo { endCursor } } } }"""
OPERATIONS: dict[str, list[dict[str, object]]] = {
    "query": [{"query": PAGE, "variables": {"first": first}} for first in range(1, REQUESTS + 1)],
    "unchanged query": [{"query": "{ viewer { id } }"}] * REQUESTS,
}
REFUSED = {"size of a page": "{ styles(first: 1000) { totalCount } }", "role": "{ admin { users { totalCount } } }"}


async def garbage(api: Api, operations: list[dict[str, object]], *, is_refused: bool = False) -> Counter[str]:
    """Return the objects, by class, that only the garbage collector found after these requests of an account."""
    headers = (f"Authorization: Bearer {api.token}", "Content-Type: application/json")
    sent = [request("POST", "/graphql", *headers, body=json.dumps(each).encode()) for each in operations]
    async with connection(api.address) as raw:
        for one in sent[:3]:
            await raw.send(one)
            await raw.answer()
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for one in sent:
                await raw.send(one)
                answer = await raw.answer()
                assert answer.status == 200, answer.body
                assert ("errors" in json.loads(answer.body)) is is_refused, answer.body
            gc.collect()
            return Counter(type(found).__qualname__ for found in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()


@pytest.mark.parametrize("kind", OPERATIONS)
async def test_queries_leave_no_reference_cycles(server: Running, kind: str) -> None:
    ada = await server.api.sign_up()
    found = await garbage(ada, OPERATIONS[kind])
    often = {name: count for name, count in found.items() if count >= REQUESTS}
    assert often == {}


@pytest.mark.parametrize("reason", REFUSED)
async def test_refused_queries_free_what_their_frames_hold(server: Running, reason: str) -> None:
    ada = await server.api.sign_up()
    found = await garbage(ada, [{"query": REFUSED[reason]}] * REQUESTS, is_refused=True)
    assert found["frame"] < REQUESTS


async def test_lists_that_are_too_long_free_what_they_have_loaded(server: Running) -> None:
    ada = await server.api.sign_up()
    [generation] = (await ada.create(prompt="a fox"))["generations"]
    await add_albums(ada, generation["id"], ALBUMS)
    query: dict[str, object] = {
        "query": OF_GENERATION % nested(IN_ALBUMS, "id", 3),
        "variables": {"id": generation["id"]},
    }
    found = await garbage(ada, [query] * REQUESTS, is_refused=True)
    assert found["Album"] < REQUESTS * ALBUMS**2 // 2  # some branches fail after their parent, unseen by the response
