"""galleryChanged: a client that applies the events and reads again on SNAPSHOT ends with the gallery's state."""

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
from services.gallery.tag import TagService
from services.generations.specification import GenerationRequest
from services.operations.query_slots import EventTurns
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
GALLERY_STATE = "{ viewer { version generations(first: 100) { nodes { id status version isFavorite } } } }"
CREATE_MANY = 'mutation($count: Int!) { createGeneration(input: {prompt: "A red boat", count: $count}) {'
CREATE_MANY += " generations { id } errors { code } } }"
CANCEL = "mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
FAVORITE = "mutation($id: ID!, $to: Boolean!) { setFavorite(id: $id, isFavorite: $to) { errors { code } } }"
FAVORITES_OF_ALL = "mutation($ids: [ID!]!) { setFavorites(ids: $ids, isFavorite: true) { errors { code } } }"
SIGN_OUT = "mutation { signOut(everywhere: true) { sessionsEnded } }"


@pytest.fixture
async def server(idle_server: Running) -> Running:
    """A server without a worker."""
    return idle_server


async def create(client: Api, count: int = 1) -> list[str]:
    made = await client.one(CREATE_MANY, count=count)
    assert made["errors"] == []
    return [generation["id"] for generation in made["generations"]]


async def gallery_of(client: Api) -> tuple[int, list[Any]]:
    viewer = await client.one(GALLERY_STATE)
    return viewer["version"], viewer["generations"]["nodes"]


async def opened(stream: Stream) -> int:
    """Return the version of the SNAPSHOT with which a stream opens."""
    first = await stream.next()
    assert (first["kind"], first["generationId"], first["generation"]) == ("SNAPSHOT", None, None)
    return int(first["version"])


async def received(stream: Stream, count: int) -> list[tuple[str, int, str | None]]:
    events = [await stream.next() for _ in range(count)]
    return [(event["kind"], event["version"], event["generationId"]) for event in events]


@dataclass
class Mirror:
    """A client with a copy of the gallery: reads it on SNAPSHOT, and applies all other events."""

    client: Api
    stream: Stream
    copy: dict[str, Any] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    seen: set[tuple[int, str]] = field(default_factory=set)
    version: int = 0

    async def follow(self) -> None:
        while True:
            event = await self.stream.next()
            assert event["version"] >= self.version, "the version decreased"
            self.kinds.append(event["kind"])
            if event["kind"] == "SNAPSHOT":
                self.copy = {node["id"]: node for node in (await gallery_of(self.client))[1]}
                self.version = event["version"]  # only now: `until_equal` waits for the copy
                continue
            self.version = event["version"]
            change = (event["version"], event["generationId"])
            assert change not in self.seen, "delivered twice"
            self.seen.add(change)
            assert (event["generation"] is None) is (event["kind"] == "DELETED")
            if event["kind"] == "DELETED":
                self.copy.pop(event["generationId"], None)
            else:
                assert event["generation"]["id"] == event["generationId"]
                self.copy[event["generationId"]] = event["generation"]

    async def until_equal(self) -> list[Any]:
        """Wait until this client has received everything; its copy must equal the gallery."""
        version, nodes = await gallery_of(self.client)
        async with asyncio.timeout(PATIENCE):
            while self.version < version:  # noqa: ASYNC110 - the stream sets no event
                await asyncio.sleep(0.01)
        assert sorted(self.copy) == sorted(node["id"] for node in nodes)
        assert [self.copy[node["id"]] for node in nodes] == nodes
        return nodes


async def test_every_change_is_delivered_once_with_its_version_and_the_present_generation(
    push_only_server: Running,
) -> None:
    server = push_only_server
    ada, eve = await server.api.sign_up(), await server.api.sign_up("eve@example.com")
    async with ada.socket() as socket, eve.socket() as eves:
        stream, hers = await socket.subscribe(GALLERY), await eves.subscribe(GALLERY)
        start, eves_start = await opened(stream), await opened(hers)
        one, two = await create(ada, 2)
        assert await received(stream, 2) == [("CREATED", start + 1, one), ("CREATED", start + 1, two)]
        # A change without a generation gives no event, but a version.
        await server.services.events.publisher.account_changed(await adjust_credits(ada.user["id"], 5, "gift"))
        await ada.one(CANCEL, id=one)
        event = await stream.next()
        assert (event["kind"], event["version"], event["generationId"]) == ("UPDATED", start + 3, one)
        assert event["generation"] == {"id": one, "status": "CANCELED", "version": 2, "isFavorite": False}
        claim = await claim_in_another_process(two)
        for account in (claim.account, claim.account):  # the second message is a duplicate
            assert account is not None
            await server.services.events.publisher.account_changed(account)
        assert await received(stream, 1) == [("UPDATED", start + 4, two)]
        await ada.one(DELETE, ids=[one, two])
        events = [await stream.next(), await stream.next()]
        assert {(event["kind"], event["version"], event["generationId"]) for event in events} == {
            ("DELETED", start + 5, one),
            ("DELETED", start + 5, two),
        }
        assert [event["generation"] for event in events] == [None, None]
        assert (await gallery_of(ada)) == (start + 5, [])
        # Another account has received none of this.
        (own,) = await create(eve)
        assert await received(hers, 1) == [("CREATED", eves_start + 1, own)]
        await stream.stop()
        await hers.stop()
        await wait_for_subscribers(server.services, 0)


async def test_messages_out_of_order_are_delivered_in_the_order_of_versions(ada: Api, server: Running) -> None:
    one, two, three = await create(ada, 3)
    async with ada.socket() as socket:
        stream = await socket.subscribe(GALLERY)
        start = await opened(stream)
        accounts = [claim.account for claim in [await claim_in_another_process(id) for id in (one, two, three)]]
        for account in reversed(accounts):
            assert account is not None
            await server.services.events.publisher.account_changed(account)
        assert await received(stream, 3) == [
            ("UPDATED", start + 1, one),
            ("UPDATED", start + 2, two),
            ("UPDATED", start + 3, three),
        ]


async def test_missed_messages_become_one_snapshot_of_the_present_version(ada: Api, server: Running) -> None:
    async with ada.socket() as socket:
        stream = await socket.subscribe(GALLERY)
        start = await opened(stream)
        # The change is not published, and no other message follows.
        await create_in_another_process(server.services, ada)
        assert await received(stream, 1) == [("SNAPSHOT", start + 1, None)]
        # Two messages are lost, and a later one arrives.
        user = await server.services.accounts.users.get(str(ada.user["id"]))
        async with another_process(server.services) as generations:
            for _ in range(2):
                await generations.create(user, GenerationRequest(prompt="A red boat"))
        (made,) = await create(ada)
        assert await received(stream, 1) == [("SNAPSHOT", start + 4, None)]
        await ada.one(CANCEL, id=made)
        assert await received(stream, 1) == [("UPDATED", start + 5, made)]


async def test_messages_of_another_release_give_a_snapshot(ada: Api, server: Running) -> None:
    user_id, bus = str(ada.user["id"]), server.services.integrations.bus
    async with ada.socket() as socket:
        stream = await socket.subscribe(GALLERY)
        start = await opened(stream)
        accounts = [await run_tx(account_change.bump_version, user_id) for _ in range(3)]
        unknown: list[dict[str, object]] = [
            {"version": start + 1, "credits": 30},
            {"version": start + 2, "generations": [{"kind": "ADORED", "id": "gen_1", "favorite": False}]},
            {"version": start + 3, "generations": [{"kind": "UPDATED"}]},
        ]
        for message in unknown:
            await bus.publish(account_channel(user_id), message)
        assert await received(stream, 3) == [("SNAPSHOT", account.version, None) for account in accounts]
        # A message without a usable version gives a snapshot, and does not end the stream.
        unusable: list[dict[str, object]] = [{}, {"version": "new"}, {"version": 10**9, "generations": []}]
        for message in unusable:
            await bus.publish(account_channel(user_id), message)
            assert await received(stream, 1) == [("SNAPSHOT", start + 3, None)]
        (made,) = await create(ada)
        assert await received(stream, 1) == [("CREATED", start + 4, made)]


async def test_a_generation_deleted_before_its_update_is_published_is_delivered_as_deleted(
    ada: Api, server: Running
) -> None:
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


async def test_favorite_changed_delivers_marks_that_are_set_cleared_or_deleted(ada: Api, server: Running) -> None:
    one, two = await create(ada, 2)
    async with ada.socket() as socket:
        stream, gallery = await socket.subscribe(FAVORITES), await socket.subscribe(GALLERY)
        start = await opened(stream)
        await opened(gallery)
        await ada.one(FAVORITE, id=one, to=True)
        assert (await stream.next())["generation"] == {"id": one, "isFavorite": True}
        await ada.one(FAVORITE, id=one, to=True)  # changes nothing
        await ada.one(FAVORITE, id=two, to=True)
        await ada.one(FAVORITE, id=two, to=False)
        await ada.one(CANCEL, id=one)  # does not change the favorites
        kinds = [kind for kind, _, _ in await received(gallery, 4)]  # before the rows are gone
        await ada.one(DELETE, ids=[two])
        await ada.one(DELETE, ids=[one])
        events = [await stream.next() for _ in range(3)]
        assert [(event["kind"], event["version"], event["generationId"]) for event in events] == [
            ("UPDATED", start + 2, two),
            ("UPDATED", start + 3, two),
            ("DELETED", start + 6, one),
        ]
        kinds += [kind for kind, _, _ in await received(gallery, 2)]
        assert kinds == ["UPDATED"] * 4 + ["DELETED"] * 2
        await create_in_another_process(server.services, ada)
        assert await received(stream, 1) == [("SNAPSHOT", start + 7, None)]


async def test_a_favorite_mark_set_during_processing_stays_in_later_events(ada: Api, server: Running) -> None:
    (one,) = await create(ada)
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


async def test_a_client_that_applies_all_events_ends_equal_to_the_gallery(ada: Api, server: Running) -> None:
    """Creations, cancels, favorites, deletions, processing and credits at once; some of it is not published."""
    await adjust_credits(ada.user["id"], 1000, "enough credits")
    numbers = itertools.count()
    services = server.services

    async def life(lost: bool) -> None:
        if lost:
            ids: Sequence[str] = [await create_in_another_process(services, ada)]
        else:
            ids = await create(ada, 2)
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


async def test_a_stream_ends_with_its_session(ada: Api, api: Api, server: Running) -> None:
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
async def test_a_restart_of_redis_gives_a_snapshot_and_the_stream_continues(
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
            (made,) = await create(ada)
            event = await stream.until(version=start + 1)
            assert event["kind"] in ("CREATED", "SNAPSHOT")
            await ada.one(CANCEL, id=made)
            assert (await stream.until(version=start + 2))["generationId"] in (made, None)


async def test_a_sign_in_on_the_same_socket_does_not_change_whose_gallery_is_streamed(server: Running) -> None:
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
        (made,) = await create(ada)
        assert await received(stream, 1) == [("CREATED", version + 1, made)]


@pytest.mark.parametrize("unused", ["\ud800", 2**70])
async def test_variables_that_no_event_reads_do_not_end_the_stream(ada: Api, unused: str | int) -> None:
    (id,) = await create(ada)
    async with ada.socket() as socket:
        stream = await socket.subscribe(GALLERY, unused=unused)
        version = await opened(stream)
        await ada.one(FAVORITE, id=id, to=True)
        assert await received(stream, 1) == [("UPDATED", version + 1, id)]


async def test_events_of_one_change_read_together_and_each_counts(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.api.sign_up()
    made = await create(ada, 4)
    reads, costs = [], []
    of_generations, count = TagService.of_generations, EventTurns.count

    async def read(tags: TagService, ids: Sequence[str]) -> Any:
        reads.append(sorted(ids))
        return await of_generations(tags, ids)

    def counted(turns: EventTurns, cost: int) -> float:
        costs.append(cost)
        return count(turns, cost)

    async with ada.socket() as socket:
        stream = await socket.subscribe("subscription { galleryChanged { kind generation { id tags { name } } } }")
        assert (await stream.next())["kind"] == "SNAPSHOT"
        monkeypatch.setattr(TagService, "of_generations", read)
        monkeypatch.setattr(EventTurns, "count", counted)
        await ada.one(FAVORITE, id=made[0], to=True)
        assert (await stream.next())["generation"] == {"id": made[0], "tags": []}
        (one,) = costs
        changed = await ada.one(FAVORITES_OF_ALL, ids=made[1:])
        assert changed["errors"] == []
        events = [await stream.next() for _ in made[1:]]
    assert sorted(event["generation"]["id"] for event in events) == sorted(made[1:])
    assert reads == [[made[0]], sorted(made[1:])]
    assert costs == [one, 3 * one]
