"""The avenger product: thirty credits, ten per hero, no refund after the provider call, five per minute."""

import pytest

from tests.conftest import Running
from tests.support.client import CREATE, Api, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.integrity import adjust_credits, assert_invariants, make_admin

pytestmark = pytest.mark.any_database

PROFILE = "avenger"
PHOTO = photo(64, 48)
STATS = "{ viewer { credits stats { totalGenerations failedGenerations creditsSpent lastGenerationAt } } }"
LIMITED = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code ... on RateLimitedError { retryAfter } } }
}"""
REFUND = """
mutation($id: ID!, $reason: String!) {
  adminRefundGeneration(id: $id, reason: $reason) { generation { refunded } errors { code } }
}"""


async def hero(client: Api) -> str:
    made = await client.create(PHOTO, styleId=await client.style("noir", "avenger"))
    assert made["errors"] == []
    return str(made["generations"][0]["id"])


async def test_hero_costs_ten_of_thirty_credits(product: Running) -> None:
    ada = await product.api.sign_up()
    assert await ada.credits() == 30
    ended = await ada.wait_for_end(await hero(ada))
    assert (ended["status"], ended["cost"]) == ("COMPLETED", 10)
    assert [(line["type"], line["amount"], line["balance"]) for line in await ada.ledger()] == [
        ("BONUS", 30, 30),
        ("DEDUCTION", -10, 20),
    ]
    assert await ada.one(STATS) == {
        "credits": 20,
        "stats": {
            "totalGenerations": 1,
            "failedGenerations": 0,
            "creditsSpent": 10,
            "lastGenerationAt": ended["createdAt"],
        },
    }
    await assert_invariants(product.services)


async def test_hero_failed_after_provider_call_is_charged_until_admin_refund(
    product: Running, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script(status(500))
    ada = await product.api.sign_up()
    failed = await ada.wait_for_end(await hero(ada))
    assert (failed["status"], failed["refunded"], len(openrouter.calls)) == ("FAILED", False, 1)
    assert await ada.credits() == 20
    admin = await make_admin(product.api)
    given_back = await admin.one(REFUND, id=failed["id"], reason="The provider was down.")
    assert given_back == {"generation": {"refunded": True}, "errors": []}
    assert await ada.credits() == 30
    assert [(line["type"], line["amount"], line["balance"]) for line in await ada.ledger()] == [
        ("BONUS", 30, 30),
        ("DEDUCTION", -10, 20),
        ("REFUND", 10, 30),
    ]
    await assert_invariants(product.services)


async def test_photo_that_cannot_be_stored_costs_nothing(product: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await product.api.sign_up()
    folder = product.settings.data_dir / "files" / "originals"
    folder.write_bytes(b"")  # a file instead of the folder
    style = await ada.style("noir", "avenger")
    assert (await ada.refused(CREATE, {"input.image": PHOTO}, input={"styleId": style}))["code"] == "UPLOAD_FAILED"
    assert (await ada.credits(), openrouter.calls) == (30, [])
    folder.unlink()
    await ada.wait_for_end(await hero(ada))
    assert await ada.credits() == 20


async def test_hero_is_refused_with_five_credits(product: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await product.api.sign_up()
    await adjust_credits(ada.user["id"], -25, "leaves five")
    style = await ada.style("noir", "avenger")
    short = await ada.refused(CREATE, {"input.image": PHOTO}, input={"styleId": style})
    assert (short["code"], short["required"], short["balance"]) == ("INSUFFICIENT_CREDITS", 10, 5)
    assert openrouter.calls == []


async def test_sixth_hero_within_a_minute_is_rate_limited(product: Running) -> None:
    ada = await product.api.sign_up()
    await adjust_credits(ada.user["id"], 70, "for ten heroes")
    ids = [await hero(ada) for _ in range(5)]
    style = await ada.style("noir", "avenger")
    late = await ada.refused(LIMITED, {"input.image": PHOTO}, input={"styleId": style})
    assert late["code"] == "RATE_LIMITED"
    assert 1 <= late["retryAfter"] <= 60
    eve = await product.api.sign_up("eve@example.com")
    await hero(eve)  # the limit is per account
    assert {ended["status"] for ended in await ada.wait_for_all(ids)} == {"COMPLETED"}
    assert await ada.credits() == 50
