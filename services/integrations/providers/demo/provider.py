"""The demo provider: images drawn locally with Pillow, for use without an API key."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, TypeVar

from services.integrations.background_threads import background_threads
from services.integrations.providers.protocol import (
    FinalImage,
    ImageRequest,
    KeyStatus,
    PartialImage,
    Progress,
    ProviderEvent,
)

if TYPE_CHECKING:
    from services.integrations.providers.demo.picture import DemoPicture

_MODEL = "demo"
# Drawing threads. An image needs about 80 MB while it is drawn, and Pillow uses a whole core.
_THREADS = 2

Result = TypeVar("Result")


class DemoProvider:
    """An ImageProvider that transforms the user's photo by fixed rules, or draws a scene if there is no photo.

    The same generation id gives the same bytes; another id varies colours and details. `seconds` is how long one
    generation takes; 0 never waits.
    """

    name = "demo"

    def __init__(self, seconds: float = 2.0) -> None:
        self._seconds = seconds
        self._threads = background_threads(_THREADS, "demo-picture")

    def max_reference_bytes(self, request: ImageRequest) -> None:
        """None: nothing is sent anywhere."""
        return

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        """Yield progress and four previews that develop like a photographic print, then the image as a JPEG.

        Raises:
            ProviderError: GENERATION_FAILED if the reference photo cannot be read.
        """
        started = asyncio.get_running_loop().time()
        yield Progress(0.05)
        picture = await self._run_in_thread(lambda: _draw(request))
        yield Progress(0.2)
        for fraction, preview in await self._run_in_thread(picture.previews):
            await self._wait_until(started, fraction)
            yield PartialImage(preview, fraction)
            await self._wait_until(started, fraction + 0.08)
            yield Progress(fraction + 0.08)
        data = await self._run_in_thread(picture.jpeg)
        await self._wait_until(started, 1.0)
        yield FinalImage(data, model=_MODEL, cost=None, request_id=None)

    async def check_key(self) -> KeyStatus | None:
        """Return None: it needs no key."""
        return None

    async def aclose(self) -> None:
        """Stop the drawing threads; an image in progress is finished first (under a second)."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _run_in_thread(self, work: Callable[[], Result]) -> Result:
        """Run `work` in a drawing thread; canceled while queued it never starts, a started step runs to its end."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _wait_until(self, started: float, fraction: float) -> None:
        remaining = started + self._seconds * fraction - asyncio.get_running_loop().time()
        if self._seconds > 0 and remaining > 0:
            await asyncio.sleep(remaining)


def _draw(request: ImageRequest) -> "DemoPicture":
    # Imported for the first picture, in its thread: Pillow and the drawings take 5 MiB and 0.1 s.
    from services.integrations.providers.demo.picture import DemoPicture

    return DemoPicture.draw(request)
