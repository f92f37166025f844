"""Builders of ordinary and hostile images; picture_cases.py lists the expected results."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from PIL import ExifTags, Image, ImageCms

Builder = Callable[[], bytes]
SECRET = b"SECRET-CAMERA-0815"  # hidden in every piece of metadata that a builder writes
SCRIPT = b"<script>alert(1)</script><?php system($_GET[0]); ?>"


def scene(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Return four coloured quarters that show every rotation and mirroring: red, green above blue, yellow."""
    image = Image.new("RGB", size, "red")
    half = (size[0] // 2, size[1] // 2)
    image.paste("lime", (half[0], 0, size[0], half[1]))
    image.paste("blue", (0, half[1], half[0], size[1]))
    image.paste("yellow", (*half, *size))
    if mode in ("RGBA", "LA"):
        alpha = Image.new("L", size, 255)
        alpha.paste(0, (0, 0, *half))
        image.putalpha(alpha)
    return image.convert(mode)


def noise(mode: str, size: tuple[int, int]) -> Image.Image:
    """Return deterministic noise, which compresses worst."""
    count = size[0] * size[1] * len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, size, random.Random(1).randbytes(count))


def encode(image: Image.Image, name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


@cache
def jpeg() -> bytes:
    return encode(scene(), "JPEG", quality=95, subsampling=0)


@cache
def png() -> bytes:
    return encode(scene(), "PNG")


@cache
def webp() -> bytes:
    return encode(scene(), "WEBP", quality=95)


def noisy_cut(name: str, percent: int) -> bytes:
    """Return the first `percent` of a file so dense that even a cut at 99 % removes pixels."""
    data = encode(noise("RGB", (160, 120)), name)
    return data[: max(1, len(data) * percent // 100)]


# PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(
    size: tuple[int, int],
    depth: int,
    colour: int,
    rows: Iterable[bytes],
    *,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """Return a PNG with unfiltered `rows`, and chunks `before` and `after` its pixels; nothing is validated."""
    packer = zlib.compressobj(6)
    pixels = b"".join([packer.compress(b"\x00" + row) for row in rows]) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", pixels) + after + chunk(b"IEND", b"")


def with_chunks(chunks: bytes) -> bytes:
    """Return the ordinary PNG with `chunks` right after its header."""
    return png()[:33] + chunks + png()[33:]


def flat_png(size: tuple[int, int], colour: int) -> bytes:
    """Return an 8-bit PNG of one colour: `colour` 2 is RGB, 6 is RGBA (half transparent)."""
    row = (b"\x10\x80\xf0" if colour == 2 else b"\x10\x80\xf0\x80") * size[0]
    return raw_png(size, 8, colour, (row for _ in range(size[1])))


def bomb(side: int) -> bytes:
    """Return a white PNG with one bit per pixel: a side of 13,000 pixels is 20 KiB, and 500 MB as RGB."""
    return raw_png((side, side), 1, 0, (b"\xff" * ((side + 7) // 8) for _ in range(side)))


def deep_png(colour: int, pixel: tuple[int, ...], transparent: bytes = b"", size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a PNG with 16 bits per channel, all pixels equal."""
    row = struct.pack(f">{len(pixel)}H", *pixel) * size[0]
    key = chunk(b"tRNS", transparent) if transparent else b""
    return raw_png(size, 16, colour, (row for _ in range(size[1])), before=key)


def text_bomb(kind: bytes, mib: int) -> bytes:
    """Return a PNG with `mib` MiB of text in one chunk, compressed by a factor of a thousand."""
    head = b"Comment\x00\x00" if kind == b"zTXt" else b"Comment\x00\x01\x00\x00\x00"
    return with_chunks(chunk(kind, head + zlib.compress(b"A" * (mib << 20), 9)))


# JPEG and WebP


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(*segments: bytes) -> bytes:
    """Return the ordinary JPEG with `segments` right after its first marker."""
    return jpeg()[:2] + b"".join(segments) + jpeg()[2:]


def jpeg_header(width: int, height: int) -> bytes:
    """Return a JPEG that ends before its pixels."""
    return b"\xff\xd8" + segment(0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00")


def many_scans(side: int, scans: int) -> bytes:
    """Return a progressive JPEG with a repeated last scan: the decoder passes over all pixels for each."""
    data = encode(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def webp_header(kind: bytes, width: int, height: int) -> bytes:
    """Return a WebP whose first chunk declares a canvas, without image data."""
    if kind == b"VP8X":
        body = b"\x00" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif kind == b"VP8L":
        body = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + b"\x00" * 5
    else:
        body = b"\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", width, height)
    inner = b"WEBP" + kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


# Metadata


def exif(orientation: int = 1) -> bytes:
    """Return EXIF with an orientation, a location, a maker's note and a comment."""
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.Make] = SECRET.decode()
    tags.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    tags.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base.MakerNote: SECRET, ExifTags.Base.UserComment: SECRET})
    return tags.tobytes()


def xmp() -> bytes:
    return b"<x:xmpmeta xmlns:x='http://ns.adobe.com/xap/1.0/'>" + SECRET + b"</x:xmpmeta>"


def iptc() -> bytes:
    record = b"\x1c\x02\x78" + struct.pack(">H", len(SECRET)) + SECRET
    return segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + struct.pack(">I", len(record)) + record)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """Return sRGB with red and blue primaries swapped, under another name: red must be converted to blue."""
    profile = bytearray(srgb_profile())
    tags = {bytes(profile[at : at + 4]): at + 4 for at in range(132, 132 + 12 * profile[131], 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    profile[red : red + 8], profile[blue : blue + 8] = profile[blue : blue + 8], profile[red : red + 8]
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be"))


def oriented(name: str, orientation: int) -> bytes:
    """Return the scene stored so that applying `orientation` makes it upright (EXIF 2.32, tag 0x0112)."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = scene() if orientation == 1 else scene().transpose(undo[orientation])
    return encode(image, name, exif=exif(orientation), quality=95)


def animated(name: str) -> bytes:
    """Two frames, the scene and a black one."""
    return encode(scene(), name, save_all=True, append_images=[Image.new("RGB", (64, 48))], duration=100)


def mpo() -> bytes:
    return encode(scene(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))], quality=95)


def ycck() -> bytes:
    """A CMYK JPEG whose Adobe marker says YCCK."""
    data = bytearray(encode(scene("CMYK"), "JPEG"))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)
