"""The sanitizer of the tests that only decode."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.integrations.images.sanitizer import ImageSanitizer

PATIENCE = 60.0  # seconds for one image, so that a busy machine causes no outage here


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sanitizer() -> AsyncIterator[ImageSanitizer]:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as opened:
        yield opened
