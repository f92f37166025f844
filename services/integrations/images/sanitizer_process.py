"""The resource-limited process that decodes untrusted images: framed jobs on stdin, framed responses on stdout.

Started by sanitizer.py as a plain file with `python -I`; it imports only the standard library, Pillow, pillow-heif and
the files beside it. A frame is a length (4 bytes, big endian), that many bytes of JSON, then the bytes whose size the
JSON states:

    job       {"task": "clean" | "preview", "size": bytes, "formats": [...], "widths": [pixels, ...]}  the image
              and for "clean" {"png_as": a PngStorage}
              {"task": "reduce", "size", "formats", "max_bytes", "box": null | [width, height], "opaque", "as_webp",
               "qualities"}
              {"task": "convert", "size", "formats", "format", "quality"}
              {"task": "missing", "size": 0}  no image
    response  {"missing": [format, ...]}  formats without a decoder
              {"format", "width", "height", "widths", "parts": [bytes, ...]}  the parts, one after another
    refusal   {"reason": a BadImage, "details": {name: value that the message states, ...}}
"""

import base64
import json
import sys
import warnings
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

sys.path.append(str(Path(__file__).parents[3]))  # `-I` leaves it out

from services.integrations.confinement import allow_cpu, can_start_threads, limit_allocator, restrict
from services.integrations.images.decoding import MISSING, decode, detect_format, fit
from services.integrations.images.encoding import (
    encode,
    encode_small_webp,
    encode_stored,
    encode_thumbnails,
    resize,
    shrink,
)
from services.integrations.images.formats import PngStorage
from services.integrations.images.refusal import MAX_STORED_SIDE, Limits, RefusedError

PLACEHOLDER_SIDE = 16  # pixels
MAX_HEIGHT_RATIO = 4  # height of a thumbnail or preview at most, as a multiple of its width limit
MAX_PLACEHOLDER_BYTES = 126  # 191 characters as a data URI; a photo takes about 60
MAX_PREVIEW_BYTES = 9_000  # 12,000 characters as a data URI
# Of copies that are sent elsewhere. 4:2:0 is what half the bytes of a photo are spent on otherwise.
REDUCED: dict[str, dict[str, Any]] = {"JPEG": {"subsampling": "4:2:0"}, "WEBP": {"alpha_quality": 50, "method": 0}}
MAX_TRANSPARENT_SIDE = 2048  # pixels, of such copies
# Grey images of 64 and 2 pixels, to load the decoders.
SAMPLES = {
    "HEIC": base64.b64decode(
        "AAAAHGZ0eXBoZWl4AAAAAG1pZjFoZWl4bWlhZgAAAWJtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
        "ACJpbG9jAAAAAERAAAEAAQAAAAABhgABAAAAAAAAABoAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
        "AAAAAAABAAAA4mlwcnAAAADDaXBjbwAAAHFodmNDAQQIAAAAn/gAAAAAHvAA/Pz4+AAADwNgAAEAF0ABDAH//wQIAAADAJ/4AAAD"
        "AAAeugJAYQABACZCAQEECAAAAwCf+AAAAwAAHsCCBBZbqrprmwIAAAMAMgAAAwACEGIAAQAGRAHBc8GJAAAAFGlzcGUAAAAAAAAA"
        "QAAAAEAAAAAoY2xhcAAAAAgAAAABAAAACAAAAAH////IAAAAAv///8gAAAACAAAADnBpeGkAAAAAAQgAAAAXaXBtYQAAAAAAAAAB"
        "AAEEgQIEgwAAACJtZGF0AAAAFigBrgokbbjmVrqusyb6MKe0eECVAUc="
    ),
    "AVIF": base64.b64decode(
        "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAA"
        "AAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAHwAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEA"
        "AGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAAgAAAAIAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwA"
        "AAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAJ21kYXQSAAoIGAA2iAhoNCAyERlHh4Yhh5555oAA"
        "AJBAyRwU"
    ),
}

Response = tuple[dict[str, Any], list[bytes]]


def on_white(image: Image.Image) -> Image.Image:
    """Return the image without transparency."""
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def clean(
    data: bytes, formats: list[str], widths: list[int], limits: Limits, png_as: PngStorage = PngStorage.PNG
) -> Response:
    """Return the image to store, its placeholder, and its thumbnails, narrowest first.

    The narrowest is always made, the others only if they are narrower than the image.
    """
    image, origin = decode(data, formats, limits, MAX_STORED_SIDE)
    stored = encode_stored(image, origin, png_as)  # first, because it needs the most memory
    head = {"format": stored.format, "width": image.width, "height": image.height}
    made = sorted(width for width in widths if width == min(widths) or width < image.width)
    sizes = [fit(image.size, (width, MAX_HEIGHT_RATIO * width)) for width in reversed(made)]
    thumbnails, image = encode_thumbnails(image, sizes, stored)
    tiny = resize(image, fit(image.size, (PLACEHOLDER_SIDE, PLACEHOLDER_SIDE)))
    # Without an alpha channel, which would double its size.
    placeholder = encode_small_webp(on_white(tiny), MAX_PLACEHOLDER_BYTES, (20, 0))
    return head | {"widths": made}, [stored.data, placeholder, *reversed(thumbnails)]


def preview(data: bytes, formats: list[str], widths: list[int], limits: Limits) -> Response:
    """Return a small preview of a partial image."""
    (width,) = widths
    image, _ = decode(data, formats, limits, MAX_HEIGHT_RATIO * width)
    image = shrink(image, fit(image.size, (width, MAX_HEIGHT_RATIO * width)))
    webp = encode_small_webp(image, MAX_PREVIEW_BYTES, (70, 45, 20))
    return {"format": "WEBP", "width": image.width, "height": image.height}, [webp]


def reduce(data: bytes, job: dict[str, Any], limits: Limits) -> Response:
    """Return a copy of at most `max_bytes`, as JPEG, or as WebP if it is transparent or wanted."""
    box = tuple(job["box"] or (MAX_STORED_SIDE, MAX_STORED_SIDE))
    image, _ = decode(data, job["formats"], limits, max(box))
    image = resize(image, fit(image.size, box))
    if job["opaque"]:
        image = on_white(image)
    name = "WEBP" if job["as_webp"] or image.mode == "RGBA" else "JPEG"
    options = REDUCED[name] | ({"alpha_quality": 80, "method": 5} if job["as_webp"] else {})
    if name == "WEBP":  # noise as alpha of 16 megapixels takes too much memory and time
        image = resize(image, fit(image.size, (MAX_TRANSPARENT_SIDE, MAX_TRANSPARENT_SIDE)))
    while True:
        scale = 0.7  # if there is not enough memory: half of the pixels
        for quality in job["qualities"]:
            try:
                copy = encode(image, name, quality=quality, **options)
            except (MemoryError, OSError, ValueError):
                break
            if len(copy) <= job["max_bytes"]:
                return {"format": name, "width": image.width, "height": image.height}, [copy]
            scale = 0.95 * (job["max_bytes"] / len(copy)) ** 0.5  # the bytes grow with the pixels, or slower
        if image.size == (1, 1):
            raise RefusedError("TOO_MANY_BYTES")
        image = resize(image, (max(1, int(image.width * scale)), max(1, int(image.height * scale))))


def convert(data: bytes, job: dict[str, Any], limits: Limits) -> Response:
    """Return the image in another format, of the same size. JPEG has no transparency: it becomes white."""
    image, _ = decode(data, job["formats"], limits, MAX_STORED_SIDE)
    name = job["format"]
    if name == "JPEG":
        image = on_white(image)
    options = {"compress_level": 3} if name == "PNG" else {"quality": job["quality"], **REDUCED[name]}
    return {"format": name, "width": image.width, "height": image.height}, [encode(image, name, **options)]


def run_job(job: dict[str, Any], data: bytes, limits: Limits) -> Response:
    """Do one job; every problem with its image becomes the reason of a refusal."""
    try:
        if job["task"] == "missing":
            return {"missing": sorted(MISSING)}, []
        if job["task"] == "reduce":
            return reduce(data, job, limits)
        if job["task"] == "convert":
            return convert(data, job, limits)
        if job["task"] == "preview":
            return preview(data, job["formats"], job["widths"], limits)
        return clean(data, job["formats"], job["widths"], limits, PngStorage(job["png_as"]))
    except RefusedError as refused:
        return {"reason": refused.reason, "details": refused.details}, []
    except MemoryError:
        return {"reason": "TOO_MANY_PIXELS"}, []
    except ImportError:
        raise  # a bug: a module was not imported before the limits were set
    except Exception:  # noqa: BLE001 - decoders raise any exception on malformed data
        return {"reason": "DAMAGED"}, []


def warm_up() -> None:
    """Make Pillow load its plugins and codecs while files can still be opened."""
    for name in ("JPEG", "PNG", "WEBP"):
        clean(encode(Image.new("RGB", (2, 2)), name), [name], [1], Limits(4, 2))
    for name in SAMPLES.keys() - MISSING:
        clean(SAMPLES[name], [name], [1], Limits(64, 8))


def read_exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise SystemExit  # the parent has exited
    return data


def allowed_cpu(data: bytes, seconds: int) -> int:
    """Return the CPU time that an image may use: twice the seconds for HEIC and AVIF, whose decoders are slow.

    A detailed HEIC of 48 megapixels takes 3 seconds, and half as long again where other processes share the core.
    """
    return 2 * seconds if detect_format(data) in ("HEIC", "AVIF") else seconds


def serve_one(source: BinaryIO, sink: BinaryIO, cpu_seconds: int, limits: Limits) -> None:
    """Read one job and write its response; none of its objects is kept while waiting for the next."""
    job = json.loads(read_exactly(source, int.from_bytes(read_exactly(source, 4), "big")))
    allow_cpu(cpu_seconds)  # also for reading, which the limit of the job before must not end
    data = read_exactly(source, job["size"])
    allow_cpu(allowed_cpu(data, cpu_seconds))
    header, parts = run_job(job, data, limits)
    head = json.dumps(header | {"parts": [len(part) for part in parts]}).encode()
    sink.write(len(head).to_bytes(4, "big") + head)
    for part in parts:
        sink.write(part)
    sink.flush()


def main(memory_mib: int, cpu_seconds: int, max_pixels: int, max_side: int) -> None:
    Image.MAX_IMAGE_PIXELS = None  # open_image checks the size, by the format
    warnings.simplefilter("ignore")
    return_memory = limit_allocator()
    warm_up()
    restrict(memory_mib)
    if not can_start_threads():  # the HEIC decoder needs one
        MISSING.add("HEIC")
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while True:
        serve_one(source, sink, cpu_seconds, Limits(max_pixels, max_side))
        return_memory()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
