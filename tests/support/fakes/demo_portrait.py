"""A drawn portrait, requests with it, and comparisons of the demo provider's images."""

import io
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from services.integrations.providers.demo.provider import DemoProvider
from services.integrations.providers.protocol import FinalImage, ImageRequest, ProviderEvent, ReferencePhoto

COMPARISON_SIDE = 64  # pixels; images are compared at this size


def draw_portrait(width: int = 480, height: int = 360) -> Image.Image:
    """Draw a person in a striped shirt before a pale wall with a picture frame: shapes, colours and fine detail."""
    rng = random.Random(7)
    photo = Image.new("RGB", (480, 360), (196, 204, 206))
    pen = ImageDraw.Draw(photo)
    pen.rectangle((30, 40, 110, 130), fill=(90, 120, 80), outline=(60, 40, 30), width=6)
    pen.ellipse((120, 210, 360, 520), fill=(60, 90, 170))
    for stripe in range(216, 360, 18):
        pen.line((120, stripe, 360, stripe), fill=(220, 220, 60), width=5)
    pen.rectangle((215, 180, 265, 240), fill=(206, 150, 120))
    pen.ellipse((180, 60, 300, 215), fill=(226, 170, 138))
    pen.pieslice((174, 44, 306, 190), 180, 360, fill=(70, 40, 24))
    for eye in (212, 268):
        pen.ellipse((eye - 13, 122, eye + 13, 138), fill=(255, 255, 255))
        pen.ellipse((eye - 6, 124, eye + 6, 136), fill=(30, 60, 40))
    pen.arc((212, 150, 268, 190), 20, 160, fill=(150, 40, 50), width=5)
    for _ in range(900):
        x, y = rng.randrange(480), rng.randrange(360)
        pen.point((x, y), fill=(rng.randrange(256),) * 3)
    return photo.filter(ImageFilter.GaussianBlur(1)).resize((width, height), Image.Resampling.LANCZOS)


def as_reference(photo: Image.Image, form: str = "PNG") -> ReferencePhoto:
    buffer = io.BytesIO()
    photo.save(buffer, form)
    return ReferencePhoto(buffer.getvalue(), f"image/{form.lower()}", photo.width, photo.height)


PORTRAIT = as_reference(draw_portrait())


def request_for(style: str | None, reference: ReferencePhoto | None = PORTRAIT) -> ImageRequest:
    return ImageRequest(generation_id="gen_1", prompt="a happy day", style=style, reference=reference)


async def generate_events(request: ImageRequest) -> list[ProviderEvent]:
    provider = DemoProvider(seconds=0)
    try:
        return [event async for event in provider.generate(request)]
    finally:
        await provider.aclose()


async def generate_bytes(request: ImageRequest) -> bytes:
    final = (await generate_events(request))[-1]
    assert isinstance(final, FinalImage)
    return final.data


async def generate_picture(request: ImageRequest) -> Image.Image:
    return decode(await generate_bytes(request))


def decode(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def thumbnail(picture: Image.Image) -> Image.Image:
    return picture.convert("RGB").resize((COMPARISON_SIDE, COMPARISON_SIDE), Image.Resampling.BOX)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean absolute difference of all bands in grey levels, 0 to 255."""
    bands = ImageStat.Stat(ImageChops.difference(thumbnail(one), thumbnail(other))).mean
    return sum(bands) / len(bands)
