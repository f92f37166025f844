"""Builders of photos as phones and cameras send them: large, cut off, HEIC, AVIF, and PNGs with colour spaces."""

import io
import struct
from typing import Any

import pillow_heif
from PIL import Image, ImageDraw

from tests.support.corpus.pictures import chunk, encode, noise, raw_png, scene, srgb_profile

pillow_heif.register_heif_opener()


def landscape(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """Return a small drawing scaled up: it compresses well, and is not flat."""
    small = Image.new("RGB", (96, 96), (120, 170, 220))
    draw = ImageDraw.Draw(small)
    draw.rectangle((0, 60, 96, 96), fill=(70, 120, 60))
    draw.ellipse((30, 20, 66, 56), fill=(240, 200, 90))
    return small.convert(mode).resize(size, Image.Resampling.BICUBIC)


def textured(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """Return a drawing with the grain of a photo."""
    return Image.blend(landscape(size), noise("L", size).convert("RGB"), 0.1).convert(mode)


def photo_jpeg(size: tuple[int, int], **options: Any) -> bytes:
    return encode(landscape(size), "JPEG", **({"quality": 60} | options))


def heic(image: Image.Image | None = None, **options: Any) -> bytes:
    return encode(image or scene(), "HEIF", quality=90, enc_params={"preset": "ultrafast"}, **options)


def heic_burst() -> bytes:
    """Return a HEIC file with two images, of which the second is the primary one."""
    heif = pillow_heif.from_pillow(Image.new("RGB", (64, 48)))
    heif.add_from_pillow(scene())
    out = io.BytesIO()
    heif.save(out, quality=90, primary_index=1)
    return out.getvalue()


def avif(image: Image.Image | None = None, **options: Any) -> bytes:
    return encode(image or scene(), "AVIF", quality=90, speed=10, **options)


def gamma_chunk(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def grey_png(value: int, before: bytes, *, kind: str = "rgb") -> bytes:
    """Return a flat grey PNG with colour chunks; `kind`: rgb, grey, palette, deep (16-bit grey) or rgba."""
    size = (8, 8)
    if kind == "palette":
        return raw_png(size, 8, 3, [b"\0" * 8] * 8, before=before + chunk(b"PLTE", bytes([value] * 3)))
    pixel, depth, colour = {
        "rgb": (bytes([value] * 3), 8, 2),
        "grey": (bytes([value]), 8, 0),
        "deep": (struct.pack(">H", value * 257), 16, 0),
        "rgba": (bytes([value] * 3 + [128]), 8, 6),
    }[kind]
    return raw_png(size, depth, colour, [pixel * 8] * 8, before=before)


LINEAR = gamma_chunk(1.0)


def srgb_profile_chunk() -> bytes:
    """Return the iCCP chunk that Pillow writes for sRGB."""
    data = encode(Image.new("RGB", (1, 1)), "PNG", icc_profile=srgb_profile())
    start = data.index(b"iCCP") - 4
    return data[start : start + 12 + int.from_bytes(data[start : start + 4], "big")]
