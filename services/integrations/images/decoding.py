"""Decoding: from untrusted bytes to pixels that are complete, upright, sRGB and without metadata."""

import io
from typing import Any, NamedTuple

# Everything that Pillow imports lazily is imported here: once the process is restricted, no file can be opened.
from PIL import AvifImagePlugin, ExifTags, Image, JpegImagePlugin, TiffImagePlugin  # noqa: F401 - TIFF parses EXIF

from services.integrations.images.colour_profile import (
    is_grey_profile,
    profile_of,
    space_of_codes,
    space_of_png,
    to_srgb,
)
from services.integrations.images.heif_file import Heif, has_blank_tile, read_heif
from services.integrations.images.jpeg_file import read_jpeg, with_end
from services.integrations.images.png_file import SIGNATURE, read_png
from services.integrations.images.refusal import Limits, RefusedError, check_size

MISSING = set[str]()  # formats without a decoder
try:
    import pillow_heif
except ImportError:
    MISSING.add("HEIC")
else:
    # Without embedded previews, which may show something else; and 0: in this thread, apart from one of the library.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=0)
if not AvifImagePlugin.SUPPORTED:
    MISSING.add("AVIF")
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

# ISO/IEC 23008-12, annex B, and the AV1 image file format: brands of images and of sequences, whose first image counts.
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
_MAX_BRANDS_BYTES = 256
_MAX_WEBP_CHUNKS = 1000  # before the first image
MAX_EXIF_BYTES = 1 << 16  # as in a JPEG; the orientation is one of the first entries

# Pixels that fit into 600 MiB. JPEG is not limited: it can be decoded at a fraction of its size.
MAX_PIXELS = {"PNG": 50_000_000, "WEBP": 24_000_000, "AVIF": 50_000_000, "HEIC": 50_000_000}

MAX_JPEG_BYTES = 470 << 20  # of 600 MiB, for coefficients and pixels; the rest is this program with its libraries

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


_GREY_MODES = frozenset({"1", "L", "LA", "La"})  # of Pillow; and those that begin with I, which become L


class Origin(NamedTuple):
    """What the stored copy takes over from its original."""

    format: str
    byte_size: int
    is_scaled: bool = False
    quality: int = 0  # JPEG only: of the quantization tables that libjpeg would write with it, 1 to 100
    subsampling: str = "4:2:0"
    is_progressive: bool = False
    is_grey: bool = False
    has_palette: bool = False
    is_lossless: bool = False  # WebP only
    has_default_level: bool = False  # PNG only, of compression


class Opened(NamedTuple):
    """An image whose header was read and whose size was checked; nothing is decoded."""

    image: Image.Image
    origin: Origin
    profile: bytes | None  # of its colours, instead of an embedded one
    coefficient_bytes: int = 0  # JPEG only
    tiles: int = 1  # HEIC only


def detect_format(data: bytes) -> str | None:
    """Return the format that the first bytes identify."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(SIGNATURE):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), _MAX_BRANDS_BYTES)
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIC"
    return None


def open_image(data: bytes, formats: list[str], limits: Limits) -> Opened:
    """Open an image of one of `formats`."""
    name = detect_format(data)
    if name is None or name not in formats or name in MISSING:
        raise RefusedError("UNSUPPORTED_FORMAT", format=name or "")
    limits = Limits(min(limits.pixels, MAX_PIXELS.get(name, limits.pixels)), limits.side)
    origin = Origin(name, len(data))
    if name == "JPEG":
        return _open_jpeg(data, origin, limits)
    if name == "PNG":
        png = read_png(data)
        image = _open(png.data, name, limits)
        space = space_of_png(png.colours, has_profile=bool(image.info.get("icc_profile")))
        origin = origin._replace(has_default_level=png.has_default_level, is_grey=png.is_grey)
        if image.mode == "L" and png.depth and isinstance(key := image.info.get("transparency"), int):
            most = (1 << png.depth) - 1  # Pillow scales pixels of 2 and 4 bits, but not their transparent value
            image.info["transparency"] = (key & most) * 255 // most
        return Opened(image, origin, profile_of(space) if space else None)
    heif = read_heif(data) if name == "HEIC" else Heif()
    if heif.is_cut:
        raise RefusedError("DAMAGED")
    if name == "WEBP":
        check_size(_read_webp_size(data), limits)
        origin = origin._replace(is_lossless=is_lossless_webp(data))
    image = _open(data, "HEIF" if name == "HEIC" else name, limits)
    profile = None if image.info.get("icc_profile") else _profile_of_codes(image, data)
    return Opened(image, origin, profile, tiles=heif.tiles)


def _open(data: bytes, name: str, limits: Limits) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=(name,))
    check_size(image.size, limits)
    return image


def _open_jpeg(data: bytes, origin: Origin, limits: Limits) -> Opened:
    jpeg = read_jpeg(data)
    image = _open(jpeg.data, "JPEG", limits)
    if not jpeg.has_end:
        image = _open(with_end(jpeg), "JPEG", limits)
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        raise RefusedError("DAMAGED")
    sampling = {0: "4:4:4", 1: "4:2:2"}.get(JpegImagePlugin.get_sampling(image), "4:2:0")
    table = image.quantization.get(image.layer[0][3], [])
    origin = origin._replace(
        quality=estimate_quality(sum(table)), subsampling=sampling, is_progressive=jpeg.is_progressive
    )
    return Opened(image, origin, None, jpeg.coefficient_bytes)


# The JPEG standard's table for brightness (annex K), which libjpeg scales by the quality.
_BRIGHTNESS = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29),
    *(51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121),
    *(120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)


def estimate_quality(total: int) -> int:
    """Return the highest quality whose table, as libjpeg writes it, is as coarse as one with this sum."""
    for quality in range(100, 1, -1):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        if sum(min(max((value * scale + 50) // 100, 1), 255) for value in _BRIGHTNESS) >= total:
            return quality
    return 1


def is_lossless_webp(data: bytes) -> bool:
    """Whether the first image of a WebP file (RFC 9649) is encoded without loss."""
    at = 12
    for _ in range(_MAX_WEBP_CHUNKS):
        kind = data[at : at + 4]
        if kind in (b"VP8L", b"VP8 ", b""):
            return kind == b"VP8L"
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 24 if kind == b"ANMF" else 8 + size + size % 2  # the head of a frame, whose chunks follow
    return False


def _read_webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels from the header (RFC 9649); Pillow would allocate the canvas to read them."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def _profile_of_codes(image: Image.Image, data: bytes) -> bytes | None:
    """Return an ICC profile of the colour codes (nclx) of a HEIC or AVIF file without one."""
    codes: Any = image.info.get("nclx_profile")
    if isinstance(codes, dict):
        primaries, transfer = int(codes["color_primaries"]), int(codes["transfer_characteristics"])
    else:
        at = data.find(b"colrnclx", 0, 1 << 16)  # Pillow does not return them
        if at < 0:
            return None
        primaries, transfer = (int.from_bytes(data[at + start : at + start + 2], "big") for start in (8, 10))
    space = space_of_codes(primaries, transfer)
    return profile_of(space) if space else None


def _read_orientation(image: Image.Image, name: str) -> int:
    """Return EXIF's orientation, 1 to 8; 1 if there is none or EXIF is malformed."""
    exif = image.info.get("exif")
    if not isinstance(exif, bytes) or name == "HEIC":  # whose own rotation the library has applied
        return 1
    tags = Image.Exif()
    try:
        tags.load(exif[:MAX_EXIF_BYTES])
        return int(tags.get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - Pillow's EXIF reader raises any exception on malformed data
        return 1


def _to_basic_mode(image: Image.Image, is_resized: bool) -> Image.Image:
    """Convert the loaded image to L, RGB, CMYK (8 bits each), RGBA, or RGBa if it is to be resized.

    RGBa is premultiplied alpha, which changes half-transparent colours a little. In both, colours under full
    transparency are really removed.
    """
    transparency = image.info.get("transparency")
    if image.mode.startswith("I"):  # 16-bit grey: the high bytes, as Pillow does for colours; convert() would clamp
        return Image.frombytes("L", image.size, image.tobytes(), "raw", "L;16")
    if isinstance(transparency, tuple) and max(transparency) > 255:
        del image.info["transparency"]  # a 16-bit colour, which 8 bits cannot distinguish from similar colours
    if image.has_transparency_data:
        if image.mode != "RGBA":
            image = image.convert("RGBA")
        if image.getchannel("A").getextrema() == (255, 255):
            return image.convert("RGB")
        if is_resized:
            return image.convert("RGBa")
        image = image.copy()  # which does not hold the file and its decoder
        image.paste((0, 0, 0, 0), mask=image.getchannel("A").point(lambda value: 0 if value else 255))
        return image
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("L" if image.mode == "1" else "RGB")


def fit(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Scale `size` down, never up, to fit into `box` (pixels)."""
    scale = min(1.0, box[0] / size[0], box[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _draft(image: Image.Image, size: tuple[int, int], coefficient_bytes: int) -> tuple[int, int]:
    """Make a JPEG decode at 1/2, 1/4 or 1/8 of its size: as small as `size` allows, and smaller if memory requires it.

    Return the size to store, at most `size`.

    Raises:
        RefusedError: TOO_MANY_PIXELS, it does not fit into the memory at any size.
    """
    whole = image.size
    for scale in (8, 4, 2, 1):
        decoded = -(-whole[0] // scale), -(-whole[1] // scale)
        if decoded[0] >= size[0] and decoded[1] >= size[1]:
            break
    while True:
        stored = size if decoded[0] >= size[0] and decoded[1] >= size[1] else fit(decoded, size)
        # A resize takes the decoded image, the same with only its rows or columns scaled, and the result.
        resized = 0 if stored == decoded else stored[0] * decoded[1] + stored[0] * stored[1]
        if max(coefficient_bytes, 4 * resized) + 4 * decoded[0] * decoded[1] <= MAX_JPEG_BYTES:
            break
        if scale == 8:
            raise RefusedError("TOO_MANY_PIXELS")
        scale *= 2
        decoded = -(-whole[0] // scale), -(-whole[1] // scale)
    image.draft(None, (max(1, whole[0] // scale), max(1, whole[1] // scale)))  # Pillow divides, and rounds down
    return stored


def decode(data: bytes, formats: list[str], limits: Limits, side: int) -> tuple[Image.Image, Origin]:
    """Decode the first frame: complete, upright, RGB or RGBA, no side longer than `side` pixels, no metadata.

    The image is scaled down before it is converted, and each step releases the image before it: this keeps the
    largest image within the memory limit.
    """
    image, origin, profile, coefficient_bytes, tiles = open_image(data, formats, limits)
    size = fit(image.size, (side, side))
    origin = origin._replace(is_scaled=size != image.size)
    if origin.format == "JPEG":
        size = _draft(image, size, coefficient_bytes)
    image.load()
    orientation = _read_orientation(image, origin.format)
    embedded = image.info.get("icc_profile")
    source_mode = image.mode
    image = _to_basic_mode(image, is_resized=image.size != size)
    is_grey = origin.is_grey or source_mode in _GREY_MODES or image.mode == "L"
    origin = origin._replace(is_grey=is_grey, has_palette=source_mode in ("P", "PA"))
    if profile and image.mode == "L":
        image = image.convert("RGB")  # which the profile is for
    profile = profile or embedded
    if image.size != size:  # HAMMING takes a third of LANCZOS's time; at 4096 pixels the difference is not visible
        image = image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)
    if has_blank_tile(image, tiles):
        raise RefusedError("DAMAGED")
    if image.mode in ("RGBa", "RGBA"):
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        if profile:
            alpha = image.getchannel("A")
            is_for_grey = is_grey and is_grey_profile(profile)
            image = to_srgb(image.getchannel("R") if is_for_grey else image.convert("RGB"), profile)
            image.putalpha(alpha)
    else:
        image = to_srgb(image, profile)
    if orientation in UPRIGHT:
        image = image.transpose(UPRIGHT[orientation])
    image.info.clear()  # Pillow's writers would copy comments and profiles out of it
    return image, origin
