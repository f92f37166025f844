"""The flash product's videos with a Hugging Face token alone: one an hour, by the inference providers' queues."""

from typing import Any

import pytest

from models import Generation
from settings import Settings
from tests.conftest import Running, running
from tests.products.huggingface.conftest import VIDEO_MODEL
from tests.support.client import Api
from tests.support.development_checkout import buy
from tests.support.fakes import huggingface_response as scripted
from tests.support.fakes.huggingface import ScriptedHuggingFace
from tests.support.huggingface_server import huggingface_settings, running_on_huggingface
from tests.support.integrity import assert_invariants
from tests.support.passes import PASS, QUOTA

pytestmark = pytest.mark.any_database

SUNSET = "a beautiful sunset over mountains"


async def make(client: Api, **more: Any) -> Any:
    """Request one image or video, and wait for its end."""
    made = await client.create(prompt=SUNSET, **more)
    assert made["errors"] == []
    return await client.wait_for_end(made["generations"][0]["id"])


async def left(client: Api) -> tuple[int, int]:
    """Return the images and videos that are left of this hour."""
    held = (await client.one(PASS))["pass"]
    return held["images"]["remaining"], held["videos"]["remaining"]


async def test_three_images_and_one_video_an_hour(flash: Running, ada: Api, fake: ScriptedHuggingFace) -> None:
    video = await make(ada, media="VIDEO")
    found = (video["status"], video["provider"], video["model"], video["paidBy"], video["cost"])
    assert found == ("COMPLETED", "huggingface", f"{VIDEO_MODEL}:fal-ai", "PASS", 0)
    [order] = fake.videos.orders
    assert SUNSET in order.body["prompt"]
    for _ in range(3):
        assert (await make(ada))["status"] == "COMPLETED"
    assert await left(ada) == (0, 0)
    for media in ("IMAGE", "VIDEO"):
        refused = await ada.refused(QUOTA, input={"prompt": SUNSET, "media": media})
        assert (refused["code"], bool(refused["resetsAt"])) == ("QUOTA_EXCEEDED", True)
    assert len(fake.videos.orders) == 1
    await assert_invariants(flash.services, all_ended=True)


async def test_failed_or_refused_video_returns_its_place(flash: Running, ada: Api, fake: ScriptedHuggingFace) -> None:
    fake.videos.error = "NSFW content"
    ended = await make(ada, media="VIDEO")
    assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "CONTENT_REJECTED", True)
    fake.videos.error = None
    for answer, code in (
        (scripted.no_credits(), "PROVIDER_MISCONFIGURED"),
        (scripted.error(500), "PROVIDER_UNAVAILABLE"),
        (scripted.unprocessable(), "GENERATION_FAILED"),
    ):
        fake.videos.answer = answer
        ended = await make(ada, media="VIDEO")
        assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", code, True)
        assert await left(ada) == (3, 1)
    await assert_invariants(flash.services, all_ended=True)


async def test_another_process_asks_about_a_job_and_never_orders_it_again(
    settings: Settings, fake: ScriptedHuggingFace
) -> None:
    fake.videos.polls = 1_000_000
    changed = huggingface_settings(settings, fake, video_poll_seconds=0.1, generation_lease_seconds=1.0)
    async with running_on_huggingface(settings, fake, video_poll_seconds=0.1, generation_lease_seconds=1.0) as first:
        ada = await first.api.sign_up()
        await buy(ada, plan="flash-lite")
        made = await ada.create(prompt=SUNSET, media="VIDEO")
        await fake.videos.asked.wait()
    fake.videos.polls = 0
    fake.videos.finish()
    async with running(changed) as second:
        ended = await Api(second.api.http, second.api.address, ada.token).wait_for_end(made["generations"][0]["id"])
        assert ended["status"] == "COMPLETED"
        row = await Generation.get(id=ended["id"])
        assert row.provider_job_id == "job-0"
        assert len(fake.videos.orders) == 1
        await assert_invariants(second.services, all_ended=True)
