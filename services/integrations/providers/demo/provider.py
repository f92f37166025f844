"""The demo provider: images drawn locally with Pillow, for use without an API key."""

import asyncio
import io
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PIL import Image

from models.enum import ErrorCode, Quality
from services.integrations.providers.demo.looks.develop import STEPS, previews
from services.integrations.providers.demo.looks.drawing import (
    WORKING_SIDE,
    Drawing,
    clamp_ratio,
    crop_to,
    fit_side,
    read_ratio,
    user_words,
)
from services.integrations.providers.demo.looks.gallery import make
from services.integrations.providers.demo.looks.photo import UnreadablePhotoError, open_photo
from services.integrations.providers.demo.looks.revision import refine, vary
from services.integrations.providers.protocol import (
    FinalImage,
    ImageRequest,
    PartialImage,
    Progress,
    ProviderError,
    ProviderEvent,
)

_MODEL = "demo"
_LONG_SIDES = {Quality.STANDARD: 1024, Quality.HD: 1536, Quality.ULTRA: 2048}  # pixels
_JPEG_QUALITY = 90
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
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="demo-picture")

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
        rng = random.Random(request.generation_id)
        try:
            picture = await self._run_in_thread(lambda: _draw(request, rng))
        except UnreadablePhotoError as error:
            raise ProviderError(ErrorCode.GENERATION_FAILED, f"reference photo: {error}", request_left=False) from error
        yield Progress(0.2)
        developed = await self._run_in_thread(lambda: previews(picture, rng))
        for fraction, preview in zip(STEPS, developed, strict=True):
            await self._wait_until(started, fraction)
            yield PartialImage(preview, fraction)
            await self._wait_until(started, fraction + 0.08)
            yield Progress(fraction + 0.08)
        data = await self._run_in_thread(lambda: _encode(picture, _LONG_SIDES[request.quality]))
        await self._wait_until(started, 1.0)
        yield FinalImage(data, model=_MODEL, cost=None, request_id=None)

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


def _draw(request: ImageRequest, rng: random.Random) -> Image.Image:
    """Draw the image at working size."""
    photo = None if request.reference is None else open_photo(request.reference.data, WORKING_SIDE)
    photo_ratio = 1.0 if photo is None else photo.width / photo.height
    width, height = fit_side(read_ratio(request.aspect_ratio) or clamp_ratio(photo_ratio), WORKING_SIDE)
    drawing = Drawing(width, height, rng, request.size, user_words(request.prompt), dict(request.variables))
    framed = None if photo is None else crop_to(photo, width, height)
    if framed is not None and request.reference is not None and request.reference.is_result:
        return (refine if request.earlier_prompts else vary)(drawing, framed)
    return make(request.style, drawing, framed)


def _encode(picture: Image.Image, long_side: int) -> bytes:
    size = fit_side(picture.width / picture.height, long_side)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
