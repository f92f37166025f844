"""The demo provider's looks: each changes the photo visibly, differs from the others and keeps the subject."""

import itertools
from dataclasses import replace

import pytest
from PIL import Image, ImageFilter, ImageOps, ImageStat

from models.enum import Size
from services.integrations.providers.demo.looks.subject import subject_mask
from tests.support.fakes.demo_portrait import (
    COMPARISON_SIDE,
    as_reference,
    difference,
    draw_portrait,
    generate_bytes,
    generate_picture,
    request_for,
    thumbnail,
)

SCENES = (
    "enchanted-forest",
    "future-city",
    "quiet-beach",
    "mountain-sunrise",
    "starry-night",
    "cherry-spring",
    "cyberpunk-street",
    "magic-castle",
    "underwater-world",
)
HEROES = ("classic", "cinematic", "noir", "anime", "realistic")
STYLES = (
    *(f"plushify/{slug}" for slug in ("cute", "realistic", "cartoon")),
    *(f"avenger/{slug}" for slug in HEROES),
    *(f"scenes/{slug}" for slug in SCENES),
    "sandbox/free",
    "unknown/new",
)


def likeness(result: Image.Image, photo: Image.Image) -> float:
    """Return how similar the result is to the photo: the best correlation of brightness, -1 to 1.

    Toys are drawn smaller, so the photo is compared at several sizes, centred and on the bottom edge.
    """
    found = []
    grey = result.convert("L")
    for share, low in itertools.product((1.0, 0.9, 0.8, 0.7), (0.5, 1.0)):
        width, height = grey.width * share, grey.height * share
        left, top = (grey.width - width) / 2, (grey.height - height) * low
        framed = grey.resize(
            (COMPARISON_SIDE, COMPARISON_SIDE), Image.Resampling.BOX, box=(left, top, left + width, top + height)
        )
        found.append(correlation(framed, thumbnail(photo).convert("L")))
    return max(found)


def correlation(one: Image.Image, other: Image.Image) -> float:
    """Return the correlation of the middle, where the subject is; the surroundings may change completely."""
    values = []
    for picture in (one, other):
        levels = picture.crop((16, 12, 48, 60)).tobytes()
        mean = sum(levels) / len(levels)
        values.append([level - mean for level in levels])
    product = sum(a * b for a, b in zip(*values, strict=True))
    return float(product / (sum(a * a for a in values[0]) * sum(b * b for b in values[1])) ** 0.5)


@pytest.fixture(scope="module")
async def gallery() -> dict[str, Image.Image]:
    """The portrait in every style."""
    return {style: await generate_picture(request_for(style)) for style in STYLES}


@pytest.fixture(scope="module")
async def drawings() -> dict[str, Image.Image]:
    """Every scene without a photo."""
    return {slug: await generate_picture(request_for(f"scenes/{slug}", reference=None)) for slug in SCENES}


@pytest.mark.parametrize("style", STYLES)
def test_style_visibly_changes_the_photo(gallery: dict[str, Image.Image], style: str) -> None:
    assert difference(gallery[style], draw_portrait()) > 20


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(STYLES, 2)))
def test_every_two_styles_differ_visibly(gallery: dict[str, Image.Image], one: str, other: str) -> None:
    assert difference(gallery[one], gallery[other]) > 20


@pytest.mark.parametrize("style", STYLES)
def test_subject_remains_recognizable(gallery: dict[str, Image.Image], style: str) -> None:
    found = likeness(gallery[style], draw_portrait())
    assert found > 0.45
    assert found > likeness(gallery[style], ImageOps.flip(draw_portrait())) + 0.2


@pytest.mark.parametrize("style", STYLES)
def test_aspect_ratio_of_the_photo_is_kept(gallery: dict[str, Image.Image], style: str) -> None:
    assert gallery[style].size == (1024, 768)
    assert gallery[style].format == "JPEG"


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(SCENES, 2)))
def test_every_two_scenes_differ_visibly(drawings: dict[str, Image.Image], one: str, other: str) -> None:
    assert difference(drawings[one], drawings[other]) > 20


def test_drawn_scene_is_square_and_detailed(drawings: dict[str, Image.Image]) -> None:
    for picture in drawings.values():
        assert picture.size == (1024, 1024)
        edges = picture.convert("L").filter(ImageFilter.FIND_EDGES)
        assert ImageStat.Stat(edges).stddev[0] > 8


@pytest.mark.parametrize(
    ("style", "size"), [(style, ((7, 900), (900, 7))[place % 2]) for place, style in enumerate(STYLES)]
)
async def test_photo_of_any_shape_is_accepted(style: str, size: tuple[int, int]) -> None:
    picture = await generate_picture(request_for(style, as_reference(draw_portrait(*size))))
    assert max(picture.size) == 1024
    assert 1 / 8 <= picture.width / picture.height <= 8


@pytest.mark.parametrize("style", ["plushify/cute", "plushify/realistic", "plushify/cartoon"])
async def test_larger_toy_covers_more_of_the_image(style: str) -> None:
    small, medium, large = [await generate_picture(replace(request_for(style), size=size)) for size in Size]
    assert difference(small, large) > difference(small, medium) > 3


@pytest.mark.parametrize(
    ("slug", "variable"),
    [
        *((slug, ("costume_color", "emerald and bronze")) for slug in HEROES),
        *((slug, ("background", "deep space")) for slug in HEROES),
        *((slug, ("powers", "fire")) for slug in HEROES if slug != "noir"),  # noir has one colour, the costume's
    ],
)
async def test_hero_variables_change_the_image(
    gallery: dict[str, Image.Image], slug: str, variable: tuple[str, str]
) -> None:
    style = f"avenger/{slug}"
    assert difference(await generate_picture(replace(request_for(style), variables=(variable,))), gallery[style]) > 1


@pytest.mark.parametrize(
    ("words", "slug"),
    [
        ("A castle at night", "magic-castle"),
        ("the sea, calm", "quiet-beach"),
        ("樱花树下", "cherry-spring"),
        ("夜里的星星", "starry-night"),
        ("赛博朋克的街道", "cyberpunk-street"),
        ("two mountains", "mountain-sunrise"),
        ("Draw what stands between “ and ”: “a forest”. Mind the sea.", "enchanted-forest"),
    ],
)
async def test_free_prompt_draws_the_scene_it_names(words: str, slug: str) -> None:
    free = replace(request_for("sandbox/free", None), prompt=words)
    assert await generate_bytes(free) == await generate_bytes(request_for(f"scenes/{slug}", None))


async def test_parts_of_words_select_no_scene() -> None:
    abstract = await generate_bytes(replace(request_for("sandbox/free", None), prompt="something"))
    assert await generate_bytes(replace(request_for("sandbox/free", None), prompt="restart the research")) == abstract


@pytest.mark.parametrize("painter", ["oil painting", "水彩", "pencil sketch", "mosaic", "poster"])
async def test_free_prompt_selects_the_painting_style_it_names(gallery: dict[str, Image.Image], painter: str) -> None:
    picture = await generate_picture(replace(request_for("sandbox/free"), prompt=f"as {painter}"))
    assert likeness(picture, draw_portrait()) > 0.55
    assert difference(picture, gallery["unknown/new"]) > 8


def test_subject_is_separated_from_the_wall() -> None:
    mask = subject_mask(draw_portrait(1024, 768))
    for x, y in ((512, 270), (512, 330), (440, 640), (600, 700)):  # forehead, nose, shirt
        assert mask.getpixel((x, y)) == 255
    for x, y in ((60, 600), (300, 200), (700, 200), (960, 300)):  # wall on all sides
        assert mask.getpixel((x, y)) == 0


def test_subject_as_dark_as_its_background_is_found() -> None:
    coat = Image.new("RGB", (400, 400), (24, 26, 44))
    coat.paste((214, 164, 140), (150, 80, 250, 210))
    mask = subject_mask(coat)
    assert ImageStat.Stat(mask.crop((160, 90, 240, 200))).mean[0] > 250
    assert ImageStat.Stat(mask).mean[0] > 25
