"""Subscriptions without a task: clients that read slowly, and work that is shared by all subscribers of a topic."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import orjson
import pytest

from models import User
from models.enum import GenerationStage, Role
from models.generation_row import GenerationRow
from resolvers.billing import _update
from resolvers.events import _activity
from resolvers.gallery import _step
from schema.root import schema
from schema.runtime.access import Audience
from schema.runtime.context import Context
from schema.runtime.event_executor import EventOperation
from schema.runtime.feed import Feed, as_it_is
from schema.runtime.instrumentation import Instrumentation
from services.billing.credits_topic import CreditsTopic
from services.core.message import message
from services.events.activity import CHANNEL
from services.events.activity_topic import ActivityTopic
from services.events.generation_topic import GenerationTopic
from services.events.payload import GENERATION_FIELDS, GENERATION_TIMES
from services.events.topic import Topic
from services.gallery.gallery_topic import GalleryTopic
from tests.conftest import Running
from tests.support.bus_subscribers import everything_is_published, wait_for_subscribers
from tests.support.client import Api, until
from tests.support.integrity import adjust_credits
from tests.support.second_process import claim_in_another_process, create_in_another_process
from web.live_subscriber import LiveSubscriber

PROGRESS = "subscription { generationProgress(id: 1) { version previewUrl } }"
QUEUED = "subscription { generationProgress(id: 1) { version queuePosition } }"
PLAIN = "subscription { generationProgress(id: 1) { version progress } }"
MESSAGES = "subscription { generationProgress(id: 1) { version message } }"
GALLERY = "subscription { galleryChanged { kind version } }"
CREDITS = "subscription { creditsChanged { credits transaction { sequence } } }"
ACTIVITY = "subscription { adminActivity { kind message } }"


@pytest.fixture
async def server(idle_server: Running) -> Running:
    """A server without a worker."""
    return idle_server


class ShortGallery(GalleryTopic):
    """Keeps fewer items, so that few changes are too many."""

    max_items = 4


class ShortCredits(CreditsTopic):
    """The same of credits."""

    max_items = 4


class ShortActivity(ActivityTopic):
    """The same of activity."""

    max_items = 4


class Client:
    """A socket whose client reads only while `reads` is set."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.received: list[dict[str, Any]] = []
        self.ended: list[str] = []
        self.writer = self

    def write(self, body: bytes, tail: bytes) -> bool:
        if self.reads.is_set():
            self.received.append(json.loads(body + tail))
        return self.reads.is_set()

    async def send_text(self, text: str) -> None:
        await self.reads.wait()
        self.received.append(json.loads(text))

    def forget(self, operation_id: str) -> None:
        self.ended.append(operation_id)

    @property
    def values(self) -> list[Any]:
        """The root fields of the events so far."""
        payloads = [received["payload"] for received in self.received if received["type"] == "next"]
        return [value for payload in payloads for value in (payload["data"] or {}).values()]

    async def until(self, condition: Callable[[], bool]) -> None:
        async def holds() -> bool:
            return condition()

        await until(holds)


async def context_of(server: Running, api: Api, language: str = "en") -> Context:
    context = Context(
        server.services,
        token=api.token,
        is_cookie=False,
        client="127.0.0.1",
        accept_language=language,
        is_socket=True,
        introspection=Audience.NONE,
    )
    await context.authenticate()
    return context


@asynccontextmanager
async def subscribed(
    context: Context,
    topic: Topic[Any],
    render: Any,
    document: str,
    *,
    position: tuple[float, ...] = (),
    is_for_admins: bool = False,
    client: Client | None = None,
) -> AsyncIterator[tuple[Client, LiveSubscriber]]:
    """Subscribe a client to a topic for the length of the block."""
    client = client or Client()
    feed = Feed(context, topic, render, is_for_admins=is_for_admins)
    feed.position = position
    operation = EventOperation(schema, schema.documents.prepare(document, None), None, 1)
    subscriber = LiveSubscriber(client, "1", feed, operation, Instrumentation(None, None))
    subscriber.start()
    yield client, subscriber
    subscriber.close()


async def joined(server: Running, key: Any, make: Callable[[], Any]) -> Any:
    return await server.services.events.topics.join(key, make)


async def progress_topic(server: Running, ada: Api) -> tuple[GenerationTopic, Callable[[float], Awaitable[None]]]:
    """Return a topic of a generation, and a function that publishes its progress."""
    generation_id = await create_in_another_process(server.services, ada)
    topic = await joined(server, generation_id, lambda: GenerationTopic(generation_id))
    await topic.read_rows([topic])
    claim = await claim_in_another_process(generation_id)

    async def publish(progress: float) -> None:
        await claim.advance(GenerationStage.GENERATING, progress, "data:image/webp;base64,AAAA")
        await server.services.events.publisher.generation_changed(claim.generation)

    return topic, publish


async def test_slow_reader_of_progress_gets_the_newest_state_when_it_reads(ada: Api, server: Running) -> None:
    topic, publish = await progress_topic(server, ada)
    async with subscribed(await context_of(server, ada), topic, as_it_is, PROGRESS) as (client, subscriber):
        assert [value["version"] for value in client.values] == [1]
        client.reads.clear()
        for step in range(20):
            await publish(step / 20)
        await client.until(lambda: topic.version == 22)
        assert subscriber.task
        client.reads.set()
        await client.until(lambda: not subscriber.task)
        assert [value["version"] for value in client.values] == [1, 3, 22], "the first was on its way"
        assert len(topic.items) == 1


def progress_message(version: int) -> bytes:
    """Return the text of a message about a generation."""
    values = {"version": version, "status": "PROCESSING", "stage": "GENERATING", "progress": version / 100}
    return orjson.dumps({**dict.fromkeys((*GENERATION_FIELDS, *GENERATION_TIMES)), **values, "attempts": 1})


async def test_message_for_one_subscriber_takes_few_calls(ada: Api, server: Running) -> None:
    topic, _ = await progress_topic(server, ada)
    prepared = schema.documents.prepare(PLAIN, None)
    schema.plans.compile(prepared.document, prepared.operation, {})
    calls: list[str] = []

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            calls.append(frame.f_code.co_qualname)

    async with subscribed(await context_of(server, ada), topic, as_it_is, PLAIN) as (client, _):
        for version in (2, 3, 4):
            text = progress_message(version)
            calls.clear()
            sys.setprofile(count)
            server.services.events.topics._bus._deliver(topic.channel, text)
            sys.setprofile(None)
        assert [value["version"] for value in client.values] == [1, 2, 3, 4]
    assert [call for call in calls if "Subscription" in call] == ["Subscription_1_of_columns_1"]
    assert len(calls) <= 21, calls  # with those of the client


async def test_message_with_an_unreadable_moment_lets_the_row_be_read(ada: Api, server: Running) -> None:
    topic, _ = await progress_topic(server, ada)
    shows_moments = "subscription { generationProgress(id: 1) { version updatedAt } }"
    async with subscribed(await context_of(server, ada), topic, as_it_is, shows_moments) as (client, _):
        text = orjson.dumps({**orjson.loads(progress_message(2)), "updated_at": "yesterday"})
        server.services.events.topics._bus._deliver(topic.channel, text)
        assert [value["version"] for value in client.values] == [1]
        await client.until(lambda: [value["version"] for value in client.values] == [1, 2])


async def test_state_of_a_message_is_made_again_for_who_subscribes_later(ada: Api, server: Running) -> None:
    topic, _ = await progress_topic(server, ada)
    context = await context_of(server, ada)
    async with subscribed(context, topic, as_it_is, PLAIN) as (first, _):
        for version in (2, 3):
            server.services.events.topics._bus._deliver(topic.channel, progress_message(version))
        topic.users += 1
        async with subscribed(context, topic, as_it_is, PLAIN, position=(1,)) as (second, _):
            assert second.values == first.values[-1:] == [{"version": 3, "progress": 0.03}]
            server.services.events.topics._bus._deliver(topic.channel, progress_message(2))
            server.services.events.topics._bus._deliver(topic.channel, progress_message(4))
        assert [value["version"] for value in second.values] == [3, 4]
        assert [value["version"] for value in first.values] == [1, 2, 3, 4]


async def test_slow_reader_of_the_gallery_gets_a_snapshot_of_what_it_missed(ada: Api, server: Running) -> None:
    user_id, lists, missed = str(ada.user["id"]), server.services.gallery.lists, server.services.events.missed
    topic = await joined(server, "gallery", lambda: ShortGallery(user_id, lists, missed, only_favorites=False))
    position = await topic.open()
    generation_id = await create_in_another_process(server.services, ada)
    topic.read_again()
    context = await context_of(server, ada)
    async with subscribed(context, topic, _step, GALLERY, position=position) as (client, subscriber):
        await client.until(lambda: len(client.values) == 1)
        client.reads.clear()
        favorites = server.services.gallery.favorites
        for number in range(10):
            await favorites.set(user_id, generation_id, is_favorite=number % 2 == 0)
        start = int(position[0]) + 1
        await client.until(lambda: topic.version == start + 10)
        client.reads.set()
        await client.until(lambda: not subscriber.task)
        assert client.values == [
            {"kind": "SNAPSHOT", "version": start},
            {"kind": "UPDATED", "version": start + 1},
            {"kind": "SNAPSHOT", "version": start + 10},
        ]
        await favorites.set(user_id, generation_id, is_favorite=True)
        await client.until(lambda: client.values[-1] == {"kind": "UPDATED", "version": start + 11})


async def test_slow_reader_of_credits_gets_every_line_once_in_order(ada: Api, server: Running) -> None:
    user_id, billing = str(ada.user["id"]), server.services.billing
    topic = await joined(server, "credits", lambda: ShortCredits(user_id, billing.ledger, billing.memberships))
    position, state = await topic.open()
    context = await context_of(server, ada)
    async with subscribed(context, topic, _update, CREDITS, position=position) as (client, subscriber):
        client.reads.clear()
        for number in range(12):
            changed = await adjust_credits(user_id, 1, str(number))
            await server.services.events.publisher.account_changed(changed)
        await client.until(lambda: len(topic.items) == 4 and topic.items[-1].value.line.sequence == position[0] + 12)
        client.reads.set()
        await client.until(lambda: not subscriber.task and len(client.values) >= 12)
        sequences = [value["transaction"]["sequence"] for value in client.values]
        assert sequences == [position[0] + number for number in range(1, 13)]
        assert client.values[-1]["credits"] == state.credits + 12


async def test_slow_reader_of_activity_is_alerted_that_it_missed_some(server: Running) -> None:
    root = await server.api.sign_up("root@example.com")
    await User.filter(id=root.user["id"]).update(role=Role.ADMIN)
    await everything_is_published(server.services)  # the sign-up, too
    topic = await joined(server, CHANNEL, ShortActivity)
    context = await context_of(server, root)
    async with subscribed(context, topic, _activity, ACTIVITY, position=topic.position, is_for_admins=True) as (
        client,
        subscriber,
    ):
        client.reads.clear()
        for number in range(10):
            await server.services.events.publisher.alert(message("Alert {number}", number=number))
        await client.until(lambda: topic.position == (10,))
        client.reads.set()
        await client.until(lambda: not subscriber.task)
        assert [value["message"] for value in client.values] == [
            "Alert 0",
            "Some activity may have been missed here; read the lists again.",
        ]


async def test_event_is_rendered_once_for_all_with_the_same_document_and_language(ada: Api, server: Running) -> None:
    topic, publish = await progress_topic(server, ada)
    languages: list[str] = []

    def render(row: GenerationRow, context: Context) -> Any:
        languages.append(context.locale)
        return as_it_is(row, context)

    contexts = [await context_of(server, ada, language) for language in ("en", "en", "en", "zh-CN")]
    clients = []
    for context in contexts:
        topic.users += 1
        feed = Feed(context, topic, render, is_for_admins=False)
        operation = EventOperation(schema, schema.documents.prepare(MESSAGES, None), None, 1)
        clients.append(Client())
        LiveSubscriber(clients[-1], "1", feed, operation, Instrumentation(None, None)).start()
    assert sorted(languages) == ["en", "zh-CN"]
    await publish(0.5)
    await clients[-1].until(lambda: all(len(client.values) == 2 for client in clients))
    assert sorted(languages) == ["en", "en", "zh-CN", "zh-CN"]
    one, two, three, other = (client.values for client in clients)
    assert one == two == three
    assert [value["version"] for value in other] == [1, 3]
    assert other[1]["message"] != one[1]["message"]


async def test_fields_that_run_statements_are_executed_for_the_newest_state(ada: Api, server: Running) -> None:
    topic, publish = await progress_topic(server, ada)
    async with subscribed(await context_of(server, ada), topic, as_it_is, QUEUED) as (client, _):
        for step in range(5):
            await publish(step / 5)
        await client.until(lambda: bool(client.values) and client.values[-1]["version"] == 7)
        versions = [value["version"] for value in client.values]
        assert versions == sorted(set(versions))
        assert client.values[-1]["queuePosition"] is None


async def test_session_that_ends_while_the_client_does_not_read_ends_the_stream(ada: Api, server: Running) -> None:
    topic, publish = await progress_topic(server, ada)
    async with subscribed(await context_of(server, ada), topic, as_it_is, PROGRESS) as (client, subscriber):
        client.reads.clear()
        await publish(0.1)
        await client.until(lambda: subscriber.task is not None)
        await ada.one("mutation { signOut(everywhere: true) { sessionsEnded } }")
        await client.until(lambda: client.ended == ["1"])
        client.reads.set()
        await client.until(lambda: len(client.received) == 4)
    assert [received["type"] for received in client.received] == ["next", "next", "next", "complete"]
    (error,) = client.received[2]["payload"]["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    await wait_for_subscribers(server.services, 0)


@pytest.mark.parametrize("count", [3, 30])
async def test_quiet_streams_are_compared_by_one_statement_for_all(
    ada: Api, server: Running, caplog: pytest.LogCaptureFixture, count: int
) -> None:
    topics = server.services.events.topics
    joined_topics = []
    for _ in range(count):
        generation_id = await create_in_another_process(server.services, ada)
        topic = await topics.join(generation_id, lambda id=generation_id: GenerationTopic(id))  # type: ignore[misc]
        await topic.read_rows([topic])
        joined_topics.append(topic)
    caplog.set_level("DEBUG", logger="tortoise.db_client")
    caplog.clear()
    for topic in joined_topics:
        topic.heard = 0.0

    async def are_compared() -> bool:
        return all(topic.heard for topic in joined_topics)

    await until(are_compared)
    statements = [record.getMessage() for record in caplog.records]
    compared = [text for text in statements if joined_topics[0].row_id in text and joined_topics[-1].row_id in text]
    assert len(compared) == 1
    assert not [text for text in statements if "generations" in text and text != compared[0]]
    for topic in joined_topics:
        topic.leave()
