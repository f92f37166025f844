"""The scenes product, in Chinese: a hundred credits, five per scene, ten for member scenes, failures refunded."""

import pytest

from services.accounts.user import DEMO_EMAIL, DEMO_PASSWORD
from tests.conftest import Running
from tests.support.client import CREATE, Api, photo
from tests.support.development_checkout import bought, buy
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import refusal
from tests.support.integrity import assert_invariants

pytestmark = pytest.mark.any_database

PROFILE = "scenes"
MIB = 1024 * 1024
CATALOGUE = "{ collections { title styles { slug title cost locked } } }"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token user { id isMember credits } } }"
UPLOAD = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { errors { code field } } }"
MEMBERS_ONLY = {"cyberpunk-street", "magic-castle", "underwater-world"}


async def test_catalogue_is_chinese_and_locked_for_non_members(product: Running) -> None:
    ada = await product.api.sign_up()
    (scenes,) = await ada.one(CATALOGUE)
    styles = {style["slug"]: style for style in scenes["styles"]}
    assert (len(styles), styles["enchanted-forest"]["title"], scenes["title"]) == (9, "梦幻森林", "场景")
    assert {slug for slug, style in styles.items() if style["locked"]} == MEMBERS_ONLY
    assert {slug: style["cost"] for slug, style in styles.items()} == {
        slug: 10 if slug in MEMBERS_ONLY else 5 for slug in styles
    }
    refused = await ada.refused(CREATE, input={"styleId": await ada.style("magic-castle", "scenes")})
    assert (refused["code"], refused["message"]) == ("MEMBERSHIP_REQUIRED", "此风格仅限会员使用。")
    two = await ada.refused(CREATE, input={"styleId": await ada.style("quiet-beach", "scenes"), "count": 2})
    assert (two["field"], two["message"]) == (["count"], "每次只能生成 1 张图片。")


async def test_scene_costs_five_of_a_hundred_with_or_without_photo(product: Running) -> None:
    ada = await product.api.sign_up()
    style = await ada.style("quiet-beach", "scenes")
    assert await ada.credits() == 100
    for image, left in ((None, 95), (photo(64, 48), 90)):
        ended = await ada.wait_for_end((await ada.create(image, styleId=style))["generations"][0]["id"])
        assert (ended["status"], ended["cost"], await ada.credits()) == ("COMPLETED", 5, left)
    assert [(line["type"], line["amount"], line["balance"]) for line in await ada.ledger()] == [
        ("BONUS", 100, 100),
        ("DEDUCTION", -5, 95),
        ("DEDUCTION", -5, 90),
    ]
    await assert_invariants(product.services)


async def test_failed_scene_costs_nothing(product: Running, openrouter: ScriptedOpenRouter) -> None:
    openrouter.script(refusal())
    ada = await product.api.sign_up()
    made = await ada.create(styleId=await ada.style("starry-night", "scenes"))
    failed = await ada.wait_for_end(made["generations"][0]["id"])
    assert (failed["status"], failed["refunded"], await ada.credits()) == ("FAILED", True, 100)
    assert [(line["type"], line["amount"], line["balance"]) for line in await ada.ledger()] == [
        ("BONUS", 100, 100),
        ("DEDUCTION", -5, 95),
        ("REFUND", 5, 100),
    ]
    await assert_invariants(product.services)


async def test_styles_are_unlocked_for_new_members(product: Running) -> None:
    ada = await product.api.sign_up()
    castle = await ada.style("magic-castle", "scenes")
    assert (await ada.refused(CREATE, input={"styleId": castle}))["code"] == "MEMBERSHIP_REQUIRED"
    assert await ada.credits() == 100
    await buy(ada, plan="basic")
    line = await bought(ada)
    assert (line["type"], line["amount"], line["price"], line["currency"]) == ("SUBSCRIPTION", 100, 999, "usd")
    (scenes,) = await ada.one(CATALOGUE)
    assert not any(style["locked"] for style in scenes["styles"])
    ended = await ada.wait_for_end((await ada.create(styleId=castle))["generations"][0]["id"])
    assert (ended["status"], ended["cost"], await ada.credits()) == ("COMPLETED", 10, 190)
    await assert_invariants(product.services)


async def test_demo_account_is_member_with_a_hundred_credits(product: Running) -> None:
    """The demo account; in a database of another product it keeps its original credits."""
    signed_in = await product.api.one(SIGN_IN, input={"email": DEMO_EMAIL, "password": DEMO_PASSWORD})
    demo = Api(product.api.http, product.api.address, signed_in["token"], signed_in["user"])
    assert signed_in["user"]["isMember"] is True
    made = await demo.create(styleId=await demo.style("magic-castle", "scenes"))
    assert made["errors"] == []
    assert made["viewer"]["credits"] == signed_in["user"]["credits"] - 10


async def test_photo_is_limited_to_five_mebibytes(product: Running) -> None:
    ada = await product.api.sign_up()
    assert (await ada.one(UPLOAD, input={"contentType": "image/webp", "byteSize": 5 * MIB}))["errors"] == []
    large = await ada.refused(UPLOAD, input={"contentType": "image/webp", "byteSize": 5 * MIB + 1})
    assert (large["code"], large["field"]) == ("INVALID_INPUT", ["byteSize"])
