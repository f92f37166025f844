"""Effects of a hero style's variables: costume colour, background, a glow of power, sparks."""

from collections.abc import Mapping

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from services.integrations.providers.demo.looks.drawing import Drawing
from services.integrations.providers.demo.looks.light import glow, ramp, sparkle
from services.integrations.providers.demo.looks.scene import draw_backdrop, scene_for
from services.integrations.providers.demo.looks.smooth import outline
from services.integrations.providers.demo.looks.tone import Colour, dye, mix, read_colours, scale_mask, screen_tint

_POWERS: dict[str, Colour] = {
    "fire": (255, 110, 30),
    "flame": (255, 110, 30),
    "火": (255, 110, 30),
    "ice": (120, 220, 255),
    "frost": (120, 220, 255),
    "冰": (120, 220, 255),
    "lightning": (120, 170, 255),
    "electric": (120, 170, 255),
    "thunder": (120, 170, 255),
    "电": (120, 170, 255),
    "雷": (120, 170, 255),
    "water": (50, 140, 240),
    "水": (50, 140, 240),
    "wind": (190, 250, 230),
    "flight": (110, 190, 255),
    "nature": (90, 230, 90),
    "shadow": (150, 60, 220),
    "mind": (230, 110, 255),
    "magic": (230, 110, 255),
    "light": (255, 226, 120),
    "光": (255, 226, 120),
    "strength": (255, 80, 60),
    "speed": (255, 210, 40),
    "energy": (90, 220, 255),
}
_OTHERWISE: Colour = (255, 220, 110)


def power_colour(variables: Mapping[str, str]) -> Colour | None:
    """Return the colour of the requested powers; None if none are requested."""
    wanted = variables.get("powers", "").strip().lower()
    if not wanted:
        return None
    for word, colour in _POWERS.items():
        if word in wanted:
            return colour
    return next(iter(read_colours(wanted)), _OTHERWISE)


def backdrop(drawing: Drawing) -> Image.Image | None:
    """Draw the requested background; None if none is requested that can be drawn."""
    scene = scene_for(drawing.variables.get("background", ""))
    return None if scene is None else draw_backdrop(scene, drawing)


def behind(drawing: Drawing, otherwise: Image.Image, share: float) -> Image.Image:
    """Blend the requested background into the look's own backdrop by `share`."""
    place = backdrop(drawing)
    return otherwise if place is None else Image.blend(otherwise, place, share)


def costume(photo: Image.Image, mask: Image.Image, variables: Mapping[str, str]) -> Image.Image:
    """Dye the lower part of the subject, below the face, if a colour is requested."""
    colours = read_colours(variables.get("costume_color", ""))
    if not colours:
        return photo
    below = ramp(photo.size, 0, 255).point([max(0, min(255, (value - 122) * 5)) for value in range(256)])
    cloth = scale_mask(ImageChops.multiply(mask, below), 0.68)
    return dye(photo, colours[0], colours[1] if len(colours) > 1 else colours[0], cloth)


def aura(
    picture: Image.Image, mask: Image.Image, variables: Mapping[str, str], unit: int, strength: float
) -> Image.Image:
    """Add light around the subject in the colour of its powers, if any are requested."""
    colour = power_colour(variables)
    if colour is None:
        return picture
    around = ImageChops.multiply(outline(mask, max(2, unit // 40)), ImageChops.invert(mask))
    soft = around.filter(ImageFilter.GaussianBlur(unit * 0.018))
    lit = screen_tint(picture, colour, scale_mask(soft, 1.3 * strength))
    return screen_tint(lit, mix(colour, (255, 255, 255), 0.4), scale_mask(soft, 0.45 * strength))


def particles(picture: Image.Image, drawing: Drawing, colour: Colour, count: int, *, stars: bool) -> Image.Image:
    """Add sparks around the edges of the drawing, as glints or as four-pointed stars."""
    lit = picture.copy()
    pen = ImageDraw.Draw(lit)
    for _ in range(count):
        x, y = drawing.rng.random(), drawing.rng.random()
        if abs(x - 0.5) < 0.24 and y > 0.1:
            x = (x + 0.5) % 1.0  # away from the face
        radius = drawing.unit * drawing.rng.uniform(0.008, 0.026)
        glow(lit, x * drawing.width, y * drawing.height, radius * 1.6, colour)
        if stars:
            sparkle(pen, x * drawing.width, y * drawing.height, radius, mix(colour, (255, 255, 255), 0.6))
    return lit
