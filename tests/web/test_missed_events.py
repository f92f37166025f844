"""Subscribers that have missed events, or whose session ends while their stream is opened."""

import pytest

from models import User
from models.enum import Role
from resolvers.billing import _update
from resolvers.events import _activity
from schema.root import schema
from schema.runtime.event_executor import EventOperation
from schema.runtime.feed import Feed, as_it_is
from schema.runtime.instrumentation import Instrumentation
from services.core.message import message
from services.events.activity import Activity, ActivityKind
from services.events.activity_topic import ActivityTopic
from services.events.topic import Item
from tests.conftest import Running
from tests.support.client import Api
from tests.support.integrity import adjust_credits
from tests.web.test_live_subscriber import (
    CREDITS,
    PROGRESS,
    Client,
    ShortCredits,
    context_of,
    joined,
    progress_topic,
    subscribed,
)
from web.live_subscriber import LiveSubscriber


@pytest.fixture
async def server(idle_server: Running) -> Running:
    """A server without a worker."""
    return idle_server


class Pausing(Client):
    """A client that stops reading after three messages that it had to be waited for."""

    async def send_text(self, text: str) -> None:
        await super().send_text(text)
        if len(self.received) == 3:
            self.reads.clear()


async def test_session_that_ends_while_missed_items_are_sent_ends_the_stream_before_the_others(
    ada: Api, server: Running
) -> None:
    user_id, billing = str(ada.user["id"]), server.services.billing
    topic = await joined(server, "credits", lambda: ShortCredits(user_id, billing.ledger, billing.memberships))
    position, _ = await topic.open()
    client = Pausing()
    context = await context_of(server, ada)
    async with subscribed(context, topic, _update, CREDITS, position=position, client=client):
        client.reads.clear()
        for number in range(12):
            changed = await adjust_credits(user_id, 1, str(number))
            await server.services.events.publisher.account_changed(changed)
        await client.until(lambda: bool(topic.items) and topic.items[-1].position[0] == position[0] + 12)
        client.reads.set()
        await client.until(lambda: len(client.received) == 3)
        await ada.one("mutation { signOut(everywhere: true) { sessionsEnded } }")
        await client.until(lambda: client.ended == ["1"])
        client.reads.set()
        await client.until(lambda: client.received[-1]["type"] == "complete")
    assert len(client.values) <= 4, "one was on its way"
    assert client.received[-2]["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_session_that_ends_while_a_stream_opens_ends_the_stream(ada: Api, server: Running) -> None:
    topic, _ = await progress_topic(server, ada)
    feed = Feed(await context_of(server, ada), topic, as_it_is, is_for_admins=False)
    feed.position = topic.items[-1].position
    operation = EventOperation(schema, schema.documents.prepare(PROGRESS, None), None, 1)
    client = Client()
    subscriber = LiveSubscriber(client, "1", feed, operation, Instrumentation(None, None))
    await ada.one("mutation { signOut(everywhere: true) { sessionsEnded } }")
    await client.until(lambda: feed.connection.signed_out)
    subscriber.start()
    assert [received["type"] for received in client.received] == ["next", "complete"]
    assert client.ended == ["1"]


async def test_reader_that_catches_up_while_an_event_is_executed_gets_those_before_it_first(server: Running) -> None:
    root = await server.api.sign_up("root@example.com")
    await User.filter(id=root.user["id"]).update(role=Role.ADMIN)
    topic = await joined(server, "activity", ActivityTopic)  # without what the server itself announces
    context = await context_of(server, root)

    def add(number: int) -> None:
        text = message("Alert {number}", number=number)
        topic.add(Item((number,), (Activity(ActivityKind.ALERT, str(root.user["id"])), text)))

    document = "subscription { adminActivity { message user { id } } }"  # which reads the user
    async with subscribed(context, topic, _activity, document, position=(0,), is_for_admins=True) as (slow, reader):
        slow.reads.clear()
        add(1)
        await slow.until(lambda: reader.task is not None)
        add(2)
        topic.users += 1
        async with subscribed(context, topic, _activity, document, position=(2,), is_for_admins=True) as (quick, _):
            add(3)
            slow.reads.set()
            await slow.until(lambda: len(slow.values) == 3 and len(quick.values) == 1)
    assert [value["message"] for value in slow.values] == ["Alert 1", "Alert 2", "Alert 3"]
    assert [value["message"] for value in quick.values] == ["Alert 3"]
