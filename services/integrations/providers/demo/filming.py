"""Clips of the demo provider: its picture, filmed by a camera that moves slowly, in a process of its own."""

import asyncio
from pathlib import Path

from models.enum import ErrorCode, Quality
from services.integrations.child_process import Child, ChildError
from services.integrations.providers.protocol import ImageRequest, ProviderError

_PROGRAM = Path(__file__).with_name("clip_process.py")
# Pixels of a frame, whatever its shape; HD is 1080p.
_AREAS = {Quality.STANDARD: 768 * 432, Quality.HD: 1920 * 1080, Quality.ULTRA: 3840 * 2160}
_NICENESS = 5  # as of other children: on a busy CPU it gets a third of the time that other processes get
_TIMEOUT = 120.0  # seconds; a clip of three takes one or two


async def make_clip(request: ImageRequest, seconds: float = 3.0) -> bytes:
    """Return an MP4 (H.264, without sound) of the request's photo in its style, or of a drawn scene.

    The same generation id gives the same bytes; another id, another movement.

    Raises:
        ProviderError: GENERATION_FAILED if the reference photo cannot be read, or the clip cannot be made.
    """
    picture = await asyncio.to_thread(_draw, request)
    job = {"seed": request.generation_id, "seconds": seconds, "area": _AREAS[request.quality]}
    try:
        child = await Child.start(_PROGRAM, [], niceness=_NICENESS)
    except OSError as error:
        raise ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, f"no process for a clip: {error}") from error
    try:
        async with asyncio.timeout(_TIMEOUT):
            (clip,) = (await child.exchange(job, picture)).parts
        return clip
    except (ChildError, TimeoutError, ValueError) as error:
        raise ProviderError(ErrorCode.GENERATION_FAILED, f"no clip was made: {error!r}") from error
    finally:
        child.end_input()
        await asyncio.shield(asyncio.create_task(child.wait_for_exit(patience=0)))


def _draw(request: ImageRequest) -> bytes:
    # Imported for the first clip, in its thread: Pillow and the drawings take 5 MiB and 0.1 s.
    from services.integrations.providers.demo.picture import DemoPicture

    return DemoPicture.draw(request).jpeg()
