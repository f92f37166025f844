"""The gallery, live: whoever applies what is told, and reads again when told to, ends with what the gallery says."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from models.database.connection import run_tx
from models.enum import GenerationStage
from services.events import account_change
from services.events.payload import account_channel
from services.generations.specification import GenerationRequest
from settings import Settings
from tests.conftest import Running, running
from tests.support.bus_subscribers import wait_for_subscribers
from tests.support.client import PATIENCE, Api, Stream
from tests.support.integrity import adjust_credits
from tests.support.second_process import another_process, claim_in_another_process, create_in_another_process
from tests.support.servers import RedisServer

GALLERY = "subscription { galleryChanged { kind version generationId generation { id status version isFavorite } } }"
FAVORITES = "subscription { favoriteChanged { kind version generationId generation { id isFavorite } } }"
PROGRESS = "subscription($id: ID!) { generationProgress(id: $id) { version isFavorite } }"
SHOWN = "{ viewer { version generations(first: 100) { nodes { id status version isFavorite } } } }"
ORDER = 'mutation($count: Int!) { createGeneration(input: {prompt: "A red boat", count: $count}) {'
ORDER += " generations { id } errors { code } } }"
CANCEL = "mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
FAVORITE = "mutation($id: ID!, $to: Boolean!) { setFavorite(id: $id, isFavorite: $to) { errors { code } } }"
SIGN_OUT = "mutation { signOut(everywhere: true) { sessionsEnded } }"


@pytest.fixture
async def server(idle_server: Running) -> Running:
    """A server where nothing is made, unless a test makes it."""
    return idle_server


async def order(person: Api, count: int = 1) -> list[str]:
    made = await person.one(ORDER, count=count)
    assert made["errors"] == []
    return [generation["id"] for generation in made["generations"]]


async def shown(person: Api) -> tuple[int, list[Any]]:
    viewer = await person.one(SHOWN)
    return viewer["version"], viewer["generations"]["nodes"]


async def opened(stream: Stream) -> int:
    """The version of the SNAPSHOT that a stream opens with."""
    first = await stream.next()
    assert (first["kind"], first["generationId"], first["generation"]) == ("SNAPSHOT", None, None)
    return int(first["version"])


async def told(stream: Stream, count: int) -> list[tuple[str, int, str | None]]:
    events = [await stream.next() for _ in range(count)]
    return [(event["kind"], event["version"], event["generationId"]) for event in events]


@dataclass
class Mirror:
    """A client that holds the gallery: reads it on SNAPSHOT, applies everything else."""

    person: Api
    stream: Stream
    held: dict[str, Any] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    seen: set[tuple[int, str]] = field(default_factory=set)
    version: int = 0

    async def follow(self) -> None:
        while True:
            event = await self.stream.next()
            assert event["version"] >= self.version, "the version went back"
            self.version = event["version"]
            self.kinds.append(event["kind"])
            if event["kind"] == "SNAPSHOT":
                self.held = {node["id"]: node for node in (await shown(self.person))[1]}
                continue
            told = (event["version"], event["generationId"])
            assert told not in self.seen, "told twice"
            self.seen.add(told)
            assert (event["generation"] is None) is (event["kind"] == "DELETED")
            if event["kind"] == "DELETED":
                self.held.pop(event["generationId"], None)
            else:
                assert event["generation"]["id"] == event["generationId"]
                self.held[event["generationId"]] = event["generation"]

    async def until_equal(self) -> list[Any]:
        """Wait until this client has heard everything; what it holds must be what the gallery says."""
        version, nodes = await shown(self.person)
        async with asyncio.timeout(PATIENCE):
            while self.version < version:  # noqa: ASYNC110 - the stream sets no event
                await asyncio.sleep(0.01)
        assert sorted(self.held) == sorted(node["id"] for node in nodes)
        assert [self.held[node["id"]] for node in nodes] == nodes
        return nodes


async def test_every_change_is_told_once_with_its_version_and_the_generation_as_it_is(
    push_only_server: Running,
) -> None:
    server = push_only_server
    ada, eve = await server.api.sign_up(), await server.api.sign_up("eve@example.com")
    async with ada.socket() as socket, eve.socket() as eves:
        stream, hers = await socket.subscribe(GALLERY), await eves.subscribe(GALLERY)
        start, eves_start = await opened(stream), await opened(hers)
        one, two = await order(ada, 2)
        assert await told(stream, 2) == [("CREATED", start + 1, one), ("CREATED", start + 1, two)]
        # What changes no generation is passed over in silence, and counts.
        await server.services.events.publisher.account_changed(await adjust_credits(ada.user["id"], 5, "gift"))
        await ada.one(CANCEL, id=one)
        event = await stream.next()
        assert (event["kind"], event["version"], event["generationId"]) == ("UPDATED", start + 3, one)
        assert event["generation"] == {"id": one, "status": "CANCELED", "version": 2, "isFavorite": False}
        claim = await claim_in_another_process(two)
        for account in (claim.account, claim.account):  # the second one is old news
            assert account is not None
            await server.services.events.publisher.account_changed(account)
        assert await told(stream, 1) == [("UPDATED", start + 4, two)]
        await ada.one(DELETE, ids=[one, two])
        events = [await stream.next(), await stream.next()]
        assert {(event["kind"], event["version"], event["generationId"]) for event in events} == {
            ("DELETED", start + 5, one),
            ("DELETED", start + 5, two),
        }
        assert [event["generation"] for event in events] == [None, None]
        assert (await shown(ada)) == (start + 5, [])
        # Of all this another account has heard nothing.
        (own,) = await order(eve)
        assert await told(hers, 1) == [("CREATED", eves_start + 1, own)]
        await stream.stop()
        await hers.stop()
        await wait_for_subscribers(server.services, 0)


async def test_messages_that_come_in_another_order_are_told_in_the_order_of_versions(ada: Api, server: Running) -> None:
    one, two, three = await order(ada, 3)
    async with ada.socket() as socket:
        stream = await socket.subscribe(GALLERY)
        start = await opened(stream)
        accounts = [claim.account for claim in [await claim_in_another_process(id) for id in (one, two, three)]]
        for account in reversed(accounts):
            assert account is not None
            await server.services.events.publisher.account_changed(account)
        assert await told(stream, 3) == [
            ("UPDATED", start + 1, one),
            ("UPDATED", start + 2, two),
            ("UPDATED", start + 3, three),
        ]


async def test_what_was_missed_becomes_one_snapshot_of_the_present_version(ada: Api, server: Running) -> None:
    async with ada.socket() as socket:
        stream = await socket.subscribe(GALLERY)
        start = await opened(stream)
        # Nobody is told, and it stays quiet.
        await create_in_another_process(server.services, ada)
        assert await told(stream, 1) == [("SNAPSHOT", start + 1, None)]
        # Two are lost, and something that follows is told.
        user = await server.services.accounts.users.get(str(ada.user["id"]))
        async with another_process(server.services) as orders:
            for _ in range(2):
                await orders.create(user, GenerationRequest(prompt="A red boat"))
        (heard,) = await order(ada)
        assert await told(stream, 1) == [("SNAPSHOT", start + 4, None)]
        await ada.one(CANCEL, id=heard)
        assert await told(stream, 1) == [("UPDATED", start + 5, heard)]


async def test_messages_of_another_release_lead_to_the_gallery_itself(ada: Api, server: Running) -> None:
    user_id, bus = str(ada.user["id"]), server.services.integrations.bus
    async with ada.socket() as socket:
        stream = await socket.subscribe(GALLERY)
        start = await opened(stream)
        accounts = [await run_tx(account_change.bump_version, user_id) for _ in range(3)]
        odd_ones: list[dict[str, object]] = [
            {"version": start + 1, "credits": 30},
            {"version": start + 2, "generations": [{"kind": "ADORED", "id": "gen_1", "favorite": False}]},
            {"version": start + 3, "generations": [{"kind": "UPDATED"}]},
        ]
        for odd in odd_ones:
            await bus.publish(account_channel(user_id), odd)
        assert await told(stream, 3) == [("SNAPSHOT", account.version, None) for account in accounts]
        # One that nobody can place is no reason to believe it, and none to stop.
        unplaced: list[dict[str, object]] = [{}, {"version": "new"}, {"version": 10**9, "generations": []}]
        for odd in unplaced:
            await bus.publish(account_channel(user_id), odd)
            assert await told(stream, 1) == [("SNAPSHOT", start + 3, None)]
        (made,) = await order(ada)
        assert await told(stream, 1) == [("CREATED", start + 4, made)]


async def test_what_was_made_and_deleted_before_it_was_told_is_told_as_deleted(ada: Api, server: Running) -> None:
    generation_id = await create_in_another_process(server.services, ada)
    async with ada.socket() as socket:
        stream = await socket.subscribe(GALLERY)
        start = await opened(stream)
        claim = await claim_in_another_process(generation_id)
        async with another_process(server.services):
            await ada.one(DELETE, ids=[generation_id])
        assert claim.account is not None
        await server.services.events.publisher.account_changed(claim.account)
        events = [await stream.next(), await stream.next()]
    assert [(event["kind"], event["version"], event["generation"]) for event in events] == [
        ("DELETED", start + 1, None),
        ("DELETED", start + 2, None),
    ]


async def test_favorites_are_told_when_a_mark_is_set_cleared_or_deleted(ada: Api, server: Running) -> None:
    one, two = await order(ada, 2)
    async with ada.socket() as socket:
        stream, gallery = await socket.subscribe(FAVORITES), await socket.subscribe(GALLERY)
        start = await opened(stream)
        await opened(gallery)
        await ada.one(FAVORITE, id=one, to=True)
        assert (await stream.next())["generation"] == {"id": one, "isFavorite": True}
        await ada.one(FAVORITE, id=one, to=True)  # which changes nothing
        await ada.one(FAVORITE, id=two, to=True)
        await ada.one(FAVORITE, id=two, to=False)
        await ada.one(CANCEL, id=one)  # no news for the favorites
        await ada.one(DELETE, ids=[two])
        await ada.one(DELETE, ids=[one])
        events = [await stream.next() for _ in range(3)]
        assert [(event["kind"], event["version"], event["generationId"]) for event in events] == [
            ("UPDATED", start + 2, two),
            ("UPDATED", start + 3, two),
            ("DELETED", start + 6, one),
        ]
        assert [kind for kind, _, _ in await told(gallery, 6)] == ["UPDATED"] * 4 + ["DELETED"] * 2
        await create_in_another_process(server.services, ada)
        assert await told(stream, 1) == [("SNAPSHOT", start + 7, None)]


async def test_a_mark_that_is_set_while_it_is_made_stays_in_the_story(ada: Api, server: Running) -> None:
    (one,) = await order(ada)
    async with ada.socket() as socket:
        stream = await socket.subscribe(PROGRESS, id=one)
        assert (await stream.next())["isFavorite"] is False
        claim = await claim_in_another_process(one)
        await ada.one(FAVORITE, id=one, to=True)
        event = await stream.next()
        assert (event["version"], event["isFavorite"]) == (3, True)
        await claim.advance(GenerationStage.GENERATING, 0.1)
        await server.services.events.publisher.generation_changed(claim.generation)
        event = await stream.next()
        assert (event["version"], event["isFavorite"]) == (4, True)


async def test_a_client_that_applies_the_changes_ends_equal_to_the_gallery(ada: Api, server: Running) -> None:
    """Orders, cancels, favorites, deletions, work and gifts at once; some of it told to nobody."""
    await adjust_credits(ada.user["id"], 1000, "plenty")
    numbers = itertools.count()
    services = server.services

    async def life(lost: bool) -> None:
        if lost:
            ids: Sequence[str] = [await create_in_another_process(services, ada)]
        else:
            ids = await order(ada, 2)
        await ada.one(FAVORITE, id=ids[0], to=True)
        await services.events.publisher.account_changed(await adjust_credits(ada.user["id"], 1, str(next(numbers))))
        match next(numbers) % 3:
            case 0:
                await ada.one(CANCEL, id=ids[0])
            case 1:
                await ada.one(DELETE, ids=list(ids))
            case 2:
                await services.generations.worker.process(ids[-1])

    async with ada.socket() as socket:
        streams = [await socket.subscribe(GALLERY) for _ in range(2)]
        mirrors = [Mirror(ada, stream) for stream in streams]
        followers = [asyncio.create_task(mirror.follow()) for mirror in mirrors]
        for lost in (False, True, False):
            await asyncio.gather(*(life(lost and number % 3 == 0) for number in range(8)))
        nodes = [await mirror.until_equal() for mirror in mirrors]
        for follower in followers:
            assert not follower.done(), follower.exception()
            follower.cancel()
    assert nodes[0] == nodes[1]
    assert {"COMPLETED", "CANCELED", "PENDING"} <= {node["status"] for node in nodes[0]}
    assert any(node["isFavorite"] for node in nodes[0])
    for mirror in mirrors:
        assert mirror.kinds[0] == "SNAPSHOT"
        assert {"CREATED", "UPDATED", "DELETED"} <= set(mirror.kinds)


async def test_a_stream_ends_with_its_sign_in(ada: Api, api: Api, server: Running) -> None:
    async with api.socket() as socket:
        for query in (GALLERY, FAVORITES):
            message = await (await socket.subscribe(query)).message()
            (error,) = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
            assert error["extensions"]["code"] == "UNAUTHENTICATED"
    async with ada.socket() as socket:
        streams = [await socket.subscribe(GALLERY), await socket.subscribe(FAVORITES)]
        for stream in streams:
            await opened(stream)
        await ada.one(SIGN_OUT)
        for stream in streams:
            (error,) = (await stream.message())["payload"]["errors"]
            assert error["extensions"]["code"] == "UNAUTHENTICATED"
            assert (await stream.message())["type"] == "complete"
    await wait_for_subscribers(server.services, 0)


@pytest.mark.any_database
async def test_a_redis_that_restarts_is_a_snapshot_and_the_stream_goes_on(
    settings: Settings, redis: RedisServer
) -> None:
    redis.start()
    async with running(settings.model_copy(update={"redis_url": redis.url}), idle=True) as server:
        ada = await server.api.sign_up("ada@example.com")
        async with ada.socket() as socket:
            stream = await socket.subscribe(GALLERY)
            start = await opened(stream)
            await asyncio.to_thread(redis.restart)
            event = await stream.next()
            assert (event["kind"], event["version"]) == ("SNAPSHOT", start)
            (made,) = await order(ada)
            event = await stream.until(version=start + 1)
            assert event["kind"] in ("CREATED", "SNAPSHOT")
            await ada.one(CANCEL, id=made)
            assert (await stream.until(version=start + 2))["generationId"] in (made, None)


async def test_who_signs_in_on_the_same_socket_does_not_turn_pictures_into_deleted_ones(server: Running) -> None:
    ada = await server.api.sign_up()
    await server.api.sign_up("eve@example.com", "correct horse battery")
    async with ada.socket() as socket:
        stream = await socket.subscribe(GALLERY)
        version = await opened(stream)
        other = await socket.subscribe(
            "mutation($input: SignInInput!) { signIn(input: $input) { errors { code } } }",
            input={"email": "eve@example.com", "password": "correct horse battery"},
        )
        assert await other.rest() == [{"errors": []}]
        (made,) = await order(ada)
        assert await told(stream, 1) == [("CREATED", version + 1, made)]
