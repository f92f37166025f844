"""Expensive operations of one caller are executed one at a time, and those of others do not wait for them."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest

from services.operations.query_slots import MUTATION, PREPARATION, QUERY, REQUEST_SECONDS, QuerySlots
from tests.conftest import Running
from tests.support.client import CREDITS, PATIENCE, Api, until

pytestmark = pytest.mark.any_database

EXPENSIVE = "{ viewer { id " + " ".join(f"g{n}: generations(first: 1) {{ totalCount }}" for n in range(15)) + " } }"
EXPENSIVE_MUTATION = f"mutation {{ updateProfile(input: {{}}) {{ user {EXPENSIVE[9:-2]} }} }}"
STREAM = "text/event-stream"
CHEAP = "{ viewer { id } }"


@contextlib.asynccontextmanager
async def busy(server: Running, caller: str) -> AsyncIterator[None]:
    """Hold a caller's slot while the body runs."""
    async with server.services.operations.query_slots.slot(caller):
        yield


async def waiting(server: Running, caller: str, count: int) -> None:
    slots = server.services.operations.query_slots

    async def is_reached() -> bool:
        return slots.waiting(caller) == count

    await until(is_reached)


async def test_expensive_queries_of_one_caller_wait_and_those_of_others_do_not(server: Running, ada: Api) -> None:
    eve = await server.api.sign_up("eve@example.com")
    async with busy(server, eve.user["id"]):
        held = asyncio.create_task(eve.execute(EXPENSIVE))
        await waiting(server, eve.user["id"], 1)
        assert (await eve.execute(CHEAP))["viewer"]["id"] == eve.user["id"]
        assert (await ada.execute(EXPENSIVE))["viewer"]["id"] == ada.user["id"]
        assert not held.done()
    assert (await held)["viewer"]["id"] == eve.user["id"]


async def test_too_many_waiting_queries_of_one_caller_are_rate_limited(server: Running, ada: Api) -> None:
    caller = ada.user["id"]

    async def wait() -> None:
        async with busy(server, caller):
            pass

    async with busy(server, caller):
        held = [asyncio.create_task(wait()) for _ in range(200)]
        await waiting(server, caller, 200)
        found = await ada.refused(EXPENSIVE)
        assert (found["code"], found["retryAfter"]) == ("RATE_LIMITED", 1)
        for task in held:
            task.cancel()
        await waiting(server, caller, 0)


async def test_sixteen_expensive_mutations_run_at_once_and_further_ones_wait(server: Running, ada: Api) -> None:
    caller = ada.user["id"]
    slots = server.services.operations.query_slots
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(15):
            await stack.enter_async_context(slots.slot(caller, MUTATION))
        assert (await ada.execute(EXPENSIVE_MUTATION))["updateProfile"]["user"]["id"] == caller
        await stack.enter_async_context(slots.slot(caller, MUTATION))
        held = asyncio.create_task(ada.execute(EXPENSIVE_MUTATION))

        async def is_waiting() -> bool:
            return slots.waiting(caller, MUTATION) == 1

        await until(is_waiting)
        assert (await ada.execute(EXPENSIVE))["viewer"]["id"] == caller
        assert (await ada.execute("mutation { updateProfile(input: {}) { user { id } } }"))["updateProfile"]
        assert not held.done()
    assert (await held)["updateProfile"]["user"]["id"] == caller


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def pause(slots: QuerySlots, clock: Clock, seconds: float, kind: str = QUERY, besides: float = 0.0) -> float:
    """Return the pause after an operation of ada that takes some seconds."""
    started = clock.now
    slots.note("ada")
    clock.now += seconds
    return slots.pause_after("ada", kind, started, besides)


async def test_caller_pauses_only_while_others_are_active() -> None:
    clock = Clock()
    slots = QuerySlots(clock)
    assert [pause(slots, clock, 1) for _ in range(5)] == [pytest.approx(0.1)] * 5
    slots.note("eve")
    assert pause(slots, clock, 1) == pytest.approx(2)
    clock.now += 10
    assert pause(slots, clock, 1) == pytest.approx(0.1)


async def test_first_expensive_operations_have_no_pauses() -> None:
    clock = Clock()
    slots = QuerySlots(clock)
    found = []
    for _ in range(7):
        slots.note("eve")
        found.append(round(pause(slots, clock, 0.1), 3))
    assert found == [0.01] * 5 + [0.2, 0.4]


async def test_many_short_operations_have_pauses_beside_other_callers() -> None:
    clock = Clock()
    slots = QuerySlots(clock)
    slots.note("eve")
    found = [pause(slots, clock, 0, PREPARATION, REQUEST_SECONDS) for _ in range(200)]
    assert found[:100] == [0.0] * 100
    assert 0 < found[150] < found[-1] < 1
    assert pause(slots, clock, 0.1) == pytest.approx(0.01), "expensive operations are counted apart"


async def test_caller_who_floods_known_documents_has_pauses_beside_other_callers() -> None:
    clock = Clock()
    slots = QuerySlots(clock)
    for cost, burst in ((0, 500), (100, 200), (10_000, 125), (None, 125)):
        slots.note("eve")
        slots.note("ada")
        admitted = 0
        while slots.admits("ada", cost):
            admitted += 1
            await asyncio.sleep(0)
            slots.note("ada")
        assert admitted == pytest.approx(burst, abs=1)
        async with asyncio.timeout(5), slots.slot("ada", PREPARATION, REQUEST_SECONDS):
            pass
        assert not slots.admits("ada", cost), "it holds its slot until the pause has ended"
        assert slots.admits("eve", cost)
        slots, clock.now = QuerySlots(clock), clock.now + 10


async def test_known_documents_of_one_caller_share_no_step_of_the_event_loop() -> None:
    slots = QuerySlots()
    assert [slots.admits("ada", 0), slots.admits("ada", 0), slots.admits("eve", 0)] == [True, False, True]
    await asyncio.sleep(0)
    assert slots.admits("ada", 0)
    async with slots.slot("ada", PREPARATION):
        await asyncio.sleep(0)
        assert not slots.admits("ada", 0)


async def test_callers_who_have_their_burst_again_are_forgotten() -> None:
    clock = Clock()
    slots = QuerySlots(clock)
    for number in range(5000):
        assert slots.admits(f"caller{number}", 0)
        clock.now += 1
    assert len(slots._due) <= 1001


async def test_operations_of_one_caller_do_not_fill_a_step_of_the_event_loop() -> None:
    slots, found = QuerySlots(), []

    async def send() -> None:
        async with slots.slot("ada", PREPARATION):
            found.append("ada")

    sent = asyncio.gather(*(send() for _ in range(5)))
    while not sent.done():
        found.append("other")
        await asyncio.sleep(0)
    assert found.count("ada") == 5
    assert not [two for two in itertools.pairwise(found) if two == ("ada", "ada")]


async def test_callers_with_pauses_leave_the_slots_to_others() -> None:
    clock = Clock()
    slots = QuerySlots(clock)
    for number in range(50):
        slots.note("eve")
        async with slots.slot(f"caller{number}"):
            clock.now += 10
    async with asyncio.timeout(5), slots.slot("ada"):
        pass


async def has_to_wait(slots: QuerySlots, caller: str, cost: int) -> bool:
    waiting = asyncio.create_task(slots.wait_for_event(caller, cost))
    for _ in range(3):
        await asyncio.sleep(0)
    is_waiting = not waiting.done()
    waiting.cancel()
    return is_waiting


async def test_events_of_one_caller_are_spread_and_those_of_others_do_not_wait() -> None:
    clock = Clock()
    slots = QuerySlots(clock)
    assert [await has_to_wait(slots, "ada", 300) for _ in range(20)] == [False] * 20
    assert not await has_to_wait(slots, "eve", 100_000)
    assert await has_to_wait(slots, "eve", 300)
    assert not await has_to_wait(slots, "ada", 300)
    clock.now += 10
    assert not await has_to_wait(slots, "eve", 300)


async def test_turns_of_events_are_kept_while_they_are_used_or_due() -> None:
    clock = Clock()
    slots = QuerySlots(clock)
    used, due = slots.event_turns("ada"), slots.event_turns("eve")
    assert due.count(10_000_000) == 0
    due.close()
    for number in range(2000):  # more callers than are kept
        slots.event_turns(f"caller{number}").close()
    assert slots.event_turns("ada") is used
    assert slots.event_turns("eve").count(1) > 100
    clock.now += 1000
    for number in range(3000):
        slots.event_turns(f"other{number}").close()
    assert slots.event_turns("ada") is used
    assert slots.event_turns("eve") is due, "the last user has not closed it"
    assert slots.event_turns("caller0").users == 1


async def test_events_of_expensive_subscriptions_wait_for_their_turn(server: Running, ada: Api) -> None:
    eve = await server.api.sign_up("eve@example.com")
    await server.services.operations.query_slots.wait_for_event(eve.user["id"], 10_000_000)
    async with eve.socket() as busy, ada.socket() as other:
        held = await busy.subscribe(CREDITS)
        assert (await (await other.subscribe(CREDITS)).next())["credits"] == 30
        assert (await eve.execute(CHEAP))["viewer"]["id"] == eve.user["id"]
        assert busy.inbox[held.id].empty()


async def test_events_on_sockets_and_in_streams_are_counted_with_their_cost(server: Running, ada: Api) -> None:
    eve = await server.api.sign_up("eve@example.com")
    slots = server.services.operations.query_slots
    slots.clock = Clock()
    fields = "id status stage progress cost createdAt prompt styleTitle version attempts size quality provider model "
    fields += "result { url contentType width height byteSize } " + " ".join(f"f{n}: isFavorite" for n in range(50))
    page = f"owner {{ generations(first: 100) {{ nodes {{ {fields} }} }} }}"
    for query, waits in ((CREDITS, False), (f"subscription {{ galleryChanged {{ generation {{ {page} }} }} }}", True)):
        async with ada.socket() as socket:
            await (await socket.subscribe(query)).next()
        assert await has_to_wait(slots, ada.user["id"], 0) is waits
        body = {"query": query}
        async with eve.http.stream("POST", "/graphql", json=body, headers=eve.headers(accept=STREAM)) as response:
            lines = response.aiter_lines()
            while not (await asyncio.wait_for(anext(lines), PATIENCE)).startswith("data:"):
                pass
        assert await has_to_wait(slots, eve.user["id"], 0) is waits


async def test_operations_have_no_pauses_without_rate_limits() -> None:
    clock = Clock()
    slots = QuerySlots(clock, has_pauses=False)
    slots.note("eve")
    assert [pause(slots, clock, 1) for _ in range(5)] == [pytest.approx(0.1)] * 5
