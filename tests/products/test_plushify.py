"""The plushify product: ten credits, one per plush toy, refunded on failure; a gallery; credit packages."""

import pytest

from tests.conftest import Running
from tests.support.client import CREATE, Api, photo, until
from tests.support.development_checkout import bought, buy
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.integrity import assert_invariants

pytestmark = pytest.mark.any_database

PROFILE = "plushify"
MIB = 1024 * 1024
PHOTO = photo(64, 48)
IDS = "query($filter: GenerationFilter) { viewer { generations(filter: $filter) { nodes { id } } } }"
MARK = "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { errors { code } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
UPLOAD = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { errors { code field } } }"


async def plush(client: Api, style: str = "cute") -> str:
    """Request one, and wait for its end."""
    made = await client.create(PHOTO, styleId=await client.style(style, "plushify"), size="SMALL")
    assert made["errors"] == []
    id: str = made["generations"][0]["id"]
    await client.wait_for_end(id)
    return id


async def found(client: Api, **filter: object) -> list[str]:
    return [node["id"] for node in (await client.one(IDS, filter=filter))["generations"]["nodes"]]


async def test_plush_toy_costs_one_of_ten_credits(product: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await product.api.sign_up()
    assert await ada.credits() == 10
    toy = await ada.generation(await plush(ada))
    assert (toy["status"], toy["cost"], toy["paidBy"], toy["refunded"]) == ("COMPLETED", 1, "CREDITS", False)
    for file in (toy["original"], toy["result"]):
        assert (await ada.http.get(file["url"])).status_code == 200
    assert await ada.credits() == 9
    assert [(line["type"], line["amount"], line["balance"]) for line in await ada.ledger()] == [
        ("BONUS", 10, 10),
        ("DEDUCTION", -1, 9),
    ]
    (call,) = openrouter.calls
    assert call.body["model"] == "google/gemini-3.1-flash-image"
    await assert_invariants(product.services)


async def test_failed_plush_toy_is_refunded(product: Running, openrouter: ScriptedOpenRouter) -> None:
    openrouter.script(status(500))
    ada = await product.api.sign_up()
    made = await ada.create(PHOTO, styleId=await ada.style("cute", "plushify"))
    assert made["viewer"]["credits"] == 9
    failed = await ada.wait_for_end(made["generations"][0]["id"])
    assert (failed["status"], failed["refunded"], failed["result"]) == ("FAILED", True, None)
    assert await ada.credits() == 10
    assert [(line["type"], line["amount"], line["balance"]) for line in await ada.ledger()][1:] == [
        ("DEDUCTION", -1, 9),
        ("REFUND", 1, 10),
    ]
    await assert_invariants(product.services)


async def test_credits_can_be_bought_when_balance_is_zero(product: Running) -> None:
    ada = await product.api.sign_up()
    style = await ada.style("cartoon", "plushify")
    for _ in range(10):
        assert (await ada.create(PHOTO, styleId=style))["errors"] == []
    refused = await ada.create(PHOTO, styleId=style)
    assert [(error["code"], error["required"], error["balance"]) for error in refused["errors"]] == [
        ("INSUFFICIENT_CREDITS", 1, 0)
    ]
    await buy(ada, package="credits-50")
    assert await bought(ada) == {
        "type": "PURCHASE",
        "amount": 50,
        "balance": 50,
        "price": 499,
        "currency": "usd",
        "description": "Credits bought",
    }
    assert (await ada.create(PHOTO, styleId=style))["viewer"]["credits"] == 49
    await assert_invariants(product.services)


async def test_gallery_is_searched_filtered_favorited_and_cleared(
    product: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await product.api.sign_up()
    openrouter.script(picture(), picture(), status(500))
    cute, cartoon, failed = [await plush(ada, style) for style in ("cute", "cartoon", "realistic")]
    assert await found(ada) == [failed, cartoon, cute]  # newest first
    assert await found(ada, search="cartoon") == [cartoon]
    assert await found(ada, search=cute) == [cute]
    assert await found(ada, status=["FAILED"]) == [failed]
    assert (await ada.one(MARK, id=cute))["errors"] == []
    assert await found(ada, isFavorite=True) == [cute]
    urls = [(await ada.generation(cartoon))[file]["url"] for file in ("original", "result")]
    assert (await ada.one(DELETE, ids=[cartoon]))["deletedIds"] == [cartoon]
    assert await found(ada) == [failed, cute]

    async def are_deleted() -> bool:
        return {(await ada.http.get(url)).status_code for url in urls} == {404}

    await until(are_deleted)
    assert await ada.credits() == 8, "deletion refunds nothing"
    await assert_invariants(product.services)


async def test_photo_is_required_as_jpeg_or_png_up_to_ten_mebibytes(product: Running) -> None:
    ada = await product.api.sign_up()
    style = await ada.style("cute", "plushify")
    assert (await ada.refused(CREATE, input={"styleId": style}))["field"] == ["image"]
    webp = await ada.refused(CREATE, {"input.image": photo(64, 48, "WEBP")}, input={"styleId": style})
    assert (webp["code"], webp["field"]) == ("INVALID_INPUT", ["image"])
    for type in ("image/jpeg", "image/png"):
        assert (await ada.one(UPLOAD, input={"contentType": type, "byteSize": 10 * MIB}))["errors"] == []
        large = await ada.refused(UPLOAD, input={"contentType": type, "byteSize": 10 * MIB + 1})
        assert large["field"] == ["byteSize"]
    assert await ada.credits() == 10
