"""The plushify-quality product: an image costs the standard cost times the multiplier of its quality."""

import pytest

from settings import Settings
from tests.conftest import Running
from tests.support.client import CREATE, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import good_picture, hang, picture, text_only
from tests.support.integrity import assert_invariants

pytestmark = pytest.mark.any_database

PROFILE = "plushify-quality"
QUOTE = "query($input: QuoteInput!) { quote(input: $input) { cost } }"
DELIVERED = "query($id: ID!) { viewer { generation(id: $id) { deliveredQuality sizeRefund } } }"
PHOTO = photo(64, 48)
SIZES = {"STANDARD": (1024, 1024), "HD": (2048, 1152), "ULTRA": (3840, 2160)}


@pytest.mark.parametrize(("quality", "cost"), [("STANDARD", 1), ("HD", 2), ("ULTRA", 4)])
async def test_higher_quality_costs_its_multiple_and_is_refunded_in_full(
    product: Running, openrouter: ScriptedOpenRouter, quality: str, cost: int
) -> None:
    ada = await product.api.sign_up()
    openrouter.script(picture(good_picture(*SIZES[quality])))
    request = {"styleId": await ada.style("cute", "plushify"), "quality": quality}
    assert (await ada.one(QUOTE, input=request))["cost"] == cost
    toy = await ada.wait_for_end((await ada.create(PHOTO, **request))["generations"][0]["id"])
    assert (toy["status"], toy["cost"], toy["quality"]) == ("COMPLETED", cost, quality)
    assert (await ada.one(DELIVERED, id=toy["id"]))["generation"] == {"deliveredQuality": quality, "sizeRefund": 0}
    openrouter.script(text_only())
    made = await ada.create(PHOTO, **request)
    assert made["viewer"]["credits"] == 10 - 2 * cost
    failed = await ada.wait_for_end(made["generations"][0]["id"])
    assert (failed["errorCode"], failed["refunded"]) == ("GENERATION_FAILED", True)
    assert await ada.credits() == 10 - cost
    assert [(line["type"], line["amount"], line["balance"]) for line in await ada.ledger()] == [
        ("BONUS", 10, 10),
        ("DEDUCTION", -cost, 10 - cost),
        ("DEDUCTION", -cost, 10 - 2 * cost),
        ("REFUND", cost, 10 - cost),
    ]
    await assert_invariants(product.services)


async def test_price_is_that_of_the_quality_that_is_delivered(product: Running, openrouter: ScriptedOpenRouter) -> None:
    openrouter.script(picture(good_picture(*SIZES["STANDARD"])))  # as from a route that ignores the size
    ada = await product.api.sign_up()
    request = {"styleId": await ada.style("cute", "plushify"), "quality": "ULTRA"}
    assert (await ada.one(QUOTE, input=request))["cost"] == 4
    toy = await ada.wait_for_end((await ada.create(PHOTO, **request))["generations"][0]["id"])
    assert (await ada.one(DELIVERED, id=toy["id"]))["generation"] == {"deliveredQuality": "STANDARD", "sizeRefund": 3}
    assert [(line["type"], line["amount"], line["balance"]) for line in await ada.ledger()] == [
        ("BONUS", 10, 10),
        ("DEDUCTION", -4, 6),
        ("REFUND", 3, 9),
    ]
    await assert_invariants(product.services)


async def test_provider_timeout_costs_nothing(product: Running, openrouter: ScriptedOpenRouter) -> None:
    assert Settings.model_fields["generation_deadline_seconds"].default == 60  # five in this test
    openrouter.script(hang())
    ada = await product.api.sign_up()
    made = await ada.create(PHOTO, styleId=await ada.style("realistic", "plushify"))
    failed = await ada.wait_for_end(made["generations"][0]["id"])
    assert (failed["errorCode"], failed["refunded"], await ada.credits()) == ("GENERATION_TIMEOUT", True, 10)


@pytest.mark.any_database
async def test_every_refusal_has_its_error_code(product: Running, openrouter: ScriptedOpenRouter) -> None:
    openrouter.script(picture(good_picture(*SIZES["ULTRA"])))
    ada = await product.api.sign_up()
    style = await ada.style("cute", "plushify")
    request = {"styleId": style, "quality": "ULTRA"}
    assert (await product.api.refused(CREATE, input=request))["code"] == "UNAUTHENTICATED"
    assert (await ada.refused(CREATE, {"input.image": b"no picture"}, input={**request}))["code"] == "INVALID_INPUT"
    for _ in range(2):
        await ada.create(PHOTO, **request)
    short = await ada.refused(CREATE, {"input.image": PHOTO}, input=request)
    assert (short["code"], short["required"], short["balance"]) == ("INSUFFICIENT_CREDITS", 4, 2)
