"""galleryChanged(after:): a client that comes back is sent what it missed, each change once, or a SNAPSHOT."""

import asyncio

import pytest
from redis.asyncio import Redis
from websockets import ConnectionClosed

from models.database.connection import run_tx
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.payload import account_channel
from services.integrations.messaging import kept_messages
from settings import Settings
from tests.conftest import Running, running
from tests.support.bus_subscribers import everything_is_published
from tests.support.client import PATIENCE, Api, Socket, Stream
from tests.support.integrity import adjust_credits
from tests.support.second_process import create_in_another_process
from tests.support.servers import RedisServer

GALLERY = """subscription($after: Int) {
  galleryChanged(after: $after) { kind version generationId generation { id isFavorite } }
}"""
FAVORITES = """subscription($after: Int) {
  favoriteChanged(after: $after) { kind version generationId generation { id } }
}"""
VERSION = "{ viewer { version } }"
CREATE_MANY = 'mutation($count: Int!) { createGeneration(input: {prompt: "A red boat", count: $count}) {'
CREATE_MANY += " generations { id } errors { code } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { errors { code } } }"
DELETE_ACCOUNT = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
FAVORITE = "mutation($id: ID!, $to: Boolean!) { setFavorite(id: $id, isFavorite: $to) { errors { code } } }"


@pytest.fixture
async def server(idle_server: Running) -> Running:
    """A server without a worker."""
    return idle_server


async def version_of(client: Api) -> int:
    return int((await client.one(VERSION))["version"])


async def create(client: Api, count: int = 1) -> list[str]:
    made = await client.one(CREATE_MANY, count=count)
    assert made["errors"] == []
    return [generation["id"] for generation in made["generations"]]


async def mark(client: Api, id: str, times: int) -> None:
    """Set and clear the favorite mark, one version each."""
    for number in range(times):
        assert await client.one(FAVORITE, id=id, to=number % 2 == 0) == {"errors": []}


async def replay(server: Running, socket: Socket, after: int, query: str = GALLERY) -> Stream:
    """Subscribe once Redis has everything that was handed over to it: what it has not is answered by a SNAPSHOT."""
    await everything_is_published(server.services)
    return await socket.subscribe(query, after=after)


async def received(stream: Stream, count: int) -> list[tuple[str, int, str | None]]:
    events = [await stream.next() for _ in range(count)]
    return [(event["kind"], event["version"], event["generationId"]) for event in events]


async def assert_ends_with(client: Api, stream: Stream, expected: list[tuple[str, int, str | None]]) -> None:
    """Assert that the stream sends these events, and then only the next change."""
    assert await received(stream, len(expected)) == expected
    (made,) = await create(client)
    assert await received(stream, 1) == [("CREATED", await version_of(client), made)]


async def test_missed_changes_are_replayed_in_order_with_the_present_generations(ada: Api, server: Running) -> None:
    start = await version_of(ada)
    one, two = await create(ada, 2)
    await mark(ada, one, 1)
    await server.services.events.publisher.account_changed(await adjust_credits(ada.user["id"], 5, "no generation"))
    await ada.one(DELETE, ids=[two])
    async with ada.socket() as socket:
        stream = await replay(server, socket, start)
        first = await stream.next()
        assert first == {  # its row as it is now
            **{"kind": "CREATED", "version": start + 1, "generationId": one},
            "generation": {"id": one, "isFavorite": True},
        }
        await assert_ends_with(
            ada, stream, [("DELETED", start + 1, two), ("UPDATED", start + 2, one), ("DELETED", start + 4, two)]
        )
        again = await socket.subscribe(GALLERY, after=start + 3)  # others of the account are subscribed already
        assert [version for _, version, _ in await received(again, 2)] == [start + 4, start + 5]
        await assert_ends_with(ada, again, [])


async def test_a_client_that_missed_nothing_is_sent_nothing_but_what_comes(ada: Api, server: Running) -> None:
    await create(ada)
    version = await version_of(ada)
    async with ada.socket() as socket:
        streams = [await socket.subscribe(GALLERY, after=version) for _ in range(2)]
        for _ in streams:
            assert await received(await socket.subscribe(GALLERY), 1) == [("SNAPSHOT", version, None)]
        (one, two), expected = await create(ada, 2), version + 1
        for stream in streams:  # all events of the first change, though it is the first that is sent
            assert await received(stream, 2) == [("CREATED", expected, one), ("CREATED", expected, two)]
        await assert_ends_with(ada, streams[0], [])
        await streams[1].stop()


async def test_changes_of_credits_alone_replay_nothing(ada: Api, server: Running) -> None:
    start = await version_of(ada)
    for number in range(3):
        await server.services.events.publisher.account_changed(await adjust_credits(ada.user["id"], 1, str(number)))
    async with ada.socket() as socket:
        await assert_ends_with(ada, await replay(server, socket, start), [])


@pytest.mark.parametrize("missed", [64, 65])
async def test_at_most_64_missed_versions_are_replayed(ada: Api, server: Running, missed: int) -> None:
    (one,) = await create(ada)
    start = await version_of(ada)
    await mark(ada, one, missed)
    expected: list[tuple[str, int, str | None]] = [("SNAPSHOT", start + missed, None)]
    if missed == 64:
        expected = [("UPDATED", start + number, one) for number in range(1, missed + 1)]
    async with ada.socket() as socket:
        await assert_ends_with(ada, await replay(server, socket, start), expected)


async def test_a_version_that_the_account_does_not_have_gives_a_snapshot(ada: Api, server: Running) -> None:
    await create(ada)
    version = await version_of(ada)
    async with ada.socket() as socket:
        for after in (version + 1, 2**31 - 1, -1, -(2**31), None):
            stream = await socket.subscribe(GALLERY, after=after)
            assert await received(stream, 1) == [("SNAPSHOT", version, None)]
        await assert_ends_with(ada, stream, [])
        for invalid in (2**31, 2**70, "7", 1.5):
            message = await (await socket.subscribe(GALLERY, after=invalid)).message()
            (error,) = message["payload"]
            assert (message["type"], error["extensions"]["code"]) == ("error", "INVALID_INPUT")


async def test_a_version_whose_message_was_lost_gives_a_snapshot(ada: Api, server: Running) -> None:
    start = await version_of(ada)
    await create(ada)
    await create_in_another_process(server.services, ada)  # is not published here
    await create(ada)
    async with ada.socket() as socket:
        stream = await replay(server, socket, start)
        await assert_ends_with(ada, stream, [("SNAPSHOT", start + 3, None)])
        complete = await replay(server, socket, start + 2)
        assert [kind for kind, _, _ in await received(complete, 2)] == ["CREATED", "CREATED"]


async def test_a_message_that_arrives_while_the_stream_opens_is_waited_for(ada: Api, server: Running) -> None:
    start, user_id = await version_of(ada), str(ada.user["id"])
    (one,) = await create(ada)
    account = await run_tx(account_change.bump_version, user_id)
    async with ada.socket() as socket:
        stream = await replay(server, socket, start)
        await asyncio.sleep(0.05)  # it has read the row, most of the time; the result is the same
        late = account.with_generations(ChangeKind.UPDATED, [one])
        await server.services.events.publisher.account_changed(late)
        await assert_ends_with(ada, stream, [("CREATED", start + 1, one), ("UPDATED", start + 2, one)])


async def test_nothing_is_missing_or_repeated_while_changes_go_on(ada: Api, server: Running) -> None:
    """Sockets come and go, each where the one before stopped, while the account changes."""
    (one,) = await create(ada)
    start = seen = await version_of(ada)
    await everything_is_published(server.services)
    total = 60
    changing = asyncio.create_task(mark(ada, one, total))
    found: list[tuple[str, int, str | None]] = []
    while seen < start + total:
        async with ada.socket() as socket:
            stream = await socket.subscribe(GALLERY, after=seen)
            for _ in range(min(3, start + total - seen)):
                found += await received(stream, 1)
                seen = found[-1][1]
    await changing
    assert found == [("UPDATED", start + number, one) for number in range(1, total + 1)]


async def test_favorites_are_replayed_without_other_changes(ada: Api, server: Running) -> None:
    one, _ = await create(ada, 2)
    start = await version_of(ada)
    await mark(ada, one, 2)
    await create(ada)
    async with ada.socket() as socket:
        stream = await replay(server, socket, start, FAVORITES)
        assert await received(stream, 2) == [("UPDATED", start + 1, one), ("UPDATED", start + 2, one)]
        await mark(ada, one, 1)
        assert await received(stream, 1) == [("UPDATED", start + 4, one)]


async def test_many_changes_are_a_snapshot_rather_than_replayed(ada: Api, server: Running) -> None:
    start, user_id = await version_of(ada), str(ada.user["id"])
    account = await run_tx(account_change.bump_version, user_id)
    many = account.with_generations(ChangeKind.UPDATED, [f"gen_{number}" for number in range(33)])
    await server.services.events.publisher.account_changed(many)
    async with ada.socket() as socket:
        stream = await replay(server, socket, start)
        await assert_ends_with(ada, stream, [("SNAPSHOT", start + 1, None)])


async def test_changes_of_a_database_that_was_restored_are_not_replayed(ada: Api, server: Running) -> None:
    start, user_id = await version_of(ada), str(ada.user["id"])
    for changed in ("gen_before", "gen_after"):  # the same version, published before and after the restore
        account = AccountChange(user_id, 1, start + 1, 1).with_generations(ChangeKind.DELETED, [changed])
        await server.services.events.publisher.account_changed(account)
    await run_tx(account_change.bump_version, user_id)
    async with ada.socket() as socket:
        stream = await replay(server, socket, start)
        assert await received(stream, 1) == [("SNAPSHOT", start + 1, None)]


async def test_what_another_release_kept_gives_a_snapshot(ada: Api, server: Running) -> None:
    start, user_id, bus = await version_of(ada), str(ada.user["id"]), server.services.integrations.bus
    for kept in (
        "[]",
        "7",
        "{}",
        "[[1], []]",
        "[1, 2]",
        '["a", []]',
        "null",
        '[{"kind": 1}]',
        f'[{start + 1}, [["ADORED", "gen_1", false]]]',
        "no JSON",
    ):
        await bus.post(account_channel(user_id), {"version": 0, "generations": []}, kept)
    await run_tx(account_change.bump_version, user_id)
    async with ada.socket() as socket:
        stream = await replay(server, socket, start)
        assert await received(stream, 1) == [("SNAPSHOT", start + 1, None)]


async def test_another_account_replays_none_of_it(ada: Api, server: Running) -> None:
    eve = await server.api.sign_up("eve@example.com")
    start = await version_of(eve)
    await create(ada, 2)
    async with eve.socket() as socket:
        await assert_ends_with(eve, await socket.subscribe(GALLERY, after=start), [])


async def test_a_deleted_account_replays_nothing(ada: Api, server: Running) -> None:
    start = await version_of(ada)
    (made,) = await create(ada)
    async with ada.socket() as socket:
        stream = await replay(server, socket, start)
        assert await received(stream, 1) == [("CREATED", start + 1, made)]
        confirmed = {"password": "correct horse", "confirmEmail": "ada@example.com"}
        assert await ada.one(DELETE_ACCOUNT, input=confirmed) == {"errors": []}
        (error,) = (await stream.message())["payload"]["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
    with pytest.raises(ConnectionClosed):
        async with ada.socket() as socket:
            await (await socket.subscribe(GALLERY, after=start)).message()


async def test_an_event_stream_opens_though_there_is_nothing_to_replay(ada: Api, server: Running) -> None:
    body = {"query": GALLERY, "variables": {"after": await version_of(ada)}}
    headers = ada.headers(accept="text/event-stream")
    async with ada.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        assert response.status_code == 200
        (one, two) = await create(ada, 2)
        lines: list[str] = []
        async with asyncio.timeout(PATIENCE):
            async for line in response.aiter_lines():
                lines += [line] if line.startswith("data: ") else []
                if len(lines) == 2:
                    break
    assert (one in lines[0], two in lines[1]) == (True, True)


@pytest.mark.any_database
async def test_an_outage_of_redis_gives_a_snapshot_and_changes_after_it_are_replayed(
    settings: Settings, redis: RedisServer
) -> None:
    redis.start()
    async with running(settings.model_copy(update={"redis_url": redis.url}), idle=True) as server:
        ada = await server.api.sign_up("ada@example.com")
        start = await version_of(ada)
        await create(ada)
        await everything_is_published(server.services)
        await asyncio.to_thread(redis.kill)
        async with ada.socket() as socket:
            down = await socket.subscribe(GALLERY, after=start)
            assert await received(down, 1) == [("SNAPSHOT", start + 1, None)]
        await asyncio.to_thread(redis.start)
        async with asyncio.timeout(PATIENCE):
            while not server.services.integrations.bus.is_connected:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.01)
        (made,) = await create(ada)
        async with ada.socket() as socket:  # the first version was lost with Redis
            assert await received(await replay(server, socket, start), 1) == [("SNAPSHOT", start + 2, None)]
            later = await replay(server, socket, start + 1)
            await assert_ends_with(ada, later, [("CREATED", start + 2, made)])


@pytest.mark.any_database
async def test_what_is_kept_in_redis_expires(settings: Settings, redis: RedisServer) -> None:
    redis.start()
    async with running(settings.model_copy(update={"redis_url": redis.url}), idle=True) as server:
        ada = await server.api.sign_up("ada@example.com")
        start = await version_of(ada)
        await create(ada)
        key = kept_messages.key_of(account_channel(str(ada.user["id"])))
        async with Redis.from_url(redis.url) as client, ada.socket() as socket:
            async with asyncio.timeout(PATIENCE):
                while not await client.exists(key):  # noqa: ASYNC110 - Redis sends no event
                    await asyncio.sleep(0.01)
            assert 590 < await client.ttl(key) <= 600
            await client.expire(key, 0)
            stream = await socket.subscribe(GALLERY, after=start)
            await assert_ends_with(ada, stream, [("SNAPSHOT", start + 1, None)])
