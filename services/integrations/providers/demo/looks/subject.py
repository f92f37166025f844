"""Find the subject of a photo: iteratively, by the colours that occur in the middle and not at the edges."""

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageMath

from services.integrations.providers.demo.looks.smooth import follow
from services.integrations.providers.demo.looks.tone import apply_curve, curve

_SIDE = 160  # pixels; enough for a search by colour
_COLOURS = 32
_ROUNDS = 3
_CELL = 40  # pixels of a neighbourhood
_STEPS = (8, 5, 3)  # grey levels, three bands together, between two neighbours on one wall
_WALL_LIMIT = 0.2  # of the image's middle; a wall that covers more has leaked into the subject
# Outside these shares of the image, the search has failed (everything or nothing is subject): an oval is used instead.
_SMALLEST, _LARGEST = 0.12, 0.88


def subject_mask(photo: Image.Image) -> Image.Image:
    """Return a mask that is white where the subject is, with soft edges along the photo's; as large as `photo`."""
    shrink = _SIDE / max(photo.size)
    size = (max(8, round(photo.width * shrink)), max(8, round(photo.height * shrink)))
    small = photo.resize(size, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(1))
    rough = _search(small)
    if not _SMALLEST <= _share(rough) <= _LARGEST:
        rough = _oval(size, 0.5, 0.54, 0.37, 0.44).filter(ImageFilter.GaussianBlur(min(size) * 0.04))
    mask = follow(rough.resize(photo.size, Image.Resampling.BICUBIC), photo.convert("L"), max(photo.size) // 48)
    return mask.point(curve(lambda value: (value - 0.27) / 0.47))


def _search(small: Image.Image) -> Image.Image:
    size = small.size
    indexed = small.quantize(_COLOURS, Image.Quantize.MEDIANCUT)
    index = Image.frombytes("L", size, indexed.tobytes())
    edges = Image.new("L", size, 0)
    pen = ImageDraw.Draw(edges)
    width, height = size
    pen.rectangle((0, 0, width, height * 0.08), fill=255)
    pen.rectangle((0, 0, width * 0.1, height * 0.7), fill=255)  # below that a portrait's shoulders may reach the edge
    pen.rectangle((width * 0.9, 0, width, height * 0.7), fill=255)
    inside = _oval(size, 0.5, 0.55, 0.26, 0.36)
    wall = _wall(small, inside)
    elsewhere = ImageChops.invert(wall)
    inside, edges = ImageChops.multiply(inside, elsewhere), ImageChops.lighter(edges, wall)
    outside = edges
    likely = ImageChops.lighter(_oval(size, 0.5, 0.46, 0.3, 0.41), _oval(size, 0.5, 0.8, 0.47, 0.44))
    likely = likely.filter(ImageFilter.GaussianBlur(width * 0.09))
    likely = likely.point(curve(lambda value: value * 1.15 + 0.16))
    core = _oval(size, 0.5, 0.55, 0.2, 0.3).filter(ImageFilter.GaussianBlur(width * 0.07))
    core = core.point(curve(lambda value: value * 0.75))
    found = inside
    for _ in range(_ROUNDS):
        overall = index.point(_odds(index.histogram(inside), index.histogram(outside)))
        chance = Image.blend(overall, _local_odds(index, inside, outside), 0.5)
        chance = ImageChops.multiply(chance.filter(ImageFilter.GaussianBlur(2.5)), likely)
        chance = ImageChops.lighter(chance, core)
        chance = ImageChops.multiply(chance, apply_curve(elsewhere, lambda value: 0.35 + 0.65 * value))
        found = chance.point(curve(lambda value: float(value > 0.46))).filter(ImageFilter.MedianFilter(5))
        inside = ImageChops.multiply(ImageChops.multiply(found, elsewhere), _oval(size, 0.5, 0.58, 0.4, 0.5))
        outside = ImageChops.lighter(edges, ImageChops.invert(found.filter(ImageFilter.MaxFilter(9))))
    return _without_holes(found).filter(ImageFilter.GaussianBlur(1.5))


def _share(mask: Image.Image) -> float:
    """Return the share of a mask that is bright, 0 to 1."""
    return sum(level * count for level, count in enumerate(mask.histogram())) / (255 * mask.width * mask.height)


def _wall(small: Image.Image, middle: Image.Image) -> Image.Image:
    """Return the smooth surroundings, with the longest steps that do not leak into the subject; black if all do."""
    for step in _STEPS:
        wall = _reached(small, step)
        if _share(ImageChops.multiply(wall, middle)) <= _WALL_LIMIT * _share(middle):
            return wall
    return Image.new("L", small.size, 0)


def _reached(small: Image.Image, longest: int) -> Image.Image:
    """Return what is connected to the upper edges by small colour steps: a wall or a sky, however it is lit."""
    width, height = small.size
    pixels = small.filter(ImageFilter.GaussianBlur(1)).tobytes()
    upper = range(0, round(height * 0.55) * width, width)
    border = {*range(width), *upper, *(row + width - 1 for row in upper)}
    seen = bytearray(width * height)
    for place in border:
        seen[place] = 255
    waiting = sorted(border)
    while waiting:
        place = waiting.pop()
        red, green, blue = pixels[place * 3], pixels[place * 3 + 1], pixels[place * 3 + 2]
        column = place % width
        for beside, there in (
            (place - 1, column > 0),
            (place + 1, column < width - 1),
            (place - width, place >= width),
            (place + width, place + width < width * height),
        ):
            if there and not seen[beside]:
                step = abs(pixels[beside * 3] - red) + abs(pixels[beside * 3 + 1] - green)
                if step + abs(pixels[beside * 3 + 2] - blue) < longest:
                    seen[beside] = 255
                    waiting.append(beside)
    return Image.frombytes("L", small.size, bytes(seen))


def _odds(inside: list[int], outside: list[int]) -> list[int]:
    """Return for each colour of the palette how likely it belongs to the subject, 0 to 255."""
    all_inside, all_outside = max(1, sum(inside)), max(1, sum(outside))
    table = []
    for within, beyond in zip(inside, outside, strict=True):
        there, elsewhere = within / all_inside, beyond / all_outside
        table.append(round(255 * there / (there + elsewhere + 1e-6)))
    return table


def _local_odds(index: Image.Image, inside: Image.Image, outside: Image.Image) -> Image.Image:
    """Return the same odds by neighbourhood: a grey wall beside a face is not part of a grey coat below it."""
    chance = Image.new("L", index.size, 0)
    cells = (max(2, index.width // _CELL), max(2, index.height // _CELL))
    for colour in range(_COLOURS):
        here = index.point([255 if value == colour else 0 for value in range(256)])
        there = ImageChops.multiply(here, inside).convert("F").resize(cells, Image.Resampling.BOX)
        elsewhere = ImageChops.multiply(here, outside).convert("F").resize(cells, Image.Resampling.BOX)
        odds = ImageMath.lambda_eval(
            lambda args: 255 * (args["a"] + 0.4) / (args["a"] + args["b"] + 0.8), a=there, b=elsewhere
        )
        chance.paste(odds.resize(index.size, Image.Resampling.BILINEAR).convert("L"), (0, 0), here)
    return chance


def _without_holes(found: Image.Image) -> Image.Image:
    """Fill holes: after closing gaps, what the background cannot reach from the top or the sides is subject, too."""
    closed = found.filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.MinFilter(9))
    framed = Image.new("L", (found.width + 2, found.height + 1), 0)  # no strip at the bottom: a bust ends there
    framed.paste(closed, (1, 1))
    ImageDraw.floodfill(framed, (0, 0), 128)
    filled = framed.point([0 if value == 128 else 255 for value in range(256)])
    return ImageChops.lighter(found, filled.crop((1, 1, found.width + 1, found.height + 1)))


def _oval(size: tuple[int, int], x: float, y: float, across: float, down: float) -> Image.Image:
    mask = Image.new("L", size, 0)
    width, height = size
    box = ((x - across) * width, (y - down) * height, (x + across) * width, (y + down) * height)
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return mask
