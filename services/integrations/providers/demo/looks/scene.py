"""Scenes by name, drawn alone or around the subject of a photo, and the words in a prompt that select them."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter

from services.integrations.providers.demo.looks import abstract, city, heights, shore, woods
from services.integrations.providers.demo.looks.canvas import Canvas
from services.integrations.providers.demo.looks.drawing import Drawing
from services.integrations.providers.demo.looks.light import pool
from services.integrations.providers.demo.looks.subject import subject_mask
from services.integrations.providers.demo.looks.texture import grain
from services.integrations.providers.demo.looks.tone import Colour, contrast, grade, scale_mask, screen_tint

Stroke = Callable[[Canvas, random.Random], None]


@dataclass(frozen=True)
class Scene:
    """A backdrop, a foreground, and the colours of shadows and lights."""

    back: Stroke
    front: Stroke
    shadow: Colour
    light: Colour
    rim: Colour  # the light that falls on a subject from behind
    words: tuple[str, ...]  # lower case; in a prompt they select this scene


# In the order in which their words are searched: specific before general.
SCENES: dict[str, Scene] = {
    "cyberpunk-street": Scene(
        city.street, city.street_front, (22, 6, 58), (255, 190, 226), (60, 220, 255),
        ("cyberpunk", "neon", "street", "alley", "赛博", "霓虹", "街"),
    ),
    "underwater-world": Scene(
        shore.underwater, shore.underwater_front, (2, 38, 84), (190, 250, 246), (150, 244, 255),
        ("underwater", "fish", "coral", "reef", "水下", "海底", "鱼", "珊瑚"),
    ),
    "magic-castle": Scene(
        heights.castle, heights.castle_front, (52, 24, 92), (255, 226, 226), (255, 190, 236),
        ("castle", "palace", "fairy tale", "城堡", "宫", "魔法"),
    ),
    "cherry-spring": Scene(
        woods.cherry, woods.cherry_front, (116, 84, 122), (255, 244, 242), (255, 206, 222),
        ("cherry", "blossom", "flower", "spring", "garden", "樱", "花", "春"),
    ),
    "enchanted-forest": Scene(
        woods.forest, woods.forest_front, (4, 32, 32), (226, 255, 196), (210, 255, 170),
        ("forest", "woods", "tree", "jungle", "森林", "树", "林"),
    ),
    "quiet-beach": Scene(
        shore.beach, shore.beach_front, (66, 70, 92), (255, 244, 214), (255, 236, 190),
        ("beach", "sea", "ocean", "island", "sand", "海", "沙滩", "岛"),
    ),
    "mountain-sunrise": Scene(
        heights.mountain, heights.mountain_front, (62, 34, 82), (255, 226, 164), (255, 210, 130),
        ("mountain", "sunrise", "hill", "snow", "山", "日出", "雪"),
    ),
    "future-city": Scene(
        city.future, city.future_front, (34, 18, 76), (255, 206, 186), (130, 230, 255),
        ("city", "future", "tower", "skyline", "rooftop", "harbour", "station", "bridge", "城", "未来", "楼"),
    ),
    "starry-night": Scene(
        heights.night, heights.night_front, (8, 14, 60), (226, 226, 214), (255, 226, 140),
        ("night", "midnight", "star", "starry", "moon", "space", "galaxy", "夜", "星", "月", "太空"),
    ),
}  # fmt: skip
ABSTRACT = Scene(abstract.ribbons, abstract.ribbons_front, (40, 24, 70), (255, 240, 224), (255, 236, 214), ())


def scene_for(words: str) -> Scene | None:
    """Return the first scene that a prompt selects, in English or Chinese; None if there is none."""
    return next((scene for scene in SCENES.values() if matches(words, scene.words)), None)


def matches(text: str, words: tuple[str, ...]) -> bool:
    """Return whether `text` contains one of `words`: English as a whole word or its plural, Chinese anywhere."""
    lowered = text.lower()
    return any(
        re.search(rf"\b{word}(?:s|es)?\b", lowered) is not None if word.isascii() else word in lowered for word in words
    )


def draw_scene(scene: Scene, drawing: Drawing) -> Image.Image:
    """Draw the scene without a photo."""
    canvas = Canvas(drawing.width, drawing.height)
    scene.back(canvas, drawing.rng)
    scene.front(canvas, drawing.rng)
    return grain(canvas.finish(), drawing.rng, 0.05)


def draw_backdrop(scene: Scene, drawing: Drawing) -> Image.Image:
    """Draw the scene without its foreground, as a background for a subject."""
    canvas = Canvas(drawing.width, drawing.height)
    scene.back(canvas, drawing.rng)
    return canvas.finish()


def compose_scene(scene: Scene, drawing: Drawing, photo: Image.Image) -> Image.Image:
    """Draw the photo's subject, relit, between the scene's backdrop and its foreground."""
    mask = subject_mask(photo)
    canvas = Canvas(drawing.width, drawing.height)
    scene.back(canvas, drawing.rng)
    canvas.place(relight(photo, mask, scene), ImageChops.multiply(mask, margins(mask.size)))
    bare = canvas.finish()
    scene.front(canvas, drawing.rng)
    face = scale_mask(ImageChops.multiply(mask, pool(mask.size, 2.0)), 0.94)  # kept free of foreground
    return grain(Image.composite(bare, canvas.finish(), face), drawing.rng, 0.05)


def margins(size: tuple[int, int]) -> Image.Image:
    """Return a mask that fades at the top and the sides, where a subject may be cut off by the photo's border."""
    width, height = size
    fade = max(1, round(min(size) * 0.06))
    mask = Image.new("L", size, 0)
    mask.paste(255, (fade, fade, max(fade + 1, width - fade), height + fade))
    soft = Image.new("L", (width, height + 4 * fade), 0)  # room below, so that the bottom does not fade with the rest
    soft.paste(mask, (0, 0))
    soft.paste(255, (fade, height, max(fade + 1, width - fade), height + 4 * fade))
    return soft.filter(ImageFilter.BoxBlur(fade * 0.7)).crop((0, 0, width, height))


def relight(photo: Image.Image, mask: Image.Image, scene: Scene) -> Image.Image:
    """Tone the photo in the scene's light, with a rim light along the subject's edge."""
    toned = grade(contrast(photo, 4.0), scene.shadow, scene.light, 0.42)
    inner = mask.filter(ImageFilter.GaussianBlur(max(2.0, min(photo.size) * 0.022)))
    edge = scale_mask(ImageChops.multiply(mask, ImageChops.invert(inner)), 1.7)
    return screen_tint(toned, scene.rim, edge)
