"""The demo provider on its own results: variations differ visibly, refinements keep the composition."""

from dataclasses import replace

import pytest
from PIL import Image, ImageStat

from services.generations.prompts.revision import refinement_prompt, variation_prompt
from services.integrations.providers.protocol import ImageRequest, ReferencePhoto
from tests.support.fakes.demo_portrait import as_reference, difference, draw_portrait, generate_picture, request_for

VISIBLE = 6.0  # grey levels, mean over the whole picture


@pytest.fixture(scope="module")
def finished() -> ReferencePhoto:
    return replace(as_reference(draw_portrait()), is_result=True)


def revision_request(finished: ReferencePhoto, id: str, words: str | None = None) -> ImageRequest:
    """Return a request for a variation or, with `words`, a refinement."""
    request = replace(request_for("avenger/noir", finished), generation_id=id)
    if words is None:
        return replace(request, prompt=variation_prompt([], "A portrait"))
    return replace(request, prompt=refinement_prompt(words), earlier_prompts=("A portrait",))


def original(image: Image.Image) -> Image.Image:
    return draw_portrait().resize(image.size)


async def test_variations_differ_from_the_result_and_from_each_other(finished: ReferencePhoto) -> None:
    one, other, same = [await generate_picture(revision_request(finished, id)) for id in ("gen_1", "gen_2", "gen_1")]
    assert difference(one, original(one)) > VISIBLE
    assert difference(one, other) > VISIBLE
    assert one.tobytes() == same.tobytes()


async def test_look_is_not_applied_to_a_result_again(finished: ReferencePhoto) -> None:
    varied = await generate_picture(revision_request(finished, "gen_1"))
    # Film noir removes nearly all colour; a variation keeps the colours of the result.
    colour = [ImageStat.Stat(picture.convert("HSV").getchannel("S")).mean[0] for picture in (varied, original(varied))]
    assert colour[0] > 0.7 * colour[1]


@pytest.mark.parametrize(
    "words",
    [
        "Make it night",
        "Much warmer",
        "A jacket in royal blue",
        "Black and white",
        "变成夜晚",
        "Give her a hat",
        "Darker",
    ],
)
async def test_refinement_is_visible_and_keeps_the_composition(finished: ReferencePhoto, words: str) -> None:
    refined = await generate_picture(revision_request(finished, "gen_1", words))
    assert difference(refined, original(refined)) > VISIBLE
    # Light and colour change, but nothing moves.
    edges = [picture.convert("L").resize((24, 18)).tobytes() for picture in (original(refined), refined)]
    assert correlation(*edges) > 0.8


async def test_refinement_follows_its_prompt(finished: ReferencePhoto) -> None:
    night, warm = [
        await generate_picture(revision_request(finished, "gen_1", words)) for words in ("Make it night", "Much warmer")
    ]
    assert difference(night, warm) > VISIBLE
    brightness = [ImageStat.Stat(picture.convert("L")).mean[0] for picture in (night, warm)]
    assert brightness[0] < 0.8 * brightness[1]


def correlation(one: bytes, other: bytes) -> float:
    """Return the correlation of brightness, point by point: 1 if one is a linear function of the other."""
    means = sum(one) / len(one), sum(other) / len(other)
    pairs = [(a - means[0], b - means[1]) for a, b in zip(one, other, strict=True)]
    spread = sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)
    return float(sum(a * b for a, b in pairs) / spread**0.5)
