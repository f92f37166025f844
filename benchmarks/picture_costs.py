"""Benchmark: CPU and bytes of pictures in the process that decodes and encodes them."""

import argparse
import asyncio
import io
import os
from dataclasses import dataclass
from functools import partial

from PIL import Image

from benchmarks.measure import cpu_of
from services.integrations.images.sanitizer import ImageSanitizer

MAX_BYTES = 2**26
PICTURES = {
    "photo, JPEG, 4000 x 3000": (4000, 3000, "JPEG"),
    "result, PNG, 1024 x 1024": (1024, 1024, "PNG"),
    "result, PNG, 2048 x 2048": (2048, 2048, "PNG"),
    "result, WebP, 1024 x 1024": (1024, 1024, "WEBP"),
}


@dataclass(frozen=True)
class PictureCost:
    """CPU milliseconds of one picture, and the bytes that are kept of it, thumbnails included."""

    milliseconds: float
    size: int


def draw(width: int, height: int, format: str) -> bytes:
    """Return a picture of soft blotches, which compresses about as a photo does."""
    small = Image.frombytes("RGB", (width // 8, height // 8), os.urandom(width // 8 * (height // 8) * 3))
    data = io.BytesIO()
    small.resize((width, height), Image.Resampling.BICUBIC).save(data, format, quality=88)
    return data.getvalue()


async def _measure(data: bytes, count: int) -> PictureCost:
    async with ImageSanitizer(processes=1) as sanitizer:
        clean = partial(sanitizer.clean, data, max_bytes=MAX_BYTES, account="-")
        kept = await clean()  # starts the child
        with cpu_of({"all": os.getpid()}) as cpu:
            for _ in range(count):
                await clean()
    size = len(kept.data) + sum(len(thumbnail) for thumbnail in kept.thumbnails.values())
    return PictureCost(round(cpu["all"] * 1000 / count, 1), size)


def measure(name: str, count: int) -> PictureCost:
    """Clean one of PICTURES `count` times."""
    return asyncio.run(_measure(draw(*PICTURES[name]), count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10, help="of each picture")
    count = parser.parse_args().count
    print("\n### D. Pictures\n\n| picture | CPU ms | KB kept, with thumbnails |\n| --- | ---: | ---: |")
    for name in PICTURES:
        cost = measure(name, count)
        print(f"| {name} | {cost.milliseconds:.0f} | {cost.size / 1000:.0f} |", flush=True)


if __name__ == "__main__":
    main()
