"""Photographic hero looks: a film still, black and white with one red, a dramatic portrait full of energy."""

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from services.integrations.providers.demo.looks.canvas import Canvas
from services.integrations.providers.demo.looks.drawing import Drawing
from services.integrations.providers.demo.looks.light import flare, glow, ramp, vignette
from services.integrations.providers.demo.looks.power import aura, behind, costume, particles, power_colour
from services.integrations.providers.demo.looks.smooth import ink, outline, shifted, smooth
from services.integrations.providers.demo.looks.subject import subject_mask
from services.integrations.providers.demo.looks.texture import clouds, grain
from services.integrations.providers.demo.looks.tone import (
    Colour,
    apply_curve,
    contrast,
    grade,
    mix,
    read_colours,
    saturate,
    scale_mask,
    screen_tint,
)

_RED: Colour = (220, 16, 30)


def cinematic(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """A film still: teal shadows, orange light, haze, a lens flare, black bars above and below."""
    mask = subject_mask(photo)
    dressed = costume(photo, mask, drawing.variables)
    backdrop = behind(drawing, dressed.filter(ImageFilter.GaussianBlur(drawing.unit * 0.012)), 0.85)
    backdrop = apply_curve(grade(backdrop, (0, 44, 66), (120, 226, 236), 0.72), lambda value: value * 0.8)
    hero = contrast(grade(saturate(dressed, 1.1), (4, 40, 58), (255, 206, 150), 0.42), 5.5, 0.46)
    frame = Image.composite(hero, backdrop, mask.filter(ImageFilter.GaussianBlur(1.5)))
    haze = clouds(frame.size, drawing.rng, 5)
    haze = scale_mask(ImageChops.multiply(haze, ramp(frame.size, 20, 190)), 0.6)
    frame = screen_tint(frame, (150, 96, 50), haze)
    bloom = apply_curve(frame, lambda value: (value - 0.62) * 2.2).filter(ImageFilter.GaussianBlur(drawing.unit * 0.03))
    frame = ImageChops.screen(frame, bloom)
    frame = aura(frame, mask, drawing.variables, drawing.unit, 0.6)
    lamp_x = drawing.rng.choice((0.12, 0.86)) * drawing.width
    flare(frame, lamp_x, drawing.height * drawing.rng.uniform(0.2, 0.34), (110, 190, 255), 0.9)
    for _ in range(26):  # embers
        x, y = drawing.rng.random() * drawing.width, drawing.height * (1 - drawing.rng.random() ** 1.6)
        glow(frame, x, y, drawing.unit * drawing.rng.uniform(0.004, 0.013), (255, 160, 70))
    frame = grain(vignette(frame, 0.75), drawing.rng, 0.09)
    bar = round(drawing.height * 0.085)
    frame.paste((0, 0, 0), (0, 0, drawing.width, bar))
    frame.paste((0, 0, 0), (0, drawing.height - bar, drawing.width, drawing.height))
    return frame


def noir(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """Hard black and white behind window blinds and rain; only what is red stays red."""
    mask = subject_mask(photo)
    wanted = read_colours(drawing.variables.get("costume_color", ""))
    accent = next((colour for colour in wanted if max(colour) - min(colour) > 80), _RED)
    grey = contrast(smooth(photo, drawing.unit // 100, 220).convert("L"), 8.5, 0.5)
    dark = apply_curve(behind(drawing, photo, 0.8).convert("L"), lambda value: value**1.4 * 0.75)
    stage = Image.composite(grey, dark, mask.filter(ImageFilter.GaussianBlur(2)))
    blinds = Canvas(drawing.width, drawing.height)
    slope = drawing.rng.uniform(0.1, 0.2) * drawing.rng.choice((-1, 1))
    for slat in range(-6, 20):
        top = slat * 0.085
        blinds.shape([(0, top), (1, top + slope), (1, top + slope + 0.048), (0, top + 0.048)], (255, 255, 255))
    light = blinds.finish().convert("L").filter(ImageFilter.GaussianBlur(drawing.unit * 0.006))
    light = ImageChops.lighter(light, scale_mask(mask.filter(ImageFilter.GaussianBlur(drawing.unit * 0.05)), 0.8))
    stage = Image.composite(stage, apply_curve(stage, lambda value: value * 0.35), light)
    lines = ink(smooth(photo, drawing.unit // 130, 150).convert("L"), drawing.unit / 300, 0.9)
    stage = ImageChops.multiply(stage, ImageChops.lighter(lines, stage.point([60] * 256)))
    frame = Image.merge("RGB", (stage, stage, stage))
    frame = Image.composite(_one_colour(stage, accent), frame, _redness(photo, mask))
    edge = ImageChops.multiply(mask, ImageChops.invert(shifted(mask, round(drawing.unit * 0.02), 0)))
    edge = edge.filter(ImageFilter.GaussianBlur(drawing.unit * 0.007))
    frame = screen_tint(frame, accent, scale_mask(edge, 1.25))
    side = 0.0 if drawing.rng.random() < 0.5 else 1.0
    glow(frame, side * drawing.width, drawing.height * 0.4, drawing.unit * 0.62, mix(accent, (0, 0, 0), 0.25), 0.8)
    frame = grain(vignette(frame, 0.85), drawing.rng, 0.16)
    return _rain(frame, drawing)


def _one_colour(grey: Image.Image, accent: Colour) -> Image.Image:
    lifted = apply_curve(grey, lambda value: 0.18 + value * 0.85)
    return Image.merge(
        "RGB",
        [
            lifted.point([round(v * (0.25 + 0.75 * c / 255) * (c / 255) ** 0.3) if c else 0 for v in range(256)])
            for c in accent
        ],
    )


def _redness(photo: Image.Image, mask: Image.Image) -> Image.Image:
    """Return a mask of the saturated red parts of the photo, without skin and wood."""
    red, green, blue = photo.filter(ImageFilter.GaussianBlur(1.5)).split()
    above = ImageChops.subtract(red, ImageChops.lighter(green, blue))
    strong = above.point([max(0, min(255, (value - 88) * 7)) for value in range(256)])
    return ImageChops.multiply(strong, mask)


def _rain(frame: Image.Image, drawing: Drawing) -> Image.Image:
    wet = frame.copy()
    pen = ImageDraw.Draw(wet)
    for _ in range(520):
        x, y = drawing.rng.random() * drawing.width * 1.1, drawing.rng.random() * drawing.height
        long = drawing.unit * drawing.rng.uniform(0.02, 0.07)
        tone = drawing.rng.randint(150, 235)
        pen.line((x, y, x - long * 0.22, y + long), fill=(tone, tone, tone))
    return Image.blend(frame, wet.filter(ImageFilter.GaussianBlur(0.6)), 0.5)


def realistic(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """A dramatic portrait: hard local contrast, dark surroundings, energy crackling along the outline."""
    mask = subject_mask(photo)
    power = power_colour(drawing.variables) or drawing.rng.choice(((70, 170, 255), (255, 150, 50), (170, 90, 255)))
    dressed = costume(photo, mask, drawing.variables)
    crisp = dressed.filter(ImageFilter.UnsharpMask(drawing.unit * 0.03, 70, 2)).filter(
        ImageFilter.UnsharpMask(3, 60, 2)
    )
    hero = contrast(grade(saturate(crisp, 0.82), (14, 16, 30), (255, 240, 226), 0.2), 5.0, 0.52)
    storm = clouds(photo.size, drawing.rng, 7)
    around = apply_curve(
        behind(drawing, photo.filter(ImageFilter.GaussianBlur(drawing.unit * 0.02)), 0.8),
        lambda value: value**1.3 * 0.42,
    )
    around = screen_tint(
        grade(around, (6, 6, 14), mix(power, (60, 60, 80), 0.6), 0.6),
        mix(power, (0, 0, 0), 0.3),
        scale_mask(storm, 0.5),
    )
    for step in range(3):
        wide = outline(mask, max(2, round(drawing.unit * (0.012 + 0.03 * step)))).filter(
            ImageFilter.GaussianBlur(drawing.unit * (0.01 + 0.022 * step))
        )
        around = screen_tint(
            around, mix(power, (255, 255, 255), 0.5 - step * 0.22), scale_mask(wide, 0.9 - step * 0.22)
        )
    frame = Image.composite(hero, around, mask)
    inner = ImageChops.multiply(mask, ImageChops.invert(mask.filter(ImageFilter.GaussianBlur(drawing.unit * 0.02))))
    frame = screen_tint(frame, mix(power, (255, 255, 255), 0.35), scale_mask(inner, 1.9))
    frame = _bolts(frame, drawing, power)
    frame = particles(frame, drawing, power, 46, stars=False)
    return grain(vignette(frame, 0.8), drawing.rng, 0.06)


def _bolts(frame: Image.Image, drawing: Drawing, power: Colour) -> Image.Image:
    """Draw lightning from the upper edge down both sides."""
    dark = Image.new("L", frame.size, 0)
    pen = ImageDraw.Draw(dark)
    for side in (0.1, 0.9, drawing.rng.choice((0.2, 0.8))):
        x, y = side * drawing.width, 0.0
        points = [(x, y)]
        while y < drawing.height * 0.8:
            x += drawing.rng.uniform(-0.05, 0.05) * drawing.unit
            y += drawing.rng.uniform(0.02, 0.06) * drawing.unit
            points.append((x, y))
            if drawing.rng.random() < 0.25:
                twig = [(x, y)]
                for _ in range(4):
                    twig.append(
                        (
                            twig[-1][0] + drawing.rng.uniform(-0.04, 0.04) * drawing.unit,
                            twig[-1][1] + 0.025 * drawing.unit,
                        )
                    )
                pen.line(twig, fill=170, width=max(1, drawing.unit // 500))
        pen.line(points, fill=255, width=max(1, drawing.unit // 300))
    halo = scale_mask(dark.filter(ImageFilter.GaussianBlur(drawing.unit * 0.012)), 3.0)
    lit = screen_tint(frame, power, halo)
    return screen_tint(lit, mix(power, (255, 255, 255), 0.75), dark.filter(ImageFilter.GaussianBlur(0.8)))
