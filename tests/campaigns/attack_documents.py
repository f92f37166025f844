"""Documents that cost more to check or to run than they look like, at 20 a second."""

import asyncio
import itertools
from collections.abc import Sequence

import httpx

from tests.campaigns.attack import Attack, Target
from tests.support.client import Api
from tests.support.hostile_documents import IN_ALBUMS, OF_GENERATION, Shape, nested, shapes
from tests.support.named_lists import add_albums

_RATE = 20.0  # documents per second
_WHOLE_REQUEST = (
    b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 35\r\n\r\n"
    b'{"query": "{ collections { id } }"}'
)
_FIELDS = (  # each runs statements
    'sharedGeneration(slug: "pelican") { title }',
    "quote(input: {}) { cost }",
    'style(slug: "noir") { id }',
    "collections { id styles { id } }",
    "plans { id }",
    "styles(first: 1) { totalCount }",
)
_ALBUMS = 30
_PAGES = ("generations(first: 1) { totalCount nodes { id } }", "transactions(first: 1) { totalCount nodes { id } }")


def _aliased(field: str, count: int) -> str:
    return "{" + " ".join(f"a{number}: {field}" for number in range(count)) + "}"


async def _send(target: Target, api: Api, documents: Sequence[Shape]) -> None:
    """Send the documents in turn, each time with another comment, so that no cache knows them."""
    turns = zip(itertools.count(), itertools.cycle(documents), strict=False)

    async def send() -> httpx.Response:
        number, shape = next(turns)
        body = {"query": f"{shape.query} #{number}", "variables": shape.variables}
        return await target.http.post("/graphql", json=body, headers=api.headers())

    await target.repeat(2, send, pause=2 / _RATE)


async def quadratic_field_merging(target: Target) -> None:
    """490 equal fields in 7 KB: field-merging validation compares every pair."""
    await _send(target, target.api, [shape for shape in shapes() if shape.name == "490 collections"])


async def hostile_document_shapes(target: Target) -> None:
    """Fragments, arguments, directives, variables and unknown fields by the hundred."""
    known = list(shapes())
    target.rng.shuffle(known)
    await _send(target, target.api, known)


async def aliased_statements(target: Target) -> None:
    """50 aliases of each field that runs statements, signed out."""
    await _send(target, target.api, [Shape(field, _aliased(field, 50)) for field in _FIELDS])


async def largest_accepted_documents(target: Target) -> None:
    """As many aliases of these fields as the limit for signed-out clients accepts, more or less."""
    counts = (19, 9, 6, 3)
    await _send(target, target.api, [Shape(field, _aliased(field, count)) for field in _FIELDS for count in counts])


async def aliased_pages(target: Target) -> None:
    """45 pages of an account's own lists."""
    documents = [Shape(page, f"{{ viewer {_aliased(page, count)} }}") for page in _PAGES for count in (45, 20, 10)]
    await _send(target, await target.sign_up(), documents)


async def lists_within_lists(target: Target) -> None:
    """The albums of a picture, within the albums of that picture: 30 times as many objects at each level."""
    api = await target.sign_up()
    [generation] = (await api.create(prompt="a fox"))["generations"]
    await add_albums(api, generation["id"], _ALBUMS)
    variables = {"id": generation["id"]}
    documents = [
        Shape(f"{levels} levels", OF_GENERATION % nested(IN_ALBUMS, "id", levels), variables) for levels in (2, 3, 4)
    ]
    await _send(target, api, documents)


async def long_operation_names(target: Target) -> None:
    """50,000 characters of operationName, and a client that leaves before the answer."""
    body = {"query": "query a { __typename } query b { __typename }", "operationName": "n" * 50_000}

    async def send() -> httpx.Response:
        response = await target.http.post("/graphql", json=body)
        if len(response.content) > 1000:
            target.outcomes["long answer"] += 1
        return response

    async def leave() -> None:
        while not target.is_over:
            _, writer = await target.connect()
            writer.write(_WHOLE_REQUEST)
            await writer.drain()
            writer.transport.abort()
            await asyncio.sleep(0.05)

    await asyncio.gather(target.repeat(2, send, pause=0.1), leave())


ATTACKS: tuple[Attack, ...] = (
    quadratic_field_merging,
    hostile_document_shapes,
    aliased_statements,
    largest_accepted_documents,
    aliased_pages,
    lists_within_lists,
    long_operation_names,
)
