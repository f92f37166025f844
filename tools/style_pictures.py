"""Make the pictures of the styles in profiles/shared: what the demo provider makes of a fixed photo, or draws.

    .venv/bin/python -m tools.style_pictures                # writes profiles/pictures/<collection>/<style>.webp
    .venv/bin/python -m tools.style_pictures --sheet a.png  # and all of them in one image, to look at

The output is deterministic for a version of Pillow. Pictures of styles that no longer exist are removed.
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from services.integrations.providers.demo.picture import DemoPicture
from services.integrations.providers.protocol import ImageRequest, ReferencePhoto
from services.products.collection import load_collection
from services.products.style_picture import MAX_BYTES, PICTURES, SIDE
from services.products.toml_file import SHARED
from settings import PROFILES

PHOTOS = Path(__file__).parent / "photos"
# The photo of each style; a style that is not listed is drawn without one.
PHOTO_OF = {
    "plushify/cute": "astronaut",
    "plushify/realistic": "grace-hopper",
    "plushify/cartoon": "coffee",
    "avenger/classic": "grace-hopper",
    "avenger/cinematic": "astronaut",
    "avenger/noir": "chelsea",
    "avenger/anime": "astronaut",
    "avenger/realistic": "grace-hopper",
    "scenes/cyberpunk-street": "astronaut",
    "sandbox/free": "chelsea",
}
_FACES = (0.5, 0.3)  # of portraits: the part of the photo that a square keeps
_QUALITIES = range(84, 20, -2)  # of WebP, tried in this order
_COLUMNS, _CELL, _LABEL = 6, 264, 14  # of the sheet, in pixels


def styles() -> Iterator[str]:
    """Yield every style of the shared collections as "collection/slug"."""
    for path in sorted((PROFILES / SHARED / "collections").glob("*.toml")):
        collection = load_collection(path)
        yield from (f"{collection.slug}/{style.slug}" for style in collection.styles)


def draw(style: str) -> Image.Image:
    """Return the picture of a style, SIDE pixels wide and high."""
    name, reference = PHOTO_OF.get(style), None
    if name is not None:
        with Image.open(PHOTOS / f"{name}.jpg") as photo:
            square = ImageOps.fit(photo.convert("RGB"), (min(photo.size),) * 2, centering=_FACES)
        data = io.BytesIO()
        square.save(data, "PNG")
        reference = ReferencePhoto(data.getvalue(), "image/png", *square.size)
    request = ImageRequest(
        generation_id=f"picture {style}", prompt="", style=style, reference=reference, aspect_ratio="1:1"
    )
    return DemoPicture.draw(request).image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def encode(picture: Image.Image) -> bytes:
    """Return a WebP of at most MAX_BYTES, of the highest quality that fits."""
    for quality in _QUALITIES:
        data = io.BytesIO()
        picture.save(data, "WEBP", quality=quality, method=6)
        if len(encoded := data.getvalue()) <= MAX_BYTES:
            return encoded
    raise RuntimeError("the picture has too many details")


def sheet(paths: list[Path]) -> Image.Image:
    """Return all pictures in one image, each below its name."""
    lines = -(-len(paths) // _COLUMNS)
    whole = Image.new("RGB", (_COLUMNS * _CELL, lines * (_CELL + _LABEL)), "white")
    pen = ImageDraw.Draw(whole)
    for number, path in enumerate(paths):
        x, y = number % _COLUMNS * _CELL, number // _COLUMNS * (_CELL + _LABEL)
        pen.text((x, y), f"{path.parent.name}/{path.stem} {path.stat().st_size}", "black")
        with Image.open(path) as picture:
            whole.paste(picture.resize((_CELL - 8, _CELL - 8)), (x, y + _LABEL))
    return whole


def main() -> None:
    """Write the picture of every style."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheet", type=Path, help="also write all pictures in one image")
    arguments = parser.parse_args()
    written = []
    for style in styles():
        path = PROFILES / PICTURES / f"{style}.webp"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(draw(style)))
        written.append(path)
        print(f"{path.relative_to(PROFILES.parent)}: {path.stat().st_size} bytes")
    for path in (PROFILES / PICTURES).glob("*/*.webp"):
        if path not in written:
            path.unlink()
            print(f"{path.relative_to(PROFILES.parent)}: removed")
    if arguments.sheet:
        sheet(written).save(arguments.sheet)


if __name__ == "__main__":
    main()
