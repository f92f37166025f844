"""The limited process that decodes strangers' pictures: framed jobs on stdin, framed answers on stdout.

Started by sanitizer.py as a plain file with `python -I`, so it imports only the standard library and Pillow.
A frame is a length (4 bytes, big endian), that many bytes of JSON, then the bytes which that JSON announces:

    job      {"task": "clean" | "preview", "size": bytes, "formats": [...], "widths": [pixels, ...]}  the picture
    answer   {"format", "width", "height", "widths", "parts": [bytes, ...]}  the parts, one after another
    refusal  {"reason": a BadImage}
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

# Everything Pillow would import on first use is imported here: later no file can be opened any more.
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin  # noqa: F401 - TiffImagePlugin parses EXIF

MAGIC = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "WEBP": b"RIFF"}
STORED_SIDE = 4096  # pixels; a longer side is scaled down to this
PLACEHOLDER_SIDE = 16  # pixels
TALLEST = 4  # a thumbnail or preview is at most this many times as high as it may be wide
PLACEHOLDER_BYTES = 126  # 191 characters as a data URI; a photo takes about 60
PREVIEW_BYTES = 9_000  # 12,000 characters as a data URI
WEBP_PIXELS = 24_000_000  # libwebp's decoder and Pillow hold 16 to 20 bytes a pixel at once, the others 4 to 12

# EXIF 2.32, tag 0x0112: what turns the stored rows and columns upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# JPEG: 4:4:4 costs 12 % more bytes than 4:2:0 and has a third less error (RMS 3.4 against 5.0 on drawn scenes, where
# colours meet at edges). PNG: level 3 is 3 % smaller than 1 and takes half as long again.
SAVE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 92, "subsampling": "4:4:4"},
    "PNG": {"compress_level": 1},
    "WEBP": {"quality": 92, "method": 0},
}


class Limits(NamedTuple):
    """What a header may announce."""

    pixels: int
    side: int  # pixels


Answer = tuple[dict[str, Any], list[bytes]]


class RefusedError(Exception):
    """The picture is refused; the argument is a BadImage."""


def canvas_of_webp(data: bytes) -> tuple[int, int]:
    """Width and height in pixels from the header (RFC 9649): Pillow would allocate the canvas to find out."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def check_size(size: tuple[int, int], limits: Limits) -> None:
    """Refuse by the numbers of a header."""
    if min(size) < 1:
        raise RefusedError("DAMAGED")
    if size[0] * size[1] > limits.pixels or max(size) > limits.side:
        raise RefusedError("TOO_MANY_PIXELS")


def format_of(data: bytes, formats: list[str]) -> str:
    """Which of `formats` the first bytes say this is."""
    for name in formats:
        if data.startswith(MAGIC[name]) and (name != "WEBP" or data[8:12] == b"WEBP"):
            return name
    raise RefusedError("UNSUPPORTED_FORMAT")


def opened(data: bytes, name: str, limits: Limits) -> Image.Image:
    """The picture with its header read, its size allowed, and nothing decoded."""
    if name == "WEBP":
        limits = Limits(min(limits.pixels, WEBP_PIXELS), limits.side)
        check_size(canvas_of_webp(data), limits)
    image = Image.open(io.BytesIO(data), formats=(name,))
    check_size(image.size, limits)
    return image


def orientation(exif: object) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none or EXIF is broken."""
    if not isinstance(exif, bytes):
        return 1
    tags = Image.Exif()
    try:
        tags.load(exif)
        return int(tags.get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - Pillow's EXIF reader answers garbage with any exception
        return 1


def plain(image: Image.Image) -> Image.Image:
    """The loaded picture as L, RGB, CMYK (8 bits each) or RGBa.

    RGBa is alpha premultiplied: it may be resized, and what was erased to full transparency is really gone.
    """
    transparency = image.info.get("transparency")
    if image.mode.startswith("I"):  # 16-bit grey: the high bytes, as Pillow does for colours; convert() would clamp
        return Image.frombytes("L", image.size, image.tobytes(), "raw", "L;16")
    if isinstance(transparency, tuple) and max(transparency) > 255:
        del image.info["transparency"]  # names a 16-bit colour, which 8 bits no longer tell from its neighbours
    if image.has_transparency_data:
        if image.mode != "RGBA":
            image = image.convert("RGBA")
        return image.convert("RGB" if image.getchannel("A").getextrema() == (255, 255) else "RGBa")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("L" if image.mode == "1" else "RGB")


def to_srgb(image: Image.Image, icc: object) -> Image.Image:
    """RGB by the embedded profile; a profile that is broken or of another colour space is ignored."""
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


def fitted(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """`size` scaled down, never up, to fit into `box` (pixels)."""
    scale = min(1.0, box[0] / size[0], box[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def decoded(image: Image.Image, side: int) -> Image.Image:
    """First frame, whole, upright, RGB or RGBA, no side longer than `side` pixels, nothing else attached.

    Scaled down before anything is converted, and each step's picture let go by the next: that is what keeps the
    largest picture within the memory limit. The caller must not hold `image` either.
    """
    size = fitted(image.size, (side, side))
    image.draft(None, size)  # JPEG can decode at 1/2, 1/4 or 1/8; the others take no notice
    image.load()
    icc, turn = image.info.get("icc_profile"), orientation(image.info.get("exif"))
    image = plain(image)
    if image.size != size:  # HAMMING: a third of LANCZOS's time, and nobody sees the difference at 4096 pixels
        image = image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)
    if image.mode == "RGBa":
        image = image.convert("RGBA")
        if icc:
            alpha = image.getchannel("A")
            image = to_srgb(image.convert("RGB"), icc)
            image.putalpha(alpha)
    else:
        image = to_srgb(image, icc)
    if turn in UPRIGHT:
        image = image.transpose(UPRIGHT[turn])
    image.info.clear()  # Pillow's writers would copy comments and profiles out of it
    return image


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def small_webp(image: Image.Image, limit: int, qualities: tuple[int, ...]) -> bytes:
    """WebP of at most `limit` bytes: first quality goes, then size."""
    while True:
        for quality in qualities:
            data = encoded(image, "WEBP", quality=quality, alpha_quality=quality, method=4)
            if len(data) <= limit or image.size == (1, 1):
                return data
        image = resized(image, (max(1, image.width // 2), max(1, image.height // 2)))


def stored(image: Image.Image, name: str) -> bytes:
    """The file that is kept. Only want of memory can stop a picture that we made ourselves."""
    attempts = [SAVE[name]]
    if name == "WEBP" and image.mode == "RGBA":
        # libwebp takes 30 bytes a pixel for lossless alpha that is noise; twelve levels of it take half.
        attempts.append(SAVE[name] | {"alpha_quality": 50})
    for options in attempts:
        with contextlib.suppress(MemoryError, OSError, ValueError):
            return encoded(image, name, **options)
    raise RefusedError("TOO_MANY_PIXELS")


def clean(data: bytes, formats: list[str], widths: list[int], limits: Limits) -> Answer:
    """What is stored: the picture, its placeholder, its thumbnails from the narrowest on.

    The narrowest is always made, of the others those that are smaller than the picture.
    """
    name = format_of(data, formats)
    image = decoded(opened(data, name, limits), STORED_SIDE)
    head = {"format": name, "width": image.width, "height": image.height}
    picture = stored(image, name)  # first: of all this it wants the most memory
    made = sorted(width for width in widths if width == min(widths) or width < image.width)
    thumbnails: list[bytes] = []
    for width in reversed(made):  # each out of the wider one, which is a fraction of the work
        image = resized(image, fitted(image.size, (width, TALLEST * width)))
        # Method 2 takes half the time of 4, for 4 % more bytes.
        thumbnails.insert(0, encoded(image, "WEBP", quality=80, method=2))
    tiny = resized(image, fitted(image.size, (PLACEHOLDER_SIDE, PLACEHOLDER_SIDE)))
    if tiny.mode == "RGBA":  # an alpha plane would double its bytes
        tiny = Image.alpha_composite(Image.new("RGBA", tiny.size, "white"), tiny).convert("RGB")
    placeholder = small_webp(tiny, PLACEHOLDER_BYTES, (20, 0))
    return head | {"widths": made}, [picture, placeholder, *thumbnails]


def preview(data: bytes, formats: list[str], widths: list[int], limits: Limits) -> Answer:
    """A passing look at a picture that is still being made."""
    (width,) = widths
    image = decoded(opened(data, format_of(data, formats), limits), TALLEST * width)
    image = resized(image, fitted(image.size, (width, TALLEST * width)))
    webp = small_webp(image, PREVIEW_BYTES, (70, 45, 20))
    return {"format": "WEBP", "width": image.width, "height": image.height}, [webp]


def answer(job: dict[str, Any], data: bytes, limits: Limits) -> Answer:
    """Do one job; whatever is wrong with its picture becomes a reason."""
    try:
        work = preview if job["task"] == "preview" else clean
        return work(data, job["formats"], job["widths"], limits)
    except RefusedError as refused:
        return {"reason": str(refused)}, []
    except (MemoryError, Image.DecompressionBombWarning, Image.DecompressionBombError):
        return {"reason": "TOO_MANY_PIXELS"}, []
    except ImportError:
        raise  # our fault: something was not loaded before the limits were set
    except Exception:  # noqa: BLE001 - decoders answer garbage with any exception
        return {"reason": "DAMAGED"}, []


def warm_up() -> None:
    """Make Pillow load its writers, readers and codecs while files can still be opened."""
    for name in MAGIC:
        data = encoded(Image.new("RGB", (2, 2)), name)
        clean(data, [name], [1], Limits(4, 2))


def limit(memory_mib: int) -> None:
    """Nothing that a picture could make this process do reaches further than its pipes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # uvloop hands down what its parent left inheritable
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # the three pipes: no file, no socket can be opened
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: also in the middle of a job
        if hasattr(libc, "mallopt"):  # glibc; left to itself it keeps 100 MiB of one big picture for the next
            libc.mallopt(-3, 1 << 20)  # M_MMAP_THRESHOLD: from 1 MiB on a block goes back as soon as it is freed
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20, memory_mib << 20))


def allow_cpu(seconds: int) -> None:
    """RLIMIT_CPU counts the life of the process, so each job raises it. Going over ends in SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds  # whole seconds, rounded up
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def read_exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise SystemExit  # the parent is gone
    return data


def serve_one(source: BinaryIO, sink: BinaryIO, cpu_seconds: int, limits: Limits) -> None:
    """One job in, one answer out; nothing of it is held while waiting for the next."""
    job = json.loads(read_exactly(source, int.from_bytes(read_exactly(source, 4), "big")))
    allow_cpu(cpu_seconds)
    header, parts = answer(job, read_exactly(source, job["size"]), limits)
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
    limit(memory_mib)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while True:
        serve_one(source, sink, cpu_seconds, Limits(max_pixels, max_side))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
