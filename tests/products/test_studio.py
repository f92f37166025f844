"""The studio product: all collections at their own prices, and passes that pay before credits."""

import pytest

from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.development_checkout import bought, buy
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.integrity import assert_invariants

pytestmark = pytest.mark.any_database

PROFILE = "studio"
# A style of each collection, and its price.
STORY = (("cute", "plushify", 1), ("quiet-beach", "scenes", 5), ("free", "sandbox", 1), ("noir", "avenger", 10))


async def ended(client: Api, slug: str, collection: str) -> tuple[str, str, int]:
    made = await client.create(photo(64, 48), styleId=await client.style(slug, collection), prompt="A fox")
    assert made["errors"] == []
    found = await client.wait_for_end(made["generations"][0]["id"])
    return found["status"], found["paidBy"], found["cost"]


async def test_one_account_uses_every_collection_at_its_own_price(
    product: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await product.api.sign_up()
    credits = 30
    for slug, collection, cost in STORY:
        assert await ended(ada, slug, collection) == ("COMPLETED", "CREDITS", cost)
        credits -= cost
        assert await ada.credits() == credits
    assert credits == 13
    openrouter.script(status(500))
    for slug, collection, cost in STORY:
        assert await ended(ada, slug, collection) == ("FAILED", "CREDITS", cost)
    assert await ada.credits() == credits - 10, "only a hero that fails after the provider call is not refunded"
    await assert_invariants(product.services)


async def test_studio_pass_pays_first_then_credits(product: Running) -> None:
    ada = await product.api.sign_up()
    await buy(ada, plan="flash-lite")
    shown = await ada.one("{ viewer { maxBatch pass { plan { maxBatch priority } } } }")
    assert shown == {"maxBatch": 4, "pass": {"plan": {"maxBatch": 4, "priority": False}}}
    assert [await ended(ada, "cute", "plushify") for _ in range(4)] == [
        ("COMPLETED", "PASS", 0),
        ("COMPLETED", "PASS", 0),
        ("COMPLETED", "PASS", 0),
        ("COMPLETED", "CREDITS", 1),
    ]
    assert await ada.credits() == 29
    await assert_invariants(product.services)


async def test_plan_grants_monthly_credits(product: Running) -> None:
    ada = await product.api.sign_up()
    await buy(ada, plan="pro")
    line = await bought(ada)
    assert (line["type"], line["amount"], line["balance"]) == ("SUBSCRIPTION", 300, 330)
    assert (line["price"], line["currency"]) == (2999, "usd")
    assert await ended(ada, "magic-castle", "scenes") == ("COMPLETED", "CREDITS", 10)
    await assert_invariants(product.services)
