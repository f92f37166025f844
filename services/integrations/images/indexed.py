"""Images of few colours, for which PNG has palettes."""

from typing import Any

from PIL import Image

MAX_COLOURS = 256
MAX_GREYS = 16  # with four bits for each pixel; a grey image with more is smaller without a palette


def with_palette(image: Image.Image, limit: int) -> Image.Image | None:
    """Return an image of mode L, LA, RGB or RGBA with a palette and the same colours; None if it has more than `limit`.

    Pillow's own conversions compare six bits of each channel.
    """
    greys = _colours(image, limit)
    if greys is None:
        return None
    if image.mode == "L":
        table = [greys.index(value) if value in greys else 0 for value in range(256)]
        return _indexed(image.size, image.point(table).tobytes(), [(grey, grey, grey) for grey in greys])
    image = image.convert("RGBA")
    # Transparent ones first, because PNG's list of alpha values ends with the last one that is not opaque.
    palette = sorted(_colours(image, limit) or [], key=lambda colour: int(colour[3]))
    index = {int.from_bytes(bytes(colour), "little"): at for at, colour in enumerate(palette)}
    pixels = memoryview(image.tobytes()).cast("I")
    indexed = _indexed(image.size, bytes(map(index.__getitem__, pixels)), [colour[:3] for colour in palette])
    alphas = bytes(colour[3] for colour in palette if colour[3] < 255)
    if alphas:
        indexed.info["transparency"] = alphas
    return indexed


def _colours(image: Image.Image, limit: int) -> list[Any] | None:
    """Return the colours in use, most frequent first, which compresses best; None if there are more than `limit`."""
    found = image.getcolors(limit)  # stops at the limit
    return None if found is None else [colour for _, colour in sorted(found, reverse=True)]


def _indexed(size: tuple[int, int], pixels: bytes, palette: list[tuple[int, int, int]]) -> Image.Image:
    indexed = Image.frombytes("P", size, pixels)
    indexed.putpalette(bytes(channel for colour in palette for channel in colour))
    return indexed
