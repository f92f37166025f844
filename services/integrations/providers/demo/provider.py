"""The demo provider: real pictures by Pillow on this machine, for everybody who has no key yet."""

import asyncio
import io
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PIL import Image

from models.enum import ErrorCode, Quality
from services.integrations.providers.demo.looks.again import refine, vary
from services.integrations.providers.demo.looks.develop import STEPS, previews
from services.integrations.providers.demo.looks.gallery import make
from services.integrations.providers.demo.looks.photo import UnreadablePhotoError, open_photo
from services.integrations.providers.demo.looks.sheet import (
    WORKING_SIDE,
    Sheet,
    clamp_ratio,
    crop_to,
    fit_side,
    own_words,
    read_ratio,
)
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
# Pictures drawn at the same time. A picture needs about 80 MB while it is drawn, and Pillow keeps a core busy.
_HANDS = 2

Made = TypeVar("Made")


class DemoProvider:
    """An ImageProvider that transforms the person's own photo by rule, or draws a scene where there is none.

    The same generation id makes the same bytes; another id varies colours and details. `seconds` is how long one
    picture takes to arrive; 0 never waits.
    """

    name = "demo"

    def __init__(self, seconds: float = 2.0) -> None:
        self._seconds = seconds
        self._hands = ThreadPoolExecutor(max_workers=_HANDS, thread_name_prefix="demo-picture")

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        """Progress and four previews that come up like a print in its tray, then the picture as a JPEG.

        Raises:
            ProviderError: GENERATION_FAILED, the reference photo cannot be read.
        """
        started = asyncio.get_running_loop().time()
        yield Progress(0.05)
        dice = random.Random(request.generation_id)
        try:
            picture = await self._by_hand(lambda: _draw(request, dice))
        except UnreadablePhotoError as error:
            raise ProviderError(ErrorCode.GENERATION_FAILED, f"reference photo: {error}", request_left=False) from error
        yield Progress(0.2)
        prints = await self._by_hand(lambda: previews(picture, dice))
        for fraction, preview in zip(STEPS, prints, strict=True):
            await self._until(started, fraction)
            yield PartialImage(preview, fraction)
            await self._until(started, fraction + 0.08)
            yield Progress(fraction + 0.08)
        data = await self._by_hand(lambda: _encode(picture, _LONG_SIDES[request.quality]))
        await self._until(started, 1.0)
        yield FinalImage(data, model=_MODEL, cost=None, request_id=None)

    async def aclose(self) -> None:
        """Let the drawing threads go; a picture under way is finished first (under a second)."""
        await asyncio.to_thread(self._hands.shutdown, cancel_futures=True)

    async def _by_hand(self, work: Callable[[], Made]) -> Made:
        """Off the event loop. Canceled while waiting for a thread it never starts; a started step ends by itself."""
        return await asyncio.get_running_loop().run_in_executor(self._hands, work)

    async def _until(self, started: float, fraction: float) -> None:
        left = started + self._seconds * fraction - asyncio.get_running_loop().time()
        if self._seconds > 0 and left > 0:
            await asyncio.sleep(left)


def _draw(request: ImageRequest, dice: random.Random) -> Image.Image:
    """The picture at working size."""
    photo = None if request.reference is None else open_photo(request.reference.data, WORKING_SIDE)
    own = 1.0 if photo is None else photo.width / photo.height
    width, height = fit_side(read_ratio(request.aspect_ratio) or clamp_ratio(own), WORKING_SIDE)
    sheet = Sheet(width, height, dice, request.size, own_words(request.prompt), dict(request.variables))
    framed = None if photo is None else crop_to(photo, width, height)
    if framed is not None and request.reference is not None and request.reference.is_result:
        return (refine if request.earlier_prompts else vary)(sheet, framed)
    return make(request.style, sheet, framed)


def _encode(picture: Image.Image, long_side: int) -> bytes:
    size = fit_side(picture.width / picture.height, long_side)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
