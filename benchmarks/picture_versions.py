"""Benchmark: CPU time, bytes and quality of pictures in the sanitizer, beside an older commit and encoders' settings.

CPU is the process time of the decoding child, without its start. Bytes are the stored file and its thumbnails. Quality
compares with the decoded source: of the stored file, and of the widest thumbnail, scaled up to it.
"""

import argparse
import asyncio
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageChops, ImageFilter

from benchmarks.picture_quality import psnr, ssim
from models.enum import Quality
from services.integrations.images.sanitizer import ALL_FORMATS, MAX_PIXELS, MAX_SIDE, THUMBNAIL_WIDTHS
from services.integrations.providers.demo.provider import DemoProvider
from services.integrations.providers.protocol import FinalImage, ImageRequest
from tests.support.corpus.pictures import encode

ROOT = Path(__file__).parents[1]
PROGRAM = "services/integrations/images/sanitizer_process.py"
_ENVIRONMENT = """
import importlib, json
found = {}
for name in ("images.child", "child_process"):  # formerly, and now
    try:
        found = vars(importlib.import_module(f"services.integrations.{name}")).get("ENVIRONMENT", found)
    except ModuleNotFoundError:
        pass
print(json.dumps(found))
"""  # prints that of the children of a source tree


def photo(size: tuple[int, int]) -> Image.Image:
    """Return a photo of the documentation scaled up, with texture and the grain of a sensor."""
    source = Image.open(ROOT / "docs/pictures/astronaut-plushify-cute.jpg").convert("RGB")
    image = source.crop((0, 0, source.height, source.height)).resize(size, Image.Resampling.BICUBIC)
    texture = Image.new("L", size, 128)
    for scale, share in ((64, 0.3), (16, 0.25), (6, 0.2), (3, 0.15)):
        rough = Image.effect_noise((size[0] // scale, size[1] // scale), 50)
        texture = Image.blend(texture, rough.resize(size, Image.Resampling.BICUBIC), share)
    image = Image.blend(image, ImageChops.overlay(image, texture.convert("RGB")), 0.8)
    soft = ImageFilter.GaussianBlur(0.7)
    grain = Image.merge("RGB", [Image.effect_noise(size, 14).filter(soft) for _ in "RGB"])
    return ImageChops.add(image, grain, offset=-128)


async def drawn(quality: Quality) -> Image.Image:
    """Return a picture of the demo provider."""
    request = ImageRequest(
        "gen_bench", "a lighthouse", style="scenes/starry-night", quality=quality, aspect_ratio="1:1"
    )
    async for event in DemoProvider(seconds=0).generate(request):
        if isinstance(event, FinalImage):
            return Image.open(io.BytesIO(event.data)).convert("RGB")
    raise RuntimeError("the demo provider drew nothing")


def corpus() -> dict[str, bytes]:
    """Return the pictures by name: uploads as cameras write them, and results as models do."""
    large, small = (asyncio.run(drawn(quality)) for quality in (Quality.ULTRA, Quality.STANDARD))
    detailed = photo((4000, 3000))
    portrait = Image.Exif()
    portrait[ExifTags.Base.Orientation] = 6
    transparent = small.copy()
    transparent.putalpha(small.convert("L").point(lambda value: min(255, 3 * value)))
    found = {
        "JPEG, 12 megapixels, grain": encode(detailed, "JPEG", quality=90),
        "JPEG, 12 megapixels, smooth": encode(large.resize((4000, 3000)), "JPEG", quality=90),
        "JPEG, 3 megapixels, portrait": encode(detailed.resize((2000, 1500)), "JPEG", quality=85, exif=portrait),
        "PNG 1024 x 1024": encode(small, "PNG"),
        "PNG 1024 x 1024, fast level": encode(small, "PNG", compress_level=1),
        "PNG 1024 x 1024, grain": encode(detailed.resize((1024, 1024)), "PNG"),
        "PNG 1024 x 1024, transparent": encode(transparent, "PNG"),
        "PNG 2048 x 2048": encode(large, "PNG"),
        "JPEG 1024 x 1024": encode(small, "JPEG", quality=90),
        "JPEG 2048 x 2048": encode(large, "JPEG", quality=90),
    }
    shown = sorted((ROOT / "docs/pictures").iterdir())
    return found | {path.name: path.read_bytes() for path in (shown[0], shown[-1])}


@dataclass(frozen=True)
class Cleaned:
    """The parts of a child's response."""

    format: str
    stored: bytes
    thumbnails: list[bytes]  # narrowest first

    @property
    def byte_size(self) -> int:
        return len(self.stored) + sum(map(len, self.thumbnails))


class Sanitizing:
    """A child of one source tree."""

    def __init__(self, tree: Path) -> None:
        found = subprocess.run([sys.executable, "-c", _ENVIRONMENT], cwd=tree, capture_output=True, check=True)  # noqa: S603 - our own code
        limits = [str(number) for number in (600, 60, MAX_PIXELS, MAX_SIDE)]
        self._process = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-I", tree / PROGRAM, *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=json.loads(found.stdout),
        )

    def clean(self, data: bytes, png_as: str) -> Cleaned:
        source, sink = self._process.stdout, self._process.stdin
        if source is None or sink is None:
            raise RuntimeError("no pipes")
        job = {"task": "clean", "formats": sorted(ALL_FORMATS), "widths": THUMBNAIL_WIDTHS, "png_as": png_as}
        head = json.dumps(job | {"size": len(data)}).encode()
        sink.write(len(head).to_bytes(4, "big") + head + data)
        sink.flush()
        response = json.loads(source.read(int.from_bytes(source.read(4), "big")))
        stored, _, *thumbnails = [source.read(size) for size in response["parts"]]
        return Cleaned(response["format"], stored, thumbnails)

    def timed(self, data: bytes, png_as: str) -> float:
        """Return the CPU milliseconds of one job."""
        before = self._nanoseconds()
        self.clean(data, png_as)
        return (self._nanoseconds() - before) / 1e6

    def _nanoseconds(self) -> int:
        return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[0])

    def memory_kib(self, name: str) -> int:
        """Return VmRSS or VmHWM."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition(f"{name}:")[2].split()[0])

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """Yield a folder with the services of a commit."""
    packed = subprocess.run(["git", "archive", commit, "services"], cwd=ROOT, capture_output=True, check=True)  # noqa: S603, S607 - git of the developer
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
        files.extractall(folder, filter="data")
        yield Path(folder)


def quality(source: Image.Image, cleaned: Cleaned) -> str:
    """Return PSNR and SSIM of the stored file and of its widest thumbnail."""
    found = []
    for data in (cleaned.stored, cleaned.thumbnails[-1]):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        if image.size != source.size:
            image = image.resize(source.size, Image.Resampling.BICUBIC)
        found.append(f"{psnr(source, image):.1f} dB, {ssim(source, image):.4f}")
    return " | ".join(found)


def upright(data: bytes) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(data))
    if image.getexif().get(ExifTags.Base.Orientation) == 6:
        image = image.transpose(Image.Transpose.ROTATE_270)
    return image.convert("RGB")


def compare(pictures: dict[str, bytes], before: Path, rounds: int, png_as: str) -> None:
    """Print CPU, bytes and quality of both trees, which take turns."""
    print(
        "| picture | ms before | ms | ratio | KB before | KB | stored before: PSNR, SSIM | thumbnail before "
        "| stored | thumbnail |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- | --- | --- | --- |")
    old, new = Sanitizing(before), Sanitizing(ROOT)
    totals = [0, 0]
    for name, data in pictures.items():
        first, second = old.clean(data, png_as), new.clean(data, png_as)
        times = [(old.timed(data, png_as), new.timed(data, png_as)) for _ in range(rounds)]
        a, b = (min(column) for column in zip(*times, strict=True))  # what a busy machine disturbs least
        totals = [totals[0] + first.byte_size, totals[1] + second.byte_size]
        source = upright(data)
        print(
            f"| {name} | {a:.0f} | {b:.0f} | {b / a:.2f} "
            f"| {first.byte_size / 1000:.0f} | {second.byte_size / 1000:.0f} "
            f"| {quality(source, first)} | {quality(source, second)} |",
            flush=True,
        )
    print(f"\nBytes of all: {totals[0]:,} before, {totals[1]:,} now.")
    for label, child in (("before", old), ("now", new)):
        print(f"Child {label}: {child.memory_kib('VmHWM') >> 10} MiB at most, {child.memory_kib('VmRSS') >> 10} idle.")
        child.close()


ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "PNG, level 1": ("PNG", {"compress_level": 1}),
    "PNG, level 6": ("PNG", {"compress_level": 6}),
    "PNG, optimize": ("PNG", {"optimize": True}),
    "WebP lossless, quality 0, method 0": ("WEBP", {"lossless": True, "quality": 0, "method": 0}),
    "WebP lossless, quality 0, method 1": ("WEBP", {"lossless": True, "quality": 0, "method": 1}),
    "WebP lossless, quality 50, method 2": ("WEBP", {"lossless": True, "quality": 50, "method": 2}),
    "WebP 90, method 0": ("WEBP", {"quality": 90, "method": 0}),
    "WebP 90, method 2": ("WEBP", {"quality": 90, "method": 2}),
    "WebP 90, method 4": ("WEBP", {"quality": 90, "method": 4}),
    "WebP 80, method 0": ("WEBP", {"quality": 80, "method": 0}),
    "WebP 80, method 2": ("WEBP", {"quality": 80, "method": 2}),
    "JPEG 90": ("JPEG", {"quality": 90}),
    "JPEG 90, optimize": ("JPEG", {"quality": 90, "optimize": True}),
    "JPEG 90, progressive": ("JPEG", {"quality": 90, "progressive": True}),
}


def list_encoders(pictures: dict[str, Image.Image]) -> None:
    """Print time, bytes and quality of each encoder's settings."""
    print("| encoder | " + " | ".join(f"{name}: ms | KB | PSNR" for name in pictures) + " |")
    print("| --- |" + " ---: | ---: | ---: |" * len(pictures))
    for label, (form, options) in ENCODERS.items():
        cells = []
        for image in pictures.values():
            work: Callable[[], bytes] = partial(encode, image, form, **options)
            started = time.process_time()
            data = work()
            spent = (time.process_time() - started) * 1000
            loss = psnr(image, Image.open(io.BytesIO(data)).convert("RGB"))
            cells.append(f"{spent:.0f} | {len(data) / 1000:.0f} | {'same' if loss == float('inf') else f'{loss:.1f}'}")
        print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", default="HEAD", help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--png-as", default="webp", help="as PNG_RESULTS")
    parser.add_argument("--only", default="", help="pictures whose names contain this")
    options = parser.parse_args()
    pictures = {name: data for name, data in corpus().items() if options.only in name}
    with tree_of(options.before) as before:
        compare(pictures, before, options.rounds, options.png_as)
    print()
    names = {"PNG 1024 x 1024", "PNG 1024 x 1024, grain"} & pictures.keys()
    list_encoders({name: Image.open(io.BytesIO(pictures[name])).convert("RGB") for name in sorted(names)})


if __name__ == "__main__":
    main()
