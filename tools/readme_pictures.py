"""Make the README's before-and-after pictures: a photo beside the demo provider's result.

    .venv/bin/python -m tools.readme_pictures docs/pictures chelsea.png=avenger/noir coffee.png=scenes/starry-night

writes docs/pictures/chelsea-avenger-noir.jpg and docs/pictures/coffee-scenes-starry-night.jpg. The output is
deterministic for a photo, a style and a version of Pillow.
"""

import argparse
import asyncio
import io
from pathlib import Path

from PIL import Image

from services.integrations.providers.demo.provider import DemoProvider
from services.integrations.providers.protocol import FinalImage, ImageRequest, ReferencePhoto

WIDTH = 900  # pixels, both pictures together
GAP = 12  # pixels between the two pictures
QUALITY = 82  # keeps each file under 150 KB


async def transform(photo: Path, style: str) -> Image.Image:
    """Return the demo provider's result for `photo` in `style` ("collection/slug")."""
    data = await asyncio.to_thread(photo.read_bytes)
    with Image.open(io.BytesIO(data)) as picture:
        reference = ReferencePhoto(data, picture.get_format_mimetype() or "", *picture.size)
    request = ImageRequest(generation_id=f"readme {photo.stem} {style}", prompt="", style=style, reference=reference)
    provider = DemoProvider(seconds=0)
    try:
        events = [event async for event in provider.generate(request)]
    finally:
        await provider.aclose()
    final = events[-1]
    if not isinstance(final, FinalImage):
        raise RuntimeError("the demo provider returned no image")
    return Image.open(io.BytesIO(final.data))


def side_by_side(before: Image.Image, after: Image.Image) -> Image.Image:
    """Return both images in one row on white, WIDTH pixels wide with a gap between them."""
    width = (WIDTH - GAP) // 2
    height = round(width * before.height / before.width)
    row = Image.new("RGB", (WIDTH, height), (255, 255, 255))
    for place, picture in enumerate((before, after)):
        row.paste(picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS), (place * (width + GAP), 0))
    return row


def main() -> None:
    """Write one JPEG for each PHOTO=STYLE argument."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pairs", nargs="+", metavar="PHOTO=STYLE")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for pair in arguments.pairs:
        path, _, style = pair.rpartition("=")
        photo = Path(path)
        target = arguments.folder / f"{photo.stem}-{style.replace('/', '-')}.jpg"
        with Image.open(photo) as before:
            row = side_by_side(before, asyncio.run(transform(photo, style)))
        row.save(target, "JPEG", quality=QUALITY, optimize=True, progressive=True)
        print(f"{target}: {target.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
