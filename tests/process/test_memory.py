"""Requests leave nothing behind: after a warm-up, the number of allocated blocks does not grow with their number."""

import gc
import itertools
import sys
from collections.abc import Awaitable, Callable

import pytest

from tests.conftest import Running
from tests.support.client import Api, Socket, photo

ROUND = 10  # requests between two counts
ROUNDS = 30  # at most, of which the one that grows least counts: caches fill up, and timers run for some seconds
WARM_UP = 3  # rounds
PAGE = """{ viewer { credits stats { favorites }
    generations(first: 5) { totalCount nodes { id status style { title } } } } }"""

Request = Callable[[], Awaitable[object]]


def requests_of(ada: Api, socket: Socket, generation: str) -> dict[str, Request]:
    """Return a request of each kind, by name."""

    async def get() -> None:
        await ada.http.get("/graphql", params={"query": "{ viewer { id } }"}, headers=ada.headers())

    async def favorite() -> None:
        await ada.execute(f'mutation {{ setFavorite(id: "{generation}", isFavorite: true) {{ errors {{ code }} }} }}')

    async def stream() -> None:
        opened = await socket.subscribe("subscription { galleryChanged { version } }")
        await socket.inbox[opened.id].get()  # without a timer, which the event loop would keep for a while
        await opened.stop()
        del socket.inbox[opened.id]

    async def upload() -> None:
        await ada.raw("mutation($image: Upload!) { nothing(image: $image) }", {"image": photo(32, 32)})

    return {
        "page": lambda: ada.execute(PAGE),
        "page by GET": get,
        "mutation": favorite,
        "invalid document": lambda: ada.raw("{ viewer { nothing } }"),
        "refused mutation": lambda: ada.raw(
            'mutation { setFavorite(id: "gen_1", isFavorite: true) { errors { code } } }'
        ),
        "refused upload": upload,
        "subscription": stream,
        "health": lambda: ada.http.get("/health/live"),
        "page of the catalogue, signed out": lambda: Api(ada.http, ada.address).execute(
            "{ styles(first: 5) { nodes { id title } } }"
        ),
    }


async def least_growth(request: Request) -> int:
    """Return by how many blocks a round grows at least, once caches are filled; stop where it is next to nothing."""
    counts: list[int] = []
    growths: list[int] = []
    for _ in range(ROUNDS):
        for _ in range(ROUND):
            await request()
        gc.collect()
        counts.append(sys.getallocatedblocks())
        growths = [later - earlier for earlier, later in itertools.pairwise(counts)]
        if len(counts) > WARM_UP and min(growths) < ROUND:
            break
    return min(growths)


@pytest.mark.any_database
async def test_requests_of_every_kind_leave_no_allocated_blocks(server: Running, ada: Api) -> None:
    order = await ada.create(photo(64, 64), prompt="A fox")
    generation = order["generations"][0]["id"]
    await ada.wait_for_end(generation)
    gc.collect()
    gc.freeze()  # each collection below then takes a hundredth of the time
    try:
        async with ada.socket() as socket:
            requests = requests_of(ada, socket, generation)
            grown = {name: await least_growth(request) for name, request in requests.items()}
    finally:
        gc.unfreeze()
    assert {name: blocks for name, blocks in grown.items() if blocks >= ROUND} == {}, grown  # one for each request
