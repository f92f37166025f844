"""The process that films a picture: one framed job on stdin, one framed response on stdout.

Started by filming.py as a plain file with `python -I`, so that no worker imports FFmpeg. The frames are those of
images/sanitizer_process.py:

    job       {"size": bytes, "seed": text, "seconds", "area": pixels of a frame}  the picture
    response  {"width", "height", "parts": [bytes]}  an MP4
"""

import io
import json
import math
import random
import sys
from fractions import Fraction
from typing import Any, BinaryIO, NamedTuple

import av
from av.video.frame import VideoFrame
from PIL import Image

RATE = 24  # frames a second
_CLOSE = (0.72, 0.84)  # the least and the greatest share of the picture's sides that is seen from near
_FAR = 0.97
# The same frames are the same bytes: with one thread, and without x264's tree of macroblocks, whose vector code makes
# them depend on what was in memory before.
_OPTIONS = {"preset": "veryfast", "crf": "21", "threads": "1", "x264-params": "mbtree=0"}


class View(NamedTuple):
    """What the camera sees: a share of both sides, and where in the rest it is, from 0 to 1."""

    share: float
    x: float
    y: float

    def towards(self, other: "View", way: float) -> "View":
        """Return the view after a part of the way, from 0 to 1."""
        return View(*(a + (b - a) * way for a, b in zip(self, other, strict=True)))

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return the part of a picture of this size that is seen."""
        left, top = (1 - self.share) * self.x * width, (1 - self.share) * self.y * height
        return left, top, left + self.share * width, top + self.share * height


def film(picture: Image.Image, rng: random.Random, seconds: float, area: int) -> tuple[bytes, tuple[int, int]]:
    """Return an MP4 of a slow camera movement over the picture, towards it or away from it, and its size."""
    scale = math.sqrt(area / (picture.width * picture.height))
    width, height = (max(2, round(side * scale / 2) * 2) for side in picture.size)
    near = View(rng.uniform(*_CLOSE), rng.uniform(0.3, 0.7), rng.uniform(0.25, 0.6))
    far = View(_FAR, rng.random(), rng.random())
    first, last = rng.sample((near, far), 2)
    file, count = io.BytesIO(), max(2, round(seconds * RATE))
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        stream: Any = output.add_stream("libx264", rate=RATE, options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            time = number / (count - 1)
            box = first.towards(last, time * time * (3 - 2 * time)).box(*picture.size)  # it starts and stops gently
            image = picture.resize((width, height), Image.Resampling.BICUBIC, box=box)
            frame: Any = VideoFrame.from_image(image)  # type: ignore[no-untyped-call]  # PyAV does not import Pillow
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue(), (width, height)


def read_exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise SystemExit  # the parent has exited
    return data


def main() -> None:
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    job = json.loads(read_exactly(source, int.from_bytes(read_exactly(source, 4), "big")))
    with Image.open(io.BytesIO(read_exactly(source, job["size"]))) as opened:
        picture = opened.convert("RGB")
    data, (width, height) = film(picture, random.Random(job["seed"]), job["seconds"], job["area"])
    head = json.dumps({"width": width, "height": height, "parts": [len(data)]}).encode()
    sink.write(len(head).to_bytes(4, "big") + head + data)
    sink.flush()


if __name__ == "__main__":
    main()
