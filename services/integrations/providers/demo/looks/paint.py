"""Painting styles for free prompts, selected by a word or at random, and the fallback look for unknown styles."""

import math
import random
from collections.abc import Callable

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from services.integrations.providers.demo.looks.drawing import Drawing
from services.integrations.providers.demo.looks.light import glow, vignette
from services.integrations.providers.demo.looks.scene import compose_scene, matches, scene_for
from services.integrations.providers.demo.looks.smooth import cel, ink, smooth
from services.integrations.providers.demo.looks.texture import clouds, grain, noise
from services.integrations.providers.demo.looks.tone import Colour, apply_curve, contrast, flat, grade, mix, saturate

Painter = Callable[[Drawing, Image.Image], Image.Image]


def free(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """Draw what the prompt selects: a painting style by name, else a scene, else a random painting style."""
    for painter, words in _PAINTERS:
        if matches(drawing.prompt, words):
            return painter(drawing, photo)
    scene = scene_for(drawing.prompt)
    if scene is not None:
        return compose_scene(scene, drawing, photo)
    return random.Random(drawing.prompt).choice(_PAINTERS)[0](drawing, photo)


def oil(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """Strokes that follow the forms, large ones first, thin ones where there is detail."""
    rich = saturate(contrast(smooth(photo, drawing.unit // 90, 300), 3.5), 1.6)
    picture = grade(rich, (44, 24, 50), (255, 240, 204), 0.16)
    ground = picture.filter(ImageFilter.GaussianBlur(drawing.unit * 0.02))
    ground = ground.resize((drawing.width * 2, drawing.height * 2), Image.Resampling.BILINEAR)
    for spacing, length, width in ((0.02, 0.05, 0.021), (0.0105, 0.026, 0.010), (0.0045, 0.009, 0.0038)):
        _strokes(ground, picture, drawing, spacing, length, width)
    painted = ground.reduce(2)
    relief = ImageChops.subtract(painted.convert("L"), ImageChops.offset(painted.convert("L"), 2, 2), 1, 128)
    varnished = ImageChops.hard_light(painted, Image.merge("RGB", (relief, relief, relief)))
    return vignette(Image.blend(painted, varnished, 0.6), 0.3)


def _strokes(
    ground: Image.Image, picture: Image.Image, drawing: Drawing, spacing: float, length: float, width: float
) -> None:
    """Paint one layer of strokes over `ground` (twice the drawing's size); all three measures in short sides."""
    columns = max(2, round(drawing.width / (drawing.unit * spacing)))
    rows = max(2, round(drawing.height / (drawing.unit * spacing)))
    few = picture.resize((columns, rows), Image.Resampling.BOX)
    colours = few.tobytes()
    grey = few.convert("L").filter(ImageFilter.GaussianBlur(1.5)).tobytes()
    pen = ImageDraw.Draw(ground)
    order = list(range(columns * rows))
    drawing.rng.shuffle(order)
    chance = drawing.rng.random
    fine = spacing < 0.008
    for place in order:
        row, column = divmod(place, columns)
        left, right = max(0, column - 1), min(columns - 1, column + 1)
        top, bottom = max(0, row - 1), min(rows - 1, row + 1)
        slope_x = grey[row * columns + right] - grey[row * columns + left]
        slope_y = grey[bottom * columns + column] - grey[top * columns + column]
        steep = math.hypot(slope_x, slope_y)
        if fine and steep < 3:
            continue
        angle = math.atan2(slope_x, -slope_y) if steep > 3 else 0.7 + math.sin(column / columns * 5 + row / rows * 4)
        angle += (chance() - 0.5) * 0.5
        reach = length * drawing.unit * (0.7 + chance() * 0.6)
        shade = 0.9 + chance() * 0.2
        x = (column + chance()) * ground.width / columns
        y = (row + chance()) * ground.height / rows
        ends = (
            x - math.cos(angle) * reach,
            y - math.sin(angle) * reach,
            x + math.cos(angle) * reach,
            y + math.sin(angle) * reach,
        )
        colour = tuple(min(255, int(value * shade)) for value in colours[place * 3 : place * 3 + 3])
        pen.line(ends, fill=colour, width=max(1, round(width * drawing.unit * 2)))


def watercolour(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """Thin washes that pool at their edges, on rough paper left white at the margins."""
    washes = smooth(smooth(photo, drawing.unit // 34, 900), drawing.unit // 80, 400)
    washes = apply_curve(saturate(washes, 1.55), lambda value: 0.2 + 0.8 * value**0.66)
    blots = apply_curve(clouds(photo.size, drawing.rng, 16), lambda value: 0.4 + value * 0.26)
    uneven = ImageChops.soft_light(cel(washes, 6, 7), Image.merge("RGB", (blots, blots, blots)))
    pooled = ink(washes.convert("L"), drawing.unit / 130, 1.0)
    pooled = apply_curve(pooled, lambda value: 0.66 + 0.34 * value)
    pencil = apply_curve(ink(photo.convert("L"), drawing.unit / 420, 0.8), lambda value: 0.6 + 0.4 * value)
    lines = ImageChops.multiply(pooled, pencil)
    painted = ImageChops.multiply(uneven, Image.merge("RGB", (lines, lines, lines)))
    tooth = noise(photo.size, drawing.rng).filter(ImageFilter.GaussianBlur(1.3))
    tooth = apply_curve(tooth, lambda value: 0.5 + (value - 0.5) * 0.55)
    painted = ImageChops.soft_light(painted, Image.merge("RGB", (tooth, tooth, tooth)))
    edge = Image.new("L", photo.size, 0)
    gap = round(drawing.unit * 0.07)
    edge.paste(255, (gap, gap, max(gap + 1, drawing.width - gap), max(gap + 1, drawing.height - gap)))
    edge = edge.filter(ImageFilter.GaussianBlur(drawing.unit * 0.035))
    fringe = apply_curve(clouds(photo.size, drawing.rng, 40), lambda value: 0.32 + value * 0.36)
    ragged = ImageChops.add(edge, fringe, 1, -128)
    ragged = apply_curve(ragged, lambda value: (value - 0.4) * 7)
    return Image.composite(painted, flat(painted, (252, 249, 240)), ragged)


def pencil(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """Coloured pencil: hatching in two directions, darker where the photo is, on warm paper."""
    grey = smooth(photo, drawing.unit // 160, 150).convert("L")
    hatch = noise((drawing.width * 2, drawing.height * 2), drawing.rng)
    first = _slanted(hatch, photo.size, 52)
    second = _slanted(hatch, photo.size, -34)
    tone = apply_curve(grey, lambda value: 0.1 + 0.95 * value**0.8)
    light = apply_curve(ImageChops.add(tone, first, 1, -118), lambda value: 0.14 + 0.9 * value)
    deep = apply_curve(ImageChops.add(tone, second, 1, -96), lambda value: 0.3 + 0.8 * value)
    drawn = ImageChops.multiply(light, deep)
    drawn = ImageChops.multiply(drawn, ink(grey, drawing.unit / 400, 1.3))
    lead = drawing.rng.choice(((34, 36, 54), (70, 40, 34), (30, 54, 70)))
    page = grade(Image.merge("RGB", (drawn, drawn, drawn)), lead, (250, 243, 228), 1.0)
    tint = apply_curve(saturate(smooth(photo, drawing.unit // 50, 800), 1.4), lambda value: 0.4 + 0.6 * value)
    return Image.blend(page, ImageChops.multiply(page, tint), 0.6)


def _slanted(specks: Image.Image, size: tuple[int, int], angle: float) -> Image.Image:
    """Return noise stretched into parallel lines at an angle in degrees, of this `size`."""
    long = max(size) * 3 // 2
    lines = specks.crop((0, 0, min(specks.width, long // 14), min(specks.height, long)))
    lines = lines.resize((long, long), Image.Resampling.BICUBIC).rotate(angle, Image.Resampling.BILINEAR)
    left, top = (long - size[0]) // 2, (long - size[1]) // 2
    return lines.crop((left, top, left + size[0], top + size[1]))


def poster(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """A screen print in five inks, light colours under dark ones."""
    palettes: tuple[tuple[Colour, ...], ...] = (
        ((24, 24, 70), (208, 42, 92), (255, 120, 70), (255, 202, 92), (255, 246, 222)),
        ((16, 44, 66), (20, 120, 130), (86, 190, 160), (250, 190, 90), (255, 246, 222)),
        ((50, 16, 76), (126, 50, 170), (246, 90, 160), (110, 220, 240), (250, 250, 236)),
    )
    inks = drawing.rng.choice(palettes)
    grey = contrast(smooth(smooth(photo, drawing.unit // 60, 500), drawing.unit // 130, 200).convert("L"), 3.5)
    print_ = flat(photo, inks[-1])
    for step, colour in enumerate(reversed(inks[:-1])):
        limit = 0.74 - step * 0.185
        film = grey.point([max(0, min(255, round((limit - value / 255) * 255 * 16 + 128))) for value in range(256)])
        print_ = Image.composite(flat(photo, colour), print_, film)
    return grain(print_, drawing.rng, 0.06)


def mosaic(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """Small glazed tiles with light joints."""
    rich = saturate(contrast(photo, 4.5), 1.7)
    side = max(6, drawing.unit // 62)
    columns, rows = max(1, round(drawing.width / side)), max(1, round(drawing.height / side))
    colours = rich.resize((columns, rows), Image.Resampling.BOX).tobytes()
    large = Image.new("RGB", (drawing.width * 2, drawing.height * 2), (96, 88, 84))
    pen = ImageDraw.Draw(large)
    step_x, step_y = large.width / columns, large.height / rows
    for place in range(columns * rows):
        row, column = divmod(place, columns)
        shade = 0.84 + drawing.rng.random() * 0.32
        colour = tuple(min(255, int(value * shade)) for value in colours[place * 3 : place * 3 + 3])
        points = []
        for x, y in ((0.03, 0.03), (0.97, 0.03), (0.97, 0.97), (0.03, 0.97)):
            points.append(
                (
                    (column + x + drawing.rng.uniform(-0.05, 0.05)) * step_x,
                    (row + y + drawing.rng.uniform(-0.05, 0.05)) * step_y,
                )
            )
        pen.polygon(points, fill=colour)
        shine = tuple(min(255, value + 46) for value in colour)
        pen.line((points[0], points[1]), fill=shine, width=max(1, side // 5))
    return large.reduce(2)


def darkroom(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """A toned print with a leak of light at one edge and a white border: the look of unknown styles."""
    toner = drawing.rng.choice(((40, 24, 54), (20, 40, 60), (60, 30, 26)))
    leak = drawing.rng.choice(((255, 120, 60), (255, 70, 110), (255, 170, 70)))
    print_ = grade(contrast(saturate(photo, 0.6), 5.0), toner, (255, 238, 212), 0.6)
    for _ in range(3):
        x, y = drawing.rng.choice((0.0, 1.0)) * drawing.width, drawing.rng.random() * drawing.height
        glow(print_, x, y, drawing.unit * drawing.rng.uniform(0.35, 0.65), leak, 0.8)
    print_ = grain(vignette(print_, 0.5, mix(toner, (0, 0, 0), 0.5)), drawing.rng, 0.1)
    margin = max(2, round(drawing.unit * 0.045))
    card = flat(print_, (250, 246, 238))
    inner = (max(1, drawing.width - 2 * margin), max(1, drawing.height - 2 * margin))
    card.paste(print_.resize(inner, Image.Resampling.LANCZOS), (margin, margin))
    return card


_PAINTERS: tuple[tuple[Painter, tuple[str, ...]], ...] = (
    (watercolour, ("watercolour", "watercolor", "水彩")),
    (pencil, ("pencil", "sketch", "素描", "铅笔")),
    (mosaic, ("mosaic", "马赛克")),
    (poster, ("poster", "pop art", "海报", "波普")),
    (oil, ("oil painting", "oil", "impressionist", "油画")),
)
