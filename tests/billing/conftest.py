"""Fixtures of the billing tests."""

from collections.abc import AsyncIterator

import pytest

from settings import Settings
from tests.conftest import Running, running


@pytest.fixture
async def creditless(scripted_settings: Settings) -> AsyncIterator[Running]:
    """A server of the product that sells no credits, without background work."""
    async with running(scripted_settings.model_copy(update={"profile": "flash", "signup_credits": 0}), idle=True) as it:
        yield it
