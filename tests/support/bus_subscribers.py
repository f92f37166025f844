"""The event bus in tests: its subscribers, of which a stream that has ended leaves none, and what it has to send."""

import asyncio
import time
from typing import Any

from services.core.message import message
from services.events.payload import (
    CANCELED_CHANNEL,
    JOBS_CHANNEL,
    MAINTENANCE_CHANNEL,
    PROVIDER_PAUSES_CHANNEL,
    SIGN_INS_CHANNEL,
)
from services.integrations.messaging.wake_up import WAITING_CHANNEL
from services.services import Services
from tests.support.client import PATIENCE, Stream


def subscriber_count(services: Services) -> int:
    """Count the current subscribers of topics; without any, those of the bus, except the server's own."""
    own = frozenset(
        {
            CANCELED_CHANNEL,
            JOBS_CHANNEL,
            MAINTENANCE_CHANNEL,
            PROVIDER_PAUSES_CHANNEL,
            SIGN_INS_CHANNEL,
            WAITING_CHANNEL,
        }
    )
    return services.events.topics.subscriber_count() or services.integrations.bus.subscriber_count(without=own)


async def wait_for_subscribers(services: Services, count: int) -> None:
    """Wait until there are exactly `count` subscribers; fail after a timeout."""
    deadline = time.monotonic() + PATIENCE
    while subscriber_count(services) != count:
        assert time.monotonic() < deadline, f"{subscriber_count(services)} subscribers, not {count}"
        await asyncio.sleep(0.005)


async def everything_is_published(services: Services) -> None:
    """Return once the bus has sent everything that was handed over to it."""
    await services.integrations.bus.publish("test", {})  # in the same order, and waits for Redis


async def begin_activity(stream: Stream, services: Services) -> None:
    """Return once an admin's activity stream is certainly subscribed, and past all that happened before."""
    await first_activity_event(stream, services)
    await services.events.publisher.alert(message("The feed begins"))
    await stream.until(message="The feed begins")


async def first_activity_event(stream: Stream, services: Services) -> Any:
    """Publish alerts until an admin's activity stream delivers an event, and return it."""
    first_event = asyncio.create_task(stream.next())
    while not first_event.done():
        await services.events.publisher.alert(message("A test alert"))
        await asyncio.wait([first_event], timeout=0.02)
    return first_event.result()
