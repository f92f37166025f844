"""The flash product: no credits; a pass allows a number of images in each of its hours."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from models import Pass
from tests.conftest import Running
from tests.support.client import CREATE, Api, photo
from tests.support.development_checkout import buy
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import good_picture, picture, status
from tests.support.integrity import assert_invariants

pytestmark = pytest.mark.any_database

PROFILE = "flash"
SUNSET = "a beautiful sunset over mountains"
HOUR = timedelta(hours=1)
ORDER = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code ... on QuotaExceededError { resetsAt } } }
}"""
PASS = """
{ viewer { credits pass {
  plan { slug } startedAt expiresAt images { perHour used remaining usedInTotal resetsAt } videos { perHour }
} } }"""
HISTORY = "{ viewer { generations { nodes { id prompt result { downloadUrl } } } } }"


async def sunset(client: Api) -> dict[str, Any]:
    """Request one image, and wait for its end."""
    made = await client.create(prompt=SUNSET)
    assert made["errors"] == []
    ended: dict[str, Any] = await client.wait_for_end(made["generations"][0]["id"])
    return ended


async def holding(client: Api, plan: str = "flash-lite") -> dict[str, Any]:
    """Buy a pass, and return it."""
    await buy(client, plan=plan)
    return await pass_of(client)


async def pass_of(client: Api) -> dict[str, Any]:
    found: dict[str, Any] = (await client.one(PASS))["pass"]
    return found


async def an_hour_later(client: Api) -> None:
    """Shift the account's pass one hour into the past."""
    held = await Pass.get(user_id=client.user["id"])
    await Pass.filter(id=held.id).update(started_at=held.started_at - HOUR, expires_at=held.expires_at - HOUR)


async def test_generation_requires_a_pass(product: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await product.api.sign_up()
    assert await ada.one(PASS) == {"credits": 0, "pass": None}
    assert (await ada.refused(CREATE, input={"prompt": SUNSET}))["code"] == "MEMBERSHIP_REQUIRED"
    assert (openrouter.calls, await ada.ledger()) == ([], [])


async def test_pass_allows_three_images_per_hour_then_returns_reset_time(product: Running) -> None:
    ada = await product.api.sign_up()
    held = await holding(ada)
    assert (held["plan"], held["images"]["perHour"]) == ({"slug": "flash-lite"}, 3)
    made = [await sunset(ada) for _ in range(3)]
    assert {(one["status"], one["cost"], one["paidBy"]) for one in made} == {("COMPLETED", 0, "PASS")}
    spent = (await pass_of(ada))["images"]
    assert (spent["used"], spent["remaining"], spent["usedInTotal"]) == (3, 0, 3)
    refused = await ada.refused(ORDER, input={"prompt": SUNSET})
    assert (refused["code"], refused["resetsAt"]) == ("QUOTA_EXCEEDED", spent["resetsAt"])
    assert datetime.fromisoformat(refused["resetsAt"]) - datetime.fromisoformat(held["startedAt"]) == HOUR
    await an_hour_later(ada)
    assert (await pass_of(ada))["images"]["remaining"] == 3
    assert (await sunset(ada))["status"] == "COMPLETED"
    images = (await pass_of(ada))["images"]
    assert (images["used"], images["remaining"], images["usedInTotal"]) == (1, 2, 4)
    assert await ada.ledger() == [], "nothing is paid with credits"
    await assert_invariants(product.services)


async def test_pass_pays_for_the_qualities_of_its_plan(product: Running, openrouter: ScriptedOpenRouter) -> None:
    openrouter.script(picture(good_picture(2048, 1152)))
    ada, eve = await product.api.sign_up(), await product.api.sign_up("eve@example.com")
    await holding(ada), await holding(eve, "flash")
    refused = await ada.refused(CREATE, input={"prompt": SUNSET, "quality": "HD"})
    assert (refused["code"], refused["field"], refused["message"]) == (
        "INVALID_INPUT",
        ["quality"],
        "Your pass pays for the quality STANDARD at most.",
    )
    assert (await pass_of(ada))["images"]["used"] == 0
    made = await eve.create(prompt=SUNSET, quality="HD")
    ended = await eve.wait_for_end(made["generations"][0]["id"])
    assert (ended["status"], ended["paidBy"], (await pass_of(eve))["images"]["used"]) == ("COMPLETED", "PASS", 1)
    await assert_invariants(product.services)


async def test_smaller_image_of_a_pass_has_nothing_to_refund(product: Running, openrouter: ScriptedOpenRouter) -> None:
    openrouter.script(picture(good_picture(1024, 1024)))
    ada = await product.api.sign_up()
    await holding(ada, "flash")
    made = await ada.create(prompt=SUNSET, quality="HD")
    id = made["generations"][0]["id"]
    await ada.wait_for_end(id)
    shown = "query($id: ID!) { viewer { generation(id: $id) { deliveredQuality sizeRefund paidBy } } }"
    assert (await ada.one(shown, id=id))["generation"] == {
        "deliveredQuality": "STANDARD",
        "sizeRefund": 0,
        "paidBy": "PASS",
    }
    assert await ada.ledger() == []
    await assert_invariants(product.services)


async def test_plans_show_what_a_pass_pays_for(product: Running) -> None:
    found = await product.api.one("{ plans { slug quality collections } }")
    assert {plan["slug"]: (plan["quality"], plan["collections"]) for plan in found} == {
        "flash-lite": ("STANDARD", ["sandbox", "plushify"]),
        "flash": ("HD", ["sandbox", "plushify"]),
        "flash-pro": ("ULTRA", ["sandbox", "plushify"]),
    }


async def test_failed_image_returns_its_allowance(product: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await product.api.sign_up()
    await holding(ada)
    openrouter.script(status(500))
    failed = await sunset(ada)
    assert (failed["status"], failed["refunded"]) == ("FAILED", True)
    assert (await pass_of(ada))["images"]["remaining"] == 3
    await assert_invariants(product.services)


async def test_passes_differ_in_their_allowance(product: Running) -> None:
    for plan, per_hour in (("flash-lite", 3), ("flash", 8), ("flash-pro", 15)):
        client = await product.api.sign_up(f"{plan}@example.com")
        assert (await holding(client, plan))["images"]["perHour"] == per_hour


async def test_pass_expires(product: Running) -> None:
    ada = await product.api.sign_up()
    held = await holding(ada)
    hours = (datetime.fromisoformat(held["expiresAt"]) - datetime.fromisoformat(held["startedAt"])) // HOUR
    for _ in range(hours):
        assert (await sunset(ada))["status"] == "COMPLETED"
        await an_hour_later(ada)
    assert await pass_of(ada) is None
    assert (await ada.refused(CREATE, input={"prompt": SUNSET}))["code"] == "MEMBERSHIP_REQUIRED"


async def test_images_are_kept_and_can_be_downloaded(product: Running) -> None:
    ada = await product.api.sign_up()
    await holding(ada)
    made = await sunset(ada)
    (kept,) = (await ada.one(HISTORY))["generations"]["nodes"]
    assert (kept["id"], kept["prompt"]) == (made["id"], SUNSET)
    answer = await ada.http.get(kept["result"]["downloadUrl"])
    assert (answer.status_code, answer.headers["content-disposition"].split(";")[0]) == (200, "attachment")


async def test_photo_is_refused(product: Running) -> None:
    ada = await product.api.sign_up()
    await holding(ada)
    refused = await ada.refused(CREATE, {"input.image": photo(64, 48)}, input={"prompt": SUNSET})
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["image"])
