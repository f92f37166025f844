"""Who listens to the live-event bus: a stream that has ended must leave nobody behind."""

import asyncio
import time
from typing import Any

from services.core.message import message
from services.events.payload import CANCELED_CHANNEL, MAINTENANCE_CHANNEL, SIGN_INS_CHANNEL
from services.integrations.messaging.wake_up import WAITING_CHANNEL
from services.services import Services
from tests.support.client import PATIENCE, Stream


def subscriber_count(services: Services) -> int:
    """How many subscribers the bus has right now; the server's own ears are not counted."""
    own = {CANCELED_CHANNEL, MAINTENANCE_CHANNEL, SIGN_INS_CHANNEL, WAITING_CHANNEL}
    return sum(len(queues) for channel, queues in services.integrations.bus._subscribers.items() if channel not in own)


async def wait_for_subscribers(services: Services, count: int) -> None:
    """Return as soon as exactly `count` subscribers listen; fail when that does not come."""
    deadline = time.monotonic() + PATIENCE
    while subscriber_count(services) != count:
        assert time.monotonic() < deadline, f"{subscriber_count(services)} subscribers, not {count}"
        await asyncio.sleep(0.005)


async def first_activity_event(stream: Stream, services: Services) -> Any:
    """What an admin's feed tells first. It has no opening message, so alerts are sent until one arrives."""
    heard = asyncio.create_task(stream.next())
    while not heard.done():
        await services.events.publisher.alert(message("Is anybody there?"))
        await asyncio.wait([heard], timeout=0.02)
    return heard.result()
