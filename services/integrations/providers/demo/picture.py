"""A picture of the demo provider: drawn by fixed rules, with its previews and its file."""

import io
import math
import random
from dataclasses import dataclass

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
from services.integrations.providers.protocol import ImageRequest, ProviderError

_LONG_SIDES = {Quality.STANDARD: 1024, Quality.HD: 2048, Quality.ULTRA: 4096}  # pixels
_MIN_AREA = 0.42  # of a square's: by less, a narrow picture would count as one of the quality below
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class DemoPicture:
    """A drawn picture at working size; the same generation id gives the same bytes."""

    image: Image.Image
    rng: random.Random
    quality: Quality

    @classmethod
    def draw(cls, request: ImageRequest) -> "DemoPicture":
        """Transform the request's photo, or draw a scene if there is none.

        Raises:
            ProviderError: GENERATION_FAILED if the reference photo cannot be read.
        """
        rng = random.Random(request.generation_id)
        try:
            return cls(_draw(request, rng), rng, request.quality)
        except UnreadablePhotoError as error:
            raise ProviderError(ErrorCode.GENERATION_FAILED, f"reference photo: {error}", request_left=False) from error

    def previews(self) -> list[tuple[float, bytes]]:
        """Return previews that develop like a photographic print, each with its fraction of the work."""
        return list(zip(STEPS, previews(self.image, self.rng), strict=True))

    def jpeg(self) -> bytes:
        """Return the picture as a JPEG of the requested quality's size."""
        picture = self.image
        ratio = picture.width / picture.height
        size = fit_side(ratio, _long_side(ratio, self.quality))
        if size != picture.size:
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
        return buffer.getvalue()


def _long_side(ratio: float, quality: Quality) -> int:
    """Return the longer side in pixels: of a narrow picture more, so that it has a good part of the square's area."""
    widening = 1.0 if quality is Quality.STANDARD else max(1.0, math.sqrt(_MIN_AREA * max(ratio, 1 / ratio)))
    return round(_LONG_SIDES[quality] * widening)


def _draw(request: ImageRequest, rng: random.Random) -> Image.Image:
    photo = None if request.reference is None else open_photo(request.reference.data, WORKING_SIDE)
    photo_ratio = 1.0 if photo is None else photo.width / photo.height
    width, height = fit_side(read_ratio(request.aspect_ratio) or clamp_ratio(photo_ratio), WORKING_SIDE)
    drawing = Drawing(width, height, rng, request.size, user_words(request.prompt), dict(request.variables))
    framed = None if photo is None else crop_to(photo, width, height)
    if framed is not None and request.reference is not None and request.reference.is_result:
        return (refine if request.earlier_prompts else vary)(drawing, framed)
    return make(request.style, drawing, framed)
