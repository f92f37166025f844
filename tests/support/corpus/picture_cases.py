"""Images and their expected results: the sanitizer accepts ORDINARY ones and refuses HOSTILE ones."""

from dataclasses import dataclass
from functools import partial

from PIL import Image

from tests.support.corpus import pictures as make
from tests.support.corpus.pictures import SCRIPT, SECRET, Builder, chunk, encode, scene, segment

# None of this may occur in a stored file: names of metadata blocks in all three formats, and their hidden content.
MARKERS = (
    *(SECRET, SCRIPT, b"<script", b"<?php", b"http://ns.adobe.com", b"GPS", b"8BIM", b"Photoshop", b"PK\x03\x04"),
    *(b"Exif", b"EXIF", b"eXIf", b"XMP ", b"ICC_PROFILE", b"ICCP", b"iCCP", b"tEXt", b"zTXt", b"iTXt"),
    *(b"acTL", b"ANIM", b"MPF\x00", b"\xff\xfe\x00"),
)


@dataclass(frozen=True)
class Accepted:
    """An image that must be accepted; `size` in pixels and `mode` are those of the stored file."""

    name: str
    build: Builder
    format: str
    size: tuple[int, int] = (64, 48)
    mode: str = "RGB"


@dataclass(frozen=True)
class Refused:
    """Bytes that must be refused; `reasons` are names of BadImage, several if they depend on the decoder."""

    name: str
    build: Builder
    reasons: tuple[str, ...]


def saved(name: str, mode: str = "RGB", **options: object) -> Builder:
    return lambda: encode(scene(mode), name, **options)


def literal(data: bytes) -> Builder:
    return lambda: data


def zip_tail() -> bytes:
    return b"PK\x03\x04" + b"\x00" * 26 + SCRIPT + b"PK\x05\x06" + b"\x00" * 18


def damaged_png() -> bytes:
    """Return a PNG with one flipped bit in the compressed pixels, so that the checksum is wrong."""
    data = bytearray(make.png())
    data[data.index(b"IDAT") + 20] ^= 1
    return bytes(data)


PALETTE = scene().quantize(8)

ORDINARY = (
    Accepted("jpeg", make.jpeg, "JPEG"),
    Accepted("jpeg, grey", saved("JPEG", "L"), "JPEG"),
    Accepted("jpeg, progressive", saved("JPEG", progressive=True), "JPEG"),
    Accepted("jpeg, cmyk", saved("JPEG", "CMYK"), "JPEG"),
    Accepted("jpeg, ycck", make.ycck, "JPEG"),
    Accepted("jpeg, mpo", make.mpo, "JPEG"),
    Accepted("jpeg, 1 x 1", lambda: encode(Image.new("RGB", (1, 1)), "JPEG"), "JPEG", (1, 1)),
    Accepted("jpeg, html appended", lambda: make.jpeg() + SCRIPT, "JPEG"),
    Accepted("jpeg, php in the comment", lambda: make.with_segments(segment(0xFE, SCRIPT)), "JPEG"),
    Accepted("jpeg, exif, xmp, gps, maker's note", saved("JPEG", exif=make.exif(), xmp=make.xmp()), "JPEG"),
    Accepted("jpeg, iptc", lambda: make.with_segments(make.iptc()), "JPEG"),
    Accepted("jpeg, icc", saved("JPEG", icc_profile=make.srgb_profile()), "JPEG"),
    Accepted("jpeg, non-sRGB icc", saved("JPEG", icc_profile=make.swapped_profile()), "JPEG"),
    Accepted("jpeg, broken icc", saved("JPEG", icc_profile=SECRET * 9), "JPEG"),
    Accepted("jpeg, cmyk with an rgb icc", saved("JPEG", "CMYK", icc_profile=make.srgb_profile()), "JPEG"),
    Accepted("jpeg, broken exif", saved("JPEG", exif=b"Exif\x00\x00MM\x00*" + b"\xff" * 40), "JPEG"),
    Accepted("jpeg, 3,000 comments", lambda: make.with_segments(*[segment(0xFE, SECRET)] * 3000), "JPEG"),
    Accepted("png", make.png, "PNG"),
    Accepted("png, rgba", saved("PNG", "RGBA"), "PNG", mode="RGBA"),
    Accepted("png, rgba without a transparent pixel", lambda: encode(scene().convert("RGBA"), "PNG"), "PNG"),
    Accepted("png, grey", saved("PNG", "L"), "PNG"),
    Accepted("png, grey and alpha", saved("PNG", "LA"), "PNG", mode="RGBA"),
    Accepted("png, 1 bit", saved("PNG", "1"), "PNG"),
    Accepted("png, palette", lambda: encode(PALETTE, "PNG"), "PNG"),
    Accepted("png, palette and transparency", lambda: encode(PALETTE, "PNG", transparency=0), "PNG", mode="RGBA"),
    Accepted("png, transparent colour", saved("PNG", transparency=(255, 0, 0)), "PNG", mode="RGBA"),
    Accepted("png, 16-bit grey", partial(make.deep_png, 0, (40000,)), "PNG"),
    Accepted("png, 16-bit grey and alpha", partial(make.deep_png, 4, (40000, 30000)), "PNG", mode="RGBA"),
    Accepted("png, 16-bit rgb", partial(make.deep_png, 2, (40000, 20000, 100)), "PNG"),
    Accepted("png, 16-bit rgba", partial(make.deep_png, 6, (40000, 20000, 100, 30000)), "PNG", mode="RGBA"),
    Accepted("png, 16-bit grey, colour key", partial(make.deep_png, 0, (40000,), b"\x9c\x40"), "PNG"),
    Accepted("png, 16-bit rgb, colour key", partial(make.deep_png, 2, (9, 8, 40000), b"\0\x09\0\x08\x9c\x40"), "PNG"),
    Accepted("png, animated", partial(make.animated, "PNG"), "PNG"),
    Accepted("png, zip appended", lambda: make.png() + zip_tail(), "PNG"),
    Accepted("png, exif", saved("PNG", exif=make.exif()), "PNG"),
    Accepted(
        "png, xmp", lambda: make.with_chunks(chunk(b"iTXt", b"XML:com.adobe.xmp" + b"\0" * 5 + make.xmp())), "PNG"
    ),
    Accepted("png, icc", saved("PNG", icc_profile=make.swapped_profile()), "PNG"),
    Accepted("png, rgba and icc", saved("PNG", "RGBA", icc_profile=make.swapped_profile()), "PNG", mode="RGBA"),
    Accepted("png, broken icc", lambda: make.with_chunks(chunk(b"iCCP", b"x\0\0" + SECRET)), "PNG"),
    Accepted("png, negative dpi", lambda: make.with_chunks(chunk(b"pHYs", b"\xff" * 8 + b"\1")), "PNG"),
    Accepted("png, fewer rows than declared", partial(make.raw_png, (64, 48), 8, 2, [b"\0" * 192] * 20), "PNG"),
    Accepted("png, text", lambda: make.with_chunks(chunk(b"tEXt", b"Comment\0" + SCRIPT)), "PNG"),
    Accepted("png, 100,000 chunks", lambda: make.with_chunks(chunk(b"prVt", b"") * 100_000), "PNG"),
    Accepted("png, 65,500 x 1", lambda: encode(Image.new("RGB", (65500, 1)), "PNG"), "PNG", (4096, 1)),
    Accepted("png, 8192 x 1", lambda: encode(Image.new("RGB", (8192, 1)), "PNG"), "PNG", (4096, 1)),
    Accepted("png, 1 x 8192", lambda: encode(Image.new("RGB", (1, 8192)), "PNG"), "PNG", (1, 4096)),
    Accepted("png, 5000 x 3000", lambda: encode(Image.new("RGB", (5000, 3000)), "PNG"), "PNG", (4096, 2458)),
    Accepted("webp", make.webp, "WEBP"),
    Accepted("webp, lossless", saved("WEBP", lossless=True), "WEBP"),
    Accepted("webp, rgba", saved("WEBP", "RGBA"), "WEBP", mode="RGBA"),
    Accepted("webp, animated", partial(make.animated, "WEBP"), "WEBP"),
    Accepted("webp, exif, xmp, icc", saved("WEBP", exif=make.exif(), xmp=make.xmp(), icc_profile=SECRET), "WEBP"),
    Accepted("webp, html appended", lambda: make.webp() + SCRIPT, "WEBP"),
    *(
        Accepted(f"{name.lower()}, orientation {orientation}", partial(make.oriented, name, orientation), name)
        for name in ("JPEG", "PNG", "WEBP")
        for orientation in range(1, 9)
    ),
)

UNSUPPORTED = ("UNSUPPORTED_FORMAT",)
TOO_LARGE = ("TOO_MANY_PIXELS",)
DAMAGED = ("DAMAGED",)

HOSTILE = (
    Refused("nothing", literal(b""), ("EMPTY",)),
    Refused("one byte", literal(b"\xff"), UNSUPPORTED),
    Refused("text", literal(b"just words, named cat.png"), UNSUPPORTED),
    Refused("svg", literal(b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"), UNSUPPORTED),
    Refused("html", literal(b"<!doctype html>" + SCRIPT), UNSUPPORTED),
    Refused("pdf", saved("PDF"), UNSUPPORTED),
    Refused("eps", saved("EPS"), UNSUPPORTED),
    Refused("psd", literal(b"8BPS\0\1" + b"\0" * 6 + b"\0\3\0\0\0\x30\0\0\0\x40\0\x08\0\3" + b"\0" * 64), UNSUPPORTED),
    Refused("fits", literal(b"SIMPLE  =                    T".ljust(2880)), UNSUPPORTED),
    Refused("tiff", saved("TIFF"), UNSUPPORTED),
    Refused("tiff, lab", lambda: encode(Image.new("LAB", (9, 9)), "TIFF"), UNSUPPORTED),
    Refused("ico", saved("ICO"), UNSUPPORTED),
    Refused("icns", lambda: encode(Image.new("RGBA", (16, 16)), "ICNS"), UNSUPPORTED),
    Refused("bmp", saved("BMP"), UNSUPPORTED),
    Refused("ppm", saved("PPM"), UNSUPPORTED),
    Refused("tga", saved("TGA"), UNSUPPORTED),
    Refused("jpeg 2000", saved("JPEG2000"), UNSUPPORTED),
    Refused("heic, magic only", literal(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64), DAMAGED),
    Refused("avif, magic only", literal(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + b"\0" * 64), DAMAGED),
    Refused("mp4", literal(b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0" * 64), UNSUPPORTED),
    Refused("gif", saved("GIF"), UNSUPPORTED),
    Refused("gifar", lambda: encode(scene(), "GIF") + zip_tail(), UNSUPPORTED),
    Refused("zip", zip_tail, UNSUPPORTED),
    Refused("riff, audio", literal(b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 24), UNSUPPORTED),
    Refused("html, then a png", lambda: b"<html>" + make.png(), UNSUPPORTED),
    Refused("jpeg, magic only", literal(b"\xff\xd8\xff"), DAMAGED),
    Refused("png, magic only", literal(b"\x89PNG\r\n\x1a\n"), DAMAGED),
    Refused("webp, magic only", literal(b"RIFF\0\0\0\0WEBP"), DAMAGED),
    *(
        Refused(f"{name.lower()}, cut at {percent} %", partial(make.noisy_cut, name, percent), DAMAGED)
        for name in ("JPEG", "PNG", "WEBP")
        for percent in (1, 50, 99)
    ),
    Refused("jpeg, header only", partial(make.jpeg_header, 64, 48), DAMAGED),
    Refused("jpeg, 0 x 48", partial(make.jpeg_header, 0, 48), DAMAGED),
    Refused("jpeg, 65,500 x 65,500", partial(make.jpeg_header, 65500, 65500), TOO_LARGE),
    Refused("png, 0 x 48", partial(make.raw_png, (0, 48), 8, 2, [b""]), DAMAGED),
    Refused("png, 65,535 x 65,535", partial(make.raw_png, (65535, 65535), 8, 6, [b""]), TOO_LARGE),
    Refused("png, 2^31 - 1 wide", partial(make.raw_png, (2**31 - 1, 1), 8, 2, [b""]), TOO_LARGE),
    Refused("png, 65,501 x 1", partial(make.raw_png, (65501, 1), 8, 2, [b"\0" * 3 * 65501]), TOO_LARGE),
    Refused("png, 13,000 x 13,000 in 20 KiB", partial(make.bomb, 13_000), TOO_LARGE),
    Refused("png, one row over 50 megapixels", partial(make.raw_png, (8000, 6251), 1, 0, [b""]), TOO_LARGE),
    Refused("png, unknown colour type", partial(make.raw_png, (64, 48), 8, 5, [b"\0" * 192] * 48), DAMAGED),
    Refused("png, one flipped bit", damaged_png, DAMAGED),
    Refused("png, pixels are no zlib", lambda: make.png()[:33] + chunk(b"IDAT", SECRET) + chunk(b"IEND", b""), DAMAGED),
    Refused("png, 200 MiB of zTXt", partial(make.text_bomb, b"zTXt", 200), DAMAGED),
    Refused("png, 200 MiB of iTXt", partial(make.text_bomb, b"iTXt", 200), DAMAGED),
    Refused("webp, 16,383 x 16,383 VP8X", partial(make.webp_header, b"VP8X", 16383, 16383), TOO_LARGE),
    Refused("webp, 16,383 x 16,383 VP8L", partial(make.webp_header, b"VP8L", 16383, 16383), TOO_LARGE),
    Refused("webp, 16,383 x 16,383 VP8", partial(make.webp_header, b"VP8 ", 16383, 16383), TOO_LARGE),
    Refused("webp, over the WebP pixel limit", partial(make.webp_header, b"VP8X", 5000, 4801), TOO_LARGE),
    Refused("webp, header only", partial(make.webp_header, b"VP8 ", 64, 48), DAMAGED),
)
