"""The resource-limited process that decodes untrusted images: framed jobs on stdin, framed responses on stdout.

Started by sanitizer.py as a plain file with `python -I`, so it imports only the standard library and Pillow.
A frame is a length (4 bytes, big endian), that many bytes of JSON, then the bytes whose size the JSON states:

    job       {"task": "clean" | "preview", "size": bytes, "formats": [...], "widths": [pixels, ...]}  the image
              {"task": "reduce", "size", "formats", "max_bytes", "box": null | [width, height], "opaque", "qualities"}
    response  {"format", "width", "height", "widths", "parts": [bytes, ...]}  the parts, one after another
    refusal   {"reason": a BadImage}
"""

import contextlib
import ctypes
import io
import json
import os
import resource
import sys
import warnings
from typing import Any, BinaryIO, NamedTuple

# Everything that Pillow imports lazily is imported here: later, no file can be opened.
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin  # noqa: F401 - TiffImagePlugin parses EXIF

MAGIC = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "WEBP": b"RIFF"}
MAX_STORED_SIDE = 4096  # pixels; larger images are scaled down
PLACEHOLDER_SIDE = 16  # pixels
MAX_HEIGHT_RATIO = 4  # height of a thumbnail or preview at most, as a multiple of its width limit
MAX_PLACEHOLDER_BYTES = 126  # 191 characters as a data URI; a photo takes about 60
MAX_PREVIEW_BYTES = 9_000  # 12,000 characters as a data URI
# Of copies that are sent elsewhere. 4:2:0 is what half the bytes of a photo are spent on otherwise.
REDUCED: dict[str, dict[str, Any]] = {"JPEG": {"subsampling": "4:2:0"}, "WEBP": {"alpha_quality": 50, "method": 0}}
MAX_TRANSPARENT_SIDE = 2048  # pixels, of such copies
MAX_WEBP_PIXELS = 24_000_000  # libwebp and Pillow hold 16 to 20 bytes per pixel at once, other decoders 4 to 12

# EXIF 2.32, tag 0x0112: the transposition that makes the stored pixels upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# JPEG: 4:4:4 takes 12 % more bytes than 4:2:0 and has a third less error (RMS 3.4 against 5.0 on drawn scenes, where
# colours meet at edges). PNG: level 3 is 3 % smaller than 1 and takes 50 % longer.
SAVE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 92, "subsampling": "4:4:4"},
    "PNG": {"compress_level": 1},
    "WEBP": {"quality": 92, "method": 0},
}


class Limits(NamedTuple):
    """The size that a header may declare."""

    pixels: int
    side: int  # pixels


Response = tuple[dict[str, Any], list[bytes]]


class RefusedError(Exception):
    """The image is refused; the argument is a BadImage."""


def read_webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels from the header (RFC 9649); Pillow would allocate the canvas to read them."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def check_size(size: tuple[int, int], limits: Limits) -> None:
    """Raise RefusedError for a size beyond the limits."""
    if min(size) < 1:
        raise RefusedError("DAMAGED")
    if size[0] * size[1] > limits.pixels or max(size) > limits.side:
        raise RefusedError("TOO_MANY_PIXELS")


def detect_format(data: bytes, formats: list[str]) -> str:
    """Return the one of `formats` that the first bytes of the data identify."""
    for name in formats:
        if data.startswith(MAGIC[name]) and (name != "WEBP" or data[8:12] == b"WEBP"):
            return name
    raise RefusedError("UNSUPPORTED_FORMAT")


def open_image(data: bytes, name: str, limits: Limits) -> Image.Image:
    """Open the image: its header is read and its size checked, nothing is decoded."""
    if name == "WEBP":
        limits = Limits(min(limits.pixels, MAX_WEBP_PIXELS), limits.side)
        check_size(read_webp_size(data), limits)
    image = Image.open(io.BytesIO(data), formats=(name,))
    check_size(image.size, limits)
    return image


def read_orientation(exif: object) -> int:
    """Return EXIF's orientation, 1 to 8; 1 if there is none or EXIF is malformed."""
    if not isinstance(exif, bytes):
        return 1
    tags = Image.Exif()
    try:
        tags.load(exif)
        return int(tags.get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - Pillow's EXIF reader raises any exception on malformed data
        return 1


def to_basic_mode(image: Image.Image) -> Image.Image:
    """Convert the loaded image to L, RGB, CMYK (8 bits each) or RGBa.

    RGBa is premultiplied alpha: it can be resized, and colours under full transparency are really removed.
    """
    transparency = image.info.get("transparency")
    if image.mode.startswith("I"):  # 16-bit grey: the high bytes, as Pillow does for colours; convert() would clamp
        return Image.frombytes("L", image.size, image.tobytes(), "raw", "L;16")
    if isinstance(transparency, tuple) and max(transparency) > 255:
        del image.info["transparency"]  # a 16-bit colour, which 8 bits cannot distinguish from similar colours
    if image.has_transparency_data:
        if image.mode != "RGBA":
            image = image.convert("RGBA")
        return image.convert("RGB" if image.getchannel("A").getextrema() == (255, 255) else "RGBa")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("L" if image.mode == "1" else "RGB")


def to_srgb(image: Image.Image, icc: object) -> Image.Image:
    """Convert to sRGB by the embedded profile; a malformed profile or one of another colour space is ignored."""
    if isinstance(icc, bytes) and icc:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            if "sRGB" not in ImageCms.getProfileDescription(profile):
                converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
                if converted is not None:
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")


def fit(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Scale `size` down, never up, to fit into `box` (pixels)."""
    scale = min(1.0, box[0] / size[0], box[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def decode(image: Image.Image, side: int) -> Image.Image:
    """Decode the first frame: complete, upright, RGB or RGBA, no side longer than `side` pixels, no metadata.

    The image is scaled down before it is converted, and each step releases the image before it: this keeps the
    largest image within the memory limit. The caller must not keep a reference to `image` either.
    """
    size = fit(image.size, (side, side))
    image.draft(None, size)  # JPEG can decode at 1/2, 1/4 or 1/8; the other formats ignore this
    image.load()
    icc, orientation = image.info.get("icc_profile"), read_orientation(image.info.get("exif"))
    image = to_basic_mode(image)
    if image.size != size:  # HAMMING takes a third of LANCZOS's time; at 4096 pixels the difference is not visible
        image = image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)
    if image.mode == "RGBa":
        image = image.convert("RGBA")
        if icc:
            alpha = image.getchannel("A")
            image = to_srgb(image.convert("RGB"), icc)
            image.putalpha(alpha)
    else:
        image = to_srgb(image, icc)
    if orientation in UPRIGHT:
        image = image.transpose(UPRIGHT[orientation])
    image.info.clear()  # Pillow's writers would copy comments and profiles out of it
    return image


def encode(image: Image.Image, name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def encode_small_webp(image: Image.Image, limit: int, qualities: tuple[int, ...]) -> bytes:
    """Encode as WebP of at most `limit` bytes: reduce the quality first, then the size."""
    while True:
        for quality in qualities:
            data = encode(image, "WEBP", quality=quality, alpha_quality=quality, method=4)
            if len(data) <= limit or image.size == (1, 1):
                return data
        image = resize(image, (max(1, image.width // 2), max(1, image.height // 2)))


def on_white(image: Image.Image) -> Image.Image:
    """Return the image without transparency."""
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def encode_stored(image: Image.Image, name: str) -> bytes:
    """Encode the file to store; RefusedError if there is not enough memory."""
    attempts = [SAVE[name]]
    if name == "WEBP" and image.mode == "RGBA":
        # libwebp needs 30 bytes per pixel for noise as lossless alpha; reduced to twelve levels it needs half.
        attempts.append(SAVE[name] | {"alpha_quality": 50})
    for options in attempts:
        with contextlib.suppress(MemoryError, OSError, ValueError):
            return encode(image, name, **options)
    raise RefusedError("TOO_MANY_PIXELS")


def clean(data: bytes, formats: list[str], widths: list[int], limits: Limits) -> Response:
    """Return the image to store, its placeholder, and its thumbnails, narrowest first.

    The narrowest is always made, the others only if they are narrower than the image.
    """
    name = detect_format(data, formats)
    image = decode(open_image(data, name, limits), MAX_STORED_SIDE)
    head = {"format": name, "width": image.width, "height": image.height}
    picture = encode_stored(image, name)  # first, because it needs the most memory
    made = sorted(width for width in widths if width == min(widths) or width < image.width)
    thumbnails: list[bytes] = []
    for width in reversed(made):  # each from the next wider one, which is a fraction of the work
        image = resize(image, fit(image.size, (width, MAX_HEIGHT_RATIO * width)))
        # Method 2 takes half the time of method 4, for 4 % more bytes.
        thumbnails.insert(0, encode(image, "WEBP", quality=80, method=2))
    tiny = resize(image, fit(image.size, (PLACEHOLDER_SIDE, PLACEHOLDER_SIDE)))
    # Without an alpha channel, which would double its size.
    placeholder = encode_small_webp(on_white(tiny), MAX_PLACEHOLDER_BYTES, (20, 0))
    return head | {"widths": made}, [picture, placeholder, *thumbnails]


def preview(data: bytes, formats: list[str], widths: list[int], limits: Limits) -> Response:
    """Return a small preview of a partial image."""
    (width,) = widths
    image = decode(open_image(data, detect_format(data, formats), limits), MAX_HEIGHT_RATIO * width)
    image = resize(image, fit(image.size, (width, MAX_HEIGHT_RATIO * width)))
    webp = encode_small_webp(image, MAX_PREVIEW_BYTES, (70, 45, 20))
    return {"format": "WEBP", "width": image.width, "height": image.height}, [webp]


def reduce(data: bytes, job: dict[str, Any], limits: Limits) -> Response:
    """Return a copy of at most `max_bytes`, as JPEG, or as WebP if it is transparent."""
    box = tuple(job["box"] or (MAX_STORED_SIDE, MAX_STORED_SIDE))
    image = decode(open_image(data, detect_format(data, job["formats"]), limits), max(box))
    image = resize(image, fit(image.size, box))
    if job["opaque"]:
        image = on_white(image)
    name = "WEBP" if image.mode == "RGBA" else "JPEG"
    if name == "WEBP":  # noise as alpha of 16 megapixels takes too much memory and time
        image = resize(image, fit(image.size, (MAX_TRANSPARENT_SIDE, MAX_TRANSPARENT_SIDE)))
    while True:
        scale = 0.7  # if there is not enough memory: half of the pixels
        for quality in job["qualities"]:
            try:
                copy = encode(image, name, quality=quality, **REDUCED[name])
            except (MemoryError, OSError, ValueError):
                break
            if len(copy) <= job["max_bytes"]:
                return {"format": name, "width": image.width, "height": image.height}, [copy]
            scale = 0.95 * (job["max_bytes"] / len(copy)) ** 0.5  # the bytes grow with the pixels, or slower
        if image.size == (1, 1):
            raise RefusedError("TOO_MANY_BYTES")
        image = resize(image, (max(1, int(image.width * scale)), max(1, int(image.height * scale))))


def run_job(job: dict[str, Any], data: bytes, limits: Limits) -> Response:
    """Do one job; every problem with its image becomes the reason of a refusal."""
    try:
        if job["task"] == "reduce":
            return reduce(data, job, limits)
        work = preview if job["task"] == "preview" else clean
        return work(data, job["formats"], job["widths"], limits)
    except RefusedError as refused:
        return {"reason": str(refused)}, []
    except (MemoryError, Image.DecompressionBombWarning, Image.DecompressionBombError):
        return {"reason": "TOO_MANY_PIXELS"}, []
    except ImportError:
        raise  # a bug: a module was not imported before the limits were set
    except Exception:  # noqa: BLE001 - decoders raise any exception on malformed data
        return {"reason": "DAMAGED"}, []


def warm_up() -> None:
    """Make Pillow load its plugins and codecs while files can still be opened."""
    for name in MAGIC:
        data = encode(Image.new("RGB", (2, 2)), name)
        clean(data, [name], [1], Limits(4, 2))


def restrict(memory_mib: int) -> None:
    """Restrict this process to its pipes: code that an image injects can reach nothing else."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # uvloop passes on descriptors that are inheritable
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # the three pipes: no file, no socket can be opened
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: killed with the parent, also during a job
        if hasattr(libc, "mallopt"):  # glibc, which would otherwise keep 100 MiB after a large image
            libc.mallopt(-3, 1 << 20)  # M_MMAP_THRESHOLD: blocks of 1 MiB and more are returned when freed
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20, memory_mib << 20))


def allow_cpu(seconds: int) -> None:
    """Allow `seconds` of CPU time from now; beyond it, SIGXCPU. RLIMIT_CPU counts since the start of the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds  # whole seconds, rounded up
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def read_exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise SystemExit  # the parent has exited
    return data


def serve_one(source: BinaryIO, sink: BinaryIO, cpu_seconds: int, limits: Limits) -> None:
    """Read one job and write its response; nothing of it is kept while waiting for the next."""
    job = json.loads(read_exactly(source, int.from_bytes(read_exactly(source, 4), "big")))
    allow_cpu(cpu_seconds)
    header, parts = run_job(job, read_exactly(source, job["size"]), limits)
    head = json.dumps(header | {"parts": [len(part) for part in parts]}).encode()
    sink.write(len(head).to_bytes(4, "big") + head)
    for part in parts:
        sink.write(part)
    sink.flush()


def main(memory_mib: int, cpu_seconds: int, max_pixels: int, max_side: int) -> None:
    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    warm_up()
    restrict(memory_mib)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while True:
        serve_one(source, sink, cpu_seconds, Limits(max_pixels, max_side))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
