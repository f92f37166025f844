"""Live progress and credits: a stream opens with the present state and delivers each change once, despite losses."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from models import Generation
from models.enum import ErrorCode, GenerationStage
from services.events.account_change import AccountChange
from services.events.payload import account_channel, generation_channel
from settings import Settings
from tests.conftest import Running, running
from tests.support.bus_subscribers import subscriber_count, wait_for_subscribers
from tests.support.client import CREDITS, PATIENCE, PROGRESS, Api, Socket, photo
from tests.support.integrity import adjust_credits
from tests.support.second_process import claim_in_another_process, create_in_another_process

SIGN_OUT = "mutation { signOut(everywhere: true) { sessionsEnded } }"


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    """A server that does not touch the rows that these tests change."""
    async with running(settings.model_copy(update={"generation_sweep_seconds": 600.0}), idle=True) as found:
        yield found


async def refusal(socket: Socket, query: str, **variables: Any) -> str:
    """Return the code with which a subscription is refused, at any stage."""
    message = await (await socket.subscribe(query, **variables)).message()
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    (error,) = errors
    return str(error["extensions"]["code"])


async def test_two_subscribers_receive_the_same_events_from_the_present_to_the_end(ada: Api, server: Running) -> None:
    generation_id = await create_in_another_process(server.services, ada)
    async with ada.socket() as one, ada.socket() as other:
        streams = [await browser.subscribe(PROGRESS, id=generation_id) for browser in (one, other)]
        opened = [await stream.next() for stream in streams]
        assert [(event["stage"], event["version"]) for event in opened] == [("QUEUED", 1)] * 2
        claim = await claim_in_another_process(generation_id)
        publish = server.services.events.publisher.generation_changed
        await publish(claim.generation)
        for stage, progress, preview in (
            (GenerationStage.GENERATING, 0.1, None),
            (GenerationStage.GENERATING, 0.5, "data:image/webp;base64,AAAA"),
            (GenerationStage.STORING, 0.95, None),
        ):
            await claim.advance(stage, progress, preview)
            await publish(claim.generation)
        await publish(await claim.fail(ErrorCode.GENERATION_FAILED, called=True))
        received = [await stream.rest() for stream in streams]
    assert received[0] == received[1]
    assert [(event["stage"], event["progress"], event["previewUrl"]) for event in received[0]] == [
        ("VALIDATING", 0.05, None),
        ("GENERATING", 0.1, None),
        ("GENERATING", 0.5, "data:image/webp;base64,AAAA"),
        ("STORING", 0.95, None),
        ("FAILED", 0.95, None),
    ]
    assert [event["version"] for event in received[0]] == [2, 3, 4, 5, 6]
    assert received[0][-1]["errorCode"] == "GENERATION_FAILED"
    assert received[0][-1]["refunded"] is True


async def test_events_during_processing_equal_the_row(ada: Api, server: Running) -> None:
    fields = "version stage progress startedAt updatedAt attempts provider owner { credits version }"
    subscription = f"subscription($id: ID!) {{ generationProgress(id: $id) {{ {fields} }} }}"
    query = f"query($id: ID!) {{ viewer {{ generation(id: $id) {{ {fields} }} }} }}"
    generation_id = await create_in_another_process(server.services, ada)
    publish = server.services.events.publisher.generation_changed
    async with ada.socket() as socket:
        stream = await socket.subscribe(subscription, id=generation_id)
        assert (await stream.next())["startedAt"] is None
        claim = await claim_in_another_process(generation_id)
        await publish(claim.generation)
        assert await stream.next() == (await ada.one(query, id=generation_id))["generation"]
        for stage in (GenerationStage.GENERATING, GenerationStage.STORING):
            await claim.advance(stage, 0.5)
            await publish(claim.generation)
            assert await stream.next() == (await ada.one(query, id=generation_id))["generation"]


async def test_late_and_repeated_messages_are_not_delivered(ada: Api, server: Running) -> None:
    generation_id = await create_in_another_process(server.services, ada)
    publish = server.services.events.publisher.generation_changed
    async with ada.socket() as socket:
        stream = await socket.subscribe(PROGRESS, id=generation_id)
        assert (await stream.next())["version"] == 1
        old = await Generation.get(id=generation_id)
        claim = await claim_in_another_process(generation_id)
        await publish(claim.generation)
        await publish(claim.generation)
        await publish(old)
        await claim.advance(GenerationStage.GENERATING, 0.1)
        await publish(claim.generation)
        await publish(old)
        await publish(await claim.fail(ErrorCode.UNAVAILABLE, called=False))
        assert [event["version"] for event in await stream.rest()] == [2, 3, 4]


async def test_unpublished_progress_is_read_from_the_row(ada: Api, server: Running) -> None:
    generation_id = await create_in_another_process(server.services, ada)
    async with ada.socket() as socket:
        stream = await socket.subscribe(PROGRESS, id=generation_id)
        assert (await stream.next())["stage"] == "QUEUED"
        claim = await claim_in_another_process(generation_id)
        started = asyncio.get_running_loop().time()
        assert (await stream.next())["stage"] == "VALIDATING"
        assert asyncio.get_running_loop().time() - started < 10 * server.settings.subscription_reread_seconds
        await claim.advance(GenerationStage.GENERATING, 0.1)
        await claim.advance(GenerationStage.STORING, 0.95)
        await claim.fail(ErrorCode.GENERATION_FAILED, called=True)
        last = (await stream.rest())[-1]
    assert (last["status"], last["version"]) == ("FAILED", 5)


async def test_a_subscription_after_the_end_receives_the_final_event(ada: Api, server: Running) -> None:
    (generation,) = (await ada.create(photo(), styleId=await ada.style("cute", "plushify")))["generations"]
    await server.services.generations.worker.process(generation["id"])
    ended = await ada.wait_for_end(generation["id"])
    async with ada.socket() as socket:
        events = await (await socket.subscribe(PROGRESS, id=generation["id"])).rest()
    assert events == [ended]
    assert ended["status"] == "COMPLETED"


async def test_a_finished_stream_unsubscribes_from_the_bus(ada: Api, server: Running) -> None:
    generation_id = await create_in_another_process(server.services, ada)
    async with ada.socket() as socket:
        stream = await socket.subscribe(PROGRESS, id=generation_id)
        await stream.next()
        assert subscriber_count(server.services) == 1
        await ada.one("mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }", id=generation_id)
        assert (await stream.rest())[-1]["status"] == "CANCELED"
        await wait_for_subscribers(server.services, 0)


async def test_other_users_and_invalid_ids_get_the_same_error(ada: Api, api: Api, server: Running) -> None:
    generation_id = await create_in_another_process(server.services, ada)
    await adjust_credits(ada.user["id"], 5, "gift")
    line = (await ada.one("{ viewer { transactions(first: 1) { nodes { id } } } }"))["transactions"]["nodes"][0]["id"]
    eve = await api.sign_up("eve@example.com")
    unknown = "gen_01h455vb4pex5vsknk084sn02q"
    async with eve.socket() as socket:
        for id in (generation_id, unknown, eve.user["id"], "", "\0", "x" * 5000, generation_id.upper()):
            assert await refusal(socket, PROGRESS, id=id) == "NOT_FOUND"
        for after in (line, "txn_01h455vb4pex5vsknk084sn02q", generation_id, "", "\0", "x" * 5000):
            assert await refusal(socket, CREDITS, after=after) == "NOT_FOUND"
    async with api.socket() as socket:
        assert await refusal(socket, PROGRESS, id=generation_id) == "UNAUTHENTICATED"
        assert await refusal(socket, CREDITS) == "UNAUTHENTICATED"
    await wait_for_subscribers(server.services, 0)


@pytest.mark.parametrize("busy", [False, True])
async def test_signing_out_everywhere_ends_the_streams(ada: Api, server: Running, busy: bool) -> None:
    generation_id = await create_in_another_process(server.services, ada)

    async def publish_constantly() -> None:
        while True:
            await server.services.events.publisher.generation_changed(await Generation.get(id=generation_id))
            await server.services.events.publisher.account_changed(AccountChange(ada.user["id"], 30, 1, 1))
            await asyncio.sleep(0.02)

    async with ada.socket() as socket:
        streams = [await socket.subscribe(PROGRESS, id=generation_id), await socket.subscribe(CREDITS)]
        for stream in streams:
            await stream.next()
        publishing = asyncio.create_task(publish_constantly()) if busy else None
        await ada.one(SIGN_OUT)
        started = asyncio.get_running_loop().time()
        for stream in streams:
            while "errors" not in (message := await stream.message())["payload"]:
                pass  # messages from before the session ended
            (error,) = message["payload"]["errors"]
            assert error["extensions"]["code"] == "UNAUTHENTICATED"
            assert (await stream.message())["type"] == "complete"
        assert asyncio.get_running_loop().time() - started < 10 * server.settings.subscription_reread_seconds
        if publishing:
            publishing.cancel()
    await wait_for_subscribers(server.services, 0)


async def test_credits_open_with_the_present_and_deliver_every_line_once_in_order(ada: Api, server: Running) -> None:
    async with ada.socket() as socket:
        stream = await socket.subscribe(CREDITS)
        first = await stream.next()
        assert (first["credits"], first["transaction"]) == (30, None)

        async def change(number: int) -> None:
            await server.services.events.publisher.account_changed(
                await adjust_credits(ada.user["id"], 1 if number % 2 else 2, str(number))
            )

        await asyncio.gather(*(change(number) for number in range(50)))
        events = [await stream.next() for _ in range(50)]
    assert [event["transaction"]["sequence"] for event in events] == list(range(2, 52))
    assert [event["version"] for event in events] == list(range(first["version"] + 1, first["version"] + 51))
    balance = 30
    for event in events:
        balance += event["transaction"]["amount"]
        assert event["credits"] == event["transaction"]["balance"] == balance
    assert balance == 105


async def test_unpublished_credits_are_read_from_the_rows(ada: Api) -> None:
    async with ada.socket() as socket:
        stream = await socket.subscribe(CREDITS)
        await stream.next()
        for number in range(3):
            await adjust_credits(ada.user["id"], -1, str(number))
        assert [(await stream.next())["credits"] for _ in range(3)] == [29, 28, 27]


async def test_after_replays_exactly_the_missed_lines(ada: Api, server: Running) -> None:
    for number in range(1, 251):  # more than are read at once
        await adjust_credits(ada.user["id"], 1, str(number))
    lines = (await ada.one("{ viewer { transactions(last: 1) { nodes { id sequence } } } }"))["transactions"]["nodes"]
    async with ada.socket() as socket:
        stream = await socket.subscribe(CREDITS, after=lines[0]["id"])
        first = await stream.next()
        assert (first["credits"], first["transaction"]) == (280, None)
        events = [await stream.next() for _ in range(250)]
        assert [event["transaction"]["sequence"] for event in events] == list(range(2, 252))
        assert events[-1]["version"] == first["version"]
        newest = await socket.subscribe(CREDITS, after=events[-1]["transaction"]["id"])
        assert (await newest.next())["transaction"] is None
        await server.services.events.publisher.account_changed(await adjust_credits(ada.user["id"], 7, "new"))
        for each in (stream, newest):
            assert (await each.next())["transaction"]["amount"] == 7


async def test_a_change_between_subscribing_and_reading_is_delivered(ada: Api, server: Running) -> None:
    """Many short subscriptions during constant changes: none misses a change or receives it twice."""
    done = asyncio.Event()

    async def keep_changing() -> None:
        for number in range(40):
            await server.services.events.publisher.account_changed(await adjust_credits(ada.user["id"], 1, str(number)))
        done.set()

    changing = asyncio.create_task(keep_changing())
    async with ada.socket() as socket, asyncio.timeout(PATIENCE):
        while not done.is_set():
            stream = await socket.subscribe(CREDITS)
            credits = (await stream.next())["credits"]
            if credits < 70:
                assert (await stream.next())["credits"] == credits + 1
            await stream.stop()
        await changing
    await wait_for_subscribers(server.services, 0)


async def test_messages_of_another_release_cause_a_read_of_the_rows(ada: Api, server: Running) -> None:
    """During a rolling update, a field may be missing or a state unknown."""
    user_id, bus = str(ada.user["id"]), server.services.integrations.bus
    generation_id = await create_in_another_process(server.services, ada)
    async with ada.socket() as socket:
        progress, credits = await socket.subscribe(PROGRESS, id=generation_id), await socket.subscribe(CREDITS)
        before = await credits.next()
        await progress.next()
        unknown: list[dict[str, object]] = [{}, {"sequence": 10**6, "lines": [{"type": "TIP"}]}, {"sequence": 10**6}]
        for number, message in enumerate(unknown, 1):
            await adjust_credits(user_id, 1, f"unknown message {number}")
            await bus.publish(account_channel(user_id), message)
            assert (await credits.next())["credits"] == before["credits"] + number
        claim = await claim_in_another_process(generation_id)
        await bus.publish(generation_channel(generation_id), {"status": "PROCESSING", "version": 2})
        assert (await progress.next())["stage"] == "VALIDATING"
        await claim.fail(ErrorCode.GENERATION_FAILED, called=True)
        await bus.publish(generation_channel(generation_id), {"status": "ADORED", "version": 3})
        assert [event["stage"] for event in await progress.rest()] == ["FAILED"]
