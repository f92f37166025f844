"""The quality that came: measured by the result's size, and refunded where it is lower than ordered."""

from typing import Any

import pytest

from models import Collection, CreditTransaction, Generation
from models.enum import MediaKind, Quality
from services.generations.delivered_quality import quality_of, size_refund
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import good_picture, picture
from tests.support.integrity import assert_invariants, make_admin

PROFILE = "plushify-quality"
PHOTO = photo(64, 48)
DELIVERED = "query($id: ID!) { viewer { generation(id: $id) { quality deliveredQuality cost sizeRefund refunded } } }"
LEDGER = """{ viewer { transactions(first: 20) { nodes { type amount description metadata generation { id } } } } }"""
REFUND = """mutation($id: ID!, $reason: String!) { adminRefundGeneration(id: $id, reason: $reason) {
    generation { refunded cost sizeRefund } errors { code } } }"""

# OpenRouter's and Google's sizes at 1K, 2K and 4K, and other sizes that are sold as such.
SIZES = {
    Quality.STANDARD: [
        (1024, 1024),
        (1536, 672),
        (832, 1248),
        (768, 1344),
        (512, 2048),
        (3072, 384),
        (512, 512),
        (1, 1),
    ],
    Quality.HD: [(2048, 2048), (3072, 1344), (1664, 2496), (1920, 1080), (1024, 4096), (2048, 878)],
    Quality.ULTRA: [(4096, 4096), (6144, 2688), (3328, 4992), (3840, 2160), (2048, 8192)],
}


@pytest.mark.parametrize(("quality", "size"), [(quality, size) for quality, sizes in SIZES.items() for size in sizes])
def test_quality_of_every_size(quality: Quality, size: tuple[int, int]) -> None:
    assert quality_of(*size) is quality_of(size[1], size[0]) is quality


# 480p, 720p, 1080p, 1440p and 4K of models whose other shapes have as many lines, and of those with as many pixels.
VIDEO_SIZES = {
    Quality.STANDARD: [(854, 480), (1280, 720), (720, 720), (960, 960), (1470, 630), (1680, 720), (64, 64)],
    Quality.HD: [(1920, 1080), (1080, 1080), (1440, 1080), (1440, 1440), (2206, 946), (2520, 1080), (2560, 1440)],
    Quality.ULTRA: [(3840, 2160), (2160, 2160), (4412, 1890)],
}


@pytest.mark.parametrize(
    ("quality", "size"), [(quality, size) for quality, sizes in VIDEO_SIZES.items() for size in sizes]
)
def test_quality_of_every_size_of_a_video(quality: Quality, size: tuple[int, int]) -> None:
    video = MediaKind.VIDEO
    assert quality_of(*size, video) is quality_of(size[1], size[0], video) is quality


def test_difference_is_to_the_price_of_what_came() -> None:
    lower = {"STANDARD": 1, "HD": 2}
    assert [size_refund(4, lower, quality) for quality in (*Quality, None)] == [3, 2, 0, 0]
    assert size_refund(0, {}, Quality.STANDARD) == 0


async def order(api: Api, quality: str, **input: Any) -> str:
    made = await api.create(PHOTO, styleId=await api.style("cute", "plushify"), quality=quality, **input)
    assert made["errors"] == []
    ended = await api.wait_for_end(made["generations"][0]["id"])
    assert ended["status"] == "COMPLETED"
    return str(ended["id"])


async def delivered(api: Api, id: str) -> tuple[Any, ...]:
    found = (await api.one(DELIVERED, id=id))["generation"]
    return found["deliveredQuality"], found["cost"], found["sizeRefund"], found["refunded"]


@pytest.mark.any_database
async def test_difference_to_the_size_that_came_is_refunded(product: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await product.api.sign_up()
    openrouter.script(picture(good_picture(1024, 1024)), picture(good_picture(1920, 1080)))
    small, middle = await order(ada, "ULTRA"), await order(ada, "ULTRA")
    assert await delivered(ada, small) == ("STANDARD", 4, 3, False)
    assert await delivered(ada, middle) == ("HD", 4, 2, False)
    assert await ada.credits() == 10 - 1 - 2
    lines = (await ada.one(LEDGER))["transactions"]["nodes"]
    assert [(line["type"], line["amount"], line["generation"] and line["generation"]["id"]) for line in lines] == [
        ("REFUND", 2, middle),
        ("DEDUCTION", -4, middle),
        ("REFUND", 3, small),
        ("DEDUCTION", -4, small),
        ("BONUS", 10, None),
    ]
    assert lines[0]["description"] == "Refunded in part: the result is smaller than ordered"
    assert lines[0]["metadata"] == {"reason": "smaller", "ordered": "ULTRA", "delivered": "HD"}
    await assert_invariants(product.services)


@pytest.mark.any_database
async def test_size_that_was_ordered_is_paid_in_full(product: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await product.api.sign_up()
    openrouter.script(picture(good_picture(2048, 1152)))
    assert await delivered(ada, await order(ada, "HD")) == ("HD", 2, 0, False)
    assert await delivered(ada, await order(ada, "STANDARD")) == ("HD", 1, 0, False)
    assert await ada.credits() == 10 - 2 - 1
    await assert_invariants(product.services)


@pytest.mark.any_database
async def test_factor_of_the_model_is_part_of_the_difference(product: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await product.api.sign_up()
    openrouter.script(picture(good_picture(1024, 1024)))
    id = await order(ada, "ULTRA", model="google/gemini-3-pro-image")
    assert await delivered(ada, id) == ("STANDARD", 8, 6, False)
    assert await ada.credits() == 10 - 2
    await assert_invariants(product.services)


@pytest.mark.any_database
async def test_refund_by_an_admin_returns_what_is_left(product: Running, openrouter: ScriptedOpenRouter) -> None:
    ada, admin = await product.api.sign_up(), await make_admin(product.api)
    openrouter.script(picture(good_picture(1024, 1024)))
    id = await order(ada, "HD")
    assert await ada.credits() == 10 - 1
    refund = await admin.one(REFUND, id=id, reason="Blurred.")
    assert refund["generation"] == {"refunded": True, "cost": 2, "sizeRefund": 1}
    assert await ada.credits() == 10
    assert await CreditTransaction.filter(generation_id=id, type="REFUND").order_by("sequence").values_list(
        "amount", "reference"
    ) == [(1, f"refund-size:{id}"), (1, f"refund:{id}")]
    await assert_invariants(product.services)


@pytest.mark.any_database
async def test_prices_of_the_time_of_the_order_apply(product: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await product.api.sign_up()
    openrouter.script(picture(good_picture(1024, 1024)))
    openrouter.answering.clear()
    made = await ada.create(PHOTO, styleId=await ada.style("cute", "plushify"), quality="HD")
    row = await Generation.get(id=made["generations"][0]["id"])
    assert (row.cost, row.lower_costs) == (2, {"STANDARD": 1})
    await Collection.filter(slug="plushify").update(base_cost=2)
    openrouter.answering.set()
    await ada.wait_for_end(row.id)
    assert await delivered(ada, row.id) == ("STANDARD", 2, 1, False)
