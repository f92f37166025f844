"""The choice of a model: the list of models, prices by model, and the refusal of what a model cannot do."""

from typing import Any

import pytest

from models import Generation
from tests.conftest import Running
from tests.support.client import CREATE, Api, photo
from tests.support.integrity import assert_invariants, count_rows

pytestmark = pytest.mark.any_database

PROFILE = "plushify-quality"
NEW, OLD = "google/gemini-3.1-flash-image", "google/gemini-2.5-flash-image"
PRO, IMAGE_ONLY = "google/gemini-3-pro-image", "black-forest-labs/flux.2-pro"
PHOTO = photo(64, 48)
MODELS = """query($media: MediaKind) { models(media: $media) { id name provider media qualities aspectRatios
    maxReferences
    needsReference refines streamsPreviews maxBatch durations resolutions priceFactor costUsd } }"""
QUOTE = "query($input: QuoteInput!) { quote(input: $input) { model { id } cost } }"
REFINE = """mutation($input: RefineGenerationInput!) { refineGeneration(input: $input) {
    generations { id cost } errors { code field message } } }"""


async def order(api: Api, **input: Any) -> Any:
    return await api.create(PHOTO, styleId=await api.style("cute", "plushify"), **input)


async def refusal(api: Api, **input: Any) -> tuple[list[str], str]:
    """Return field and message of a refused order, of which nothing is stored or charged."""
    before = await count_rows(), await api.credits()
    given = {"styleId": await api.style("cute", "plushify"), **input}
    error = await api.refused(CREATE, {"input.image": PHOTO}, input=given)
    assert error["code"] == "INVALID_INPUT"
    assert (await count_rows(), await api.credits()) == before
    return error["field"], error["message"]


async def test_models_are_listed_with_their_capabilities(product: Running) -> None:
    found = {each["id"]: each for each in await product.api.one(MODELS)}
    assert list(found) == [NEW, OLD, PRO, IMAGE_ONLY]
    assert found[OLD]["qualities"] == ["STANDARD"]
    assert (found[PRO]["qualities"], found[PRO]["priceFactor"]) == (["STANDARD", "HD", "ULTRA"], 2.0)
    assert (found[NEW]["media"], found[NEW]["provider"], found[NEW]["costUsd"]) == ("IMAGE", "openrouter", None)
    assert [each["id"] for each in await product.api.one(MODELS, media="IMAGE")] == list(found)
    assert await product.api.one(MODELS, media="VIDEO") == []


@pytest.mark.parametrize(
    ("input", "model", "cost"),
    [
        ({}, NEW, 1),
        ({"model": OLD}, OLD, 1),
        ({"model": PRO}, PRO, 2),
        ({"model": PRO, "quality": "ULTRA"}, PRO, 8),
        ({"quality": "HD"}, NEW, 2),
    ],
)
async def test_order_and_quote_have_the_price_of_the_model(
    product: Running, input: dict[str, str], model: str, cost: int
) -> None:
    ada = await product.api.sign_up()
    quote = await ada.one(QUOTE, input={"styleId": await ada.style("cute", "plushify"), **input})
    assert quote == {"model": {"id": model}, "cost": cost}
    made = await order(ada, **input)
    assert [each["cost"] for each in made["generations"]] == [cost]
    assert (await Generation.get(id=made["generations"][0]["id"])).requested_model == model


@pytest.mark.parametrize(
    ("input", "field", "text"),
    [
        ({"model": "x/y"}, "model", f"This model is not offered here. Offered: {NEW}, {OLD}, {PRO}, {IMAGE_ONLY}."),
        (
            {"model": OLD, "quality": "HD"},
            "quality",
            f"{OLD} makes this quality: STANDARD. Models for the requested one: {NEW}, {PRO}.",
        ),
        (
            {"model": OLD, "aspectRatio": "1:8"},
            "aspectRatio",
            f"{OLD} makes these aspect ratios: 1:1, 2:3, 3:2, 3:4, 4:3, 4:5, 5:4, 9:16, 16:9, 21:9."
            f" Models for the requested one: {NEW}.",
        ),
        ({"aspectRatio": "wide"}, "aspectRatio", "An aspect ratio looks like 3:2."),
        ({"count": 2}, "count", "Request one picture at a time."),
        ({"media": "VIDEO"}, "media", "Only images can be made here."),
    ],
)
async def test_what_the_model_cannot_do_is_refused_with_the_alternatives(
    product: Running, input: dict[str, Any], field: str, text: str
) -> None:
    ada = await product.api.sign_up()
    assert await refusal(ada, **input) == ([field], text)


async def test_ratio_in_other_numbers_is_the_same_ratio(product: Running) -> None:
    ada = await product.api.sign_up()
    assert (await order(ada, model=OLD, aspectRatio="6:4"))["errors"] == []


async def test_refinement_keeps_the_model_or_takes_another(product: Running) -> None:
    ada = await product.api.sign_up()
    first = await ada.wait_for_end((await order(ada, model=OLD))["generations"][0]["id"])
    again = await ada.one(REFINE, input={"id": first["id"], "instruction": "In blue"})
    other = await ada.one(REFINE, input={"id": first["id"], "instruction": "In blue", "model": PRO})
    assert [each["generations"][0]["cost"] for each in (again, other)] == [1, 2]
    ids = [each["generations"][0]["id"] for each in (again, other)]
    assert [(await Generation.get(id=id)).requested_model for id in ids] == [OLD, PRO]
    refused = await ada.one(REFINE, input={"id": first["id"], "instruction": "In blue", "model": "x/y"})
    assert [(error["code"], error["field"]) for error in refused["errors"]] == [("INVALID_INPUT", ["model"])]
    for id in ids:
        await ada.wait_for_end(id)
    await assert_invariants(product.services)


async def test_quote_of_a_refinement_is_refused_as_the_refinement_is(product: Running) -> None:
    ada = await product.api.sign_up()
    first = await ada.wait_for_end((await order(ada))["generations"][0]["id"])
    refused = await ada.one(REFINE, input={"id": first["id"], "instruction": "In blue", "model": IMAGE_ONLY})
    quoted = "query($input: QuoteInput!) { quote(input: $input) { errors { code field message } } }"
    demand = {"styleId": await ada.style("cute", "plushify"), "model": IMAGE_ONLY}
    assert (await ada.one(quoted, input=demand))["errors"] == []
    assert (await ada.one(quoted, input={**demand, "refines": True}))["errors"] == refused["errors"]


async def test_model_that_is_no_longer_offered_is_named_with_the_alternatives(product: Running) -> None:
    ada = await product.api.sign_up()
    first = await ada.wait_for_end((await order(ada))["generations"][0]["id"])
    await Generation.filter(id=first["id"]).update(requested_model="x/gone")
    refused = await ada.one(REFINE, input={"id": first["id"], "instruction": "In blue"})
    text = f"This model is not offered here. Offered: {NEW}, {OLD}, {PRO}, {IMAGE_ONLY}."
    assert refused["errors"] == [{"code": "CONFLICT", "field": ["id"], "message": text}]
