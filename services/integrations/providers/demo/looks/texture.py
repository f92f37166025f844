"""Surfaces: film grain, clouds of noise, printed dots, and fur made of thousands of short hairs."""

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from services.integrations.providers.demo.looks.tone import curve


def noise(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Return uniform noise, one value per pixel; Pillow's effect_noise cannot be seeded."""
    width, height = size
    return Image.frombytes("L", size, rng.randbytes(width * height))


def clouds(size: tuple[int, int], rng: random.Random, cells: int) -> Image.Image:
    """Return soft blotches, about `cells` of them along the long side."""
    width, height = size
    step = max(width, height) / cells
    few = (max(2, round(width / step) + 1), max(2, round(height / step) + 1))
    return noise(few, rng).resize(size, Image.Resampling.BICUBIC)


def grain(picture: Image.Image, rng: random.Random, amount: float) -> Image.Image:
    """Add film grain of `amount` 0..1 of full brightness, which also hides banding in gradients."""
    width, height = picture.size
    specks = noise((max(1, round(width / 1.3)), max(1, round(height / 1.3))), rng)
    specks = specks.resize(picture.size, Image.Resampling.BICUBIC)
    specks = specks.point(curve(lambda value: 0.5 + (value - 0.5) * amount))
    if picture.mode == "RGB":
        specks = Image.merge("RGB", (specks, specks, specks))
    return ImageChops.add(picture, specks, 1, -128)


def fibres(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Return pressed wool: short pale and dark threads in all directions around middle grey."""
    width, height = size
    felt = Image.new("L", size, 128)
    pen = ImageDraw.Draw(felt)
    for _ in range(width * height // 55):
        x, y, angle = rng.random() * width, rng.random() * height, rng.random() * math.tau
        length = rng.uniform(4, 11)
        tone = rng.choice((84, 100, 150, 172))
        pen.line((x, y, x + math.cos(angle) * length, y + math.sin(angle) * length), fill=tone)
    return felt.filter(ImageFilter.GaussianBlur(0.7))


def dots(grey: Image.Image, cell: int, softness: float = 0.1) -> Image.Image:
    """Return printed dots, black on white, larger where `grey` is darker; rows at 45 degrees, `cell` pixels apart."""
    side = cell * 2
    threshold = bytes(
        round(127.5 + 63.7 * (math.cos(math.tau * x / side) + math.cos(math.tau * y / side)))
        for y in range(side)
        for x in range(side)
    )
    tile = Image.frombytes("L", (side, side), threshold)
    lattice = Image.new("L", grey.size)
    lattice.paste(tile, (0, 0))
    filled = side
    while filled < grey.width:  # doubling: a handful of pastes instead of thousands
        lattice.paste(lattice.crop((0, 0, filled, side)), (filled, 0))
        filled *= 2
    filled = side
    while filled < grey.height:
        lattice.paste(lattice.crop((0, 0, grey.width, filled)), (0, filled))
        filled *= 2
    # 0.5 where the photo is exactly as dark as the lattice: that is the rim of a dot.
    against = ImageChops.add(grey, ImageChops.invert(lattice), 2)
    return against.point(curve(lambda value: 0.5 + (value - 0.5) / softness))


def fur(
    ground: Image.Image,
    colours: Image.Image,
    mask: Image.Image,
    rng: random.Random,
    length: float,
    spacing: float = 4.0,
) -> Image.Image:
    """Draw hairs coloured by `colours`, rooted where `mask` is bright, falling over `ground` beyond its edge.

    The three pictures have one size; `length` and `spacing` are pixels. Drawn at twice the size for smooth hairs.
    """
    width, height = ground.size
    columns, rows = max(1, round(width / spacing)), max(1, round(height / spacing))
    roots = colours.resize((columns, rows), Image.Resampling.BOX).tobytes()
    allowed = mask.resize((columns, rows), Image.Resampling.BOX).tobytes()
    swirl = clouds((columns, rows), rng, 9).tobytes()
    large = ground.resize((width * 2, height * 2), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(large)
    step_x, step_y = width * 2 / columns, height * 2 / rows
    chance = rng.random
    for row in range(rows - 1, -1, -1):  # upwards, so that upper hairs fall over the roots of lower ones
        for column in range(columns):
            place = row * columns + column
            if allowed[place] < 128:
                continue
            lean = (column / columns - 0.5) * 1.5 + (swirl[place] - 128) / 110 + (chance() - 0.5) * 0.7
            reach = length * 2 * (0.6 + chance() * 0.7)
            x, y = (column + chance()) * step_x, (row + chance()) * step_y
            shade = 0.74 + chance() * 0.5
            red, green, blue = roots[place * 3], roots[place * 3 + 1], roots[place * 3 + 2]
            colour = (min(255, int(red * shade)), min(255, int(green * shade)), min(255, int(blue * shade)))
            pen.line((x, y, x + math.sin(lean) * reach, y + math.cos(lean) * reach), fill=colour, width=3)
    return large.reduce(2)
