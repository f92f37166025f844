"""The flash product's videos: a pass allows some in each of its hours, counted apart from its images."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from main import prepare
from models import Pass
from services.integrations.videos.sample import tiny_video
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running
from tests.products.test_flash import HOUR, ORDER, SUNSET, an_hour_later, holding, sunset
from tests.support.client import Api, photo
from tests.support.fakes.openrouter_videos import ScriptedVideos, failed
from tests.support.integrity import assert_invariants

pytestmark = pytest.mark.any_database

ALLOWANCES = "{ viewer { credits pass { images { used remaining resetsAt } videos { used remaining resetsAt } } } }"
QUOTE = "query($input: QuoteInput!) { quote(input: $input) { cost paidBy affordable } }"
MEDIA = """
query($media: MediaKind!) { viewer { generations(filter: { media: $media }) { nodes { id media } } } }"""


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(tiny_video()) as fake:
        yield fake


@pytest.fixture
async def flash(scripted_settings: Settings, videos: ScriptedVideos) -> AsyncIterator[Running]:
    changes: dict[str, Any] = {
        "profile": "flash",
        "signup_credits": None,
        "rate_limits": Switch.ON,
        "openrouter_base_url": videos.base_url,
        "video_poll_seconds": 0.1,
    }
    settings = scripted_settings.model_copy(update=changes)
    await prepare(settings)
    async with running(settings) as found:
        yield found


async def video(client: Api) -> dict[str, Any]:
    """Request one video, and wait for its end."""
    made = await client.create(prompt=SUNSET, media="VIDEO")
    assert made["errors"] == []
    ended: dict[str, Any] = await client.wait_for_end(made["generations"][0]["id"])
    return ended


async def allowances(client: Api) -> dict[str, Any]:
    found: dict[str, Any] = (await client.one(ALLOWANCES))["pass"]
    return found


async def test_pass_allows_three_images_and_one_video_per_hour(flash: Running, videos: ScriptedVideos) -> None:
    ada = await flash.api.sign_up()
    held = await holding(ada)
    quote = await ada.one(QUOTE, input={"media": "VIDEO", "count": 1})
    assert quote == {"cost": 0, "paidBy": "PASS", "affordable": True}
    made = [await sunset(ada), await video(ada), await sunset(ada), await sunset(ada)]
    assert {(one["status"], one["cost"], one["paidBy"]) for one in made} == {("COMPLETED", 0, "PASS")}
    spent = await allowances(ada)
    assert (spent["images"]["used"], spent["images"]["remaining"]) == (3, 0)
    assert (spent["videos"]["used"], spent["videos"]["remaining"]) == (1, 0)
    for media in ("images", "videos"):
        refused = await ada.refused(ORDER, input={"prompt": SUNSET, "media": media[:-1].upper()})
        assert (refused["code"], refused["resetsAt"]) == ("QUOTA_EXCEEDED", spent[media]["resetsAt"])
        assert datetime.fromisoformat(refused["resetsAt"]) - datetime.fromisoformat(held["startedAt"]) == HOUR
    await an_hour_later(ada)
    assert ((await video(ada))["status"], (await sunset(ada))["status"]) == ("COMPLETED", "COMPLETED")
    assert len(videos.jobs) == 2
    assert await ada.ledger() == [], "nothing is paid with credits"
    await assert_invariants(flash.services)


async def test_failed_video_returns_its_allowance(flash: Running, videos: ScriptedVideos) -> None:
    ada = await flash.api.sign_up()
    await holding(ada)
    videos.ends_after(1, failed())
    ended = await video(ada)
    assert (ended["status"], ended["refunded"]) == ("FAILED", True)
    assert (await allowances(ada))["videos"]["remaining"] == 1
    await assert_invariants(flash.services)


async def test_images_and_videos_are_listed_apart_and_counted(flash: Running) -> None:
    ada = await flash.api.sign_up()
    await holding(ada)
    image, clip = await sunset(ada), await video(ada)
    for media, made in (("IMAGE", image), ("VIDEO", clip)):
        nodes = (await ada.one(MEDIA, media=media))["generations"]["nodes"]
        assert nodes == [{"id": made["id"], "media": media}]
    held = await Pass.get(user_id=ada.user["id"])
    assert (held.images_used, held.videos_used) == (1, 1)


async def test_photo_is_refused_for_a_video(flash: Running) -> None:
    ada = await flash.api.sign_up()
    await holding(ada)
    refused = await ada.refused(ORDER, {"input.image": photo(64, 48)}, input={"prompt": SUNSET, "media": "VIDEO"})
    assert refused["code"] == "INVALID_INPUT"
