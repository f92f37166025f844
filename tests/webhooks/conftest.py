"""The fixtures of outbound webhooks."""

from collections.abc import AsyncIterator

import pytest

from tests.support.fakes.webhook_receiver import WebhookReceiver


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    """A receiver on this machine."""
    async with WebhookReceiver() as found:
        yield found
