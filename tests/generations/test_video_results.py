"""Results of video jobs: those that are usable are shown and kept as pictures are, the others are refunded."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from models import File
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.corpus import videos as make
from tests.support.fakes.openrouter_videos import ScriptedVideos
from tests.support.integrity import assert_invariants, stored_keys

RESULT = """
query($id: ID!) { viewer { generation(id: $id) { media isFavorite shareUrl result {
  url contentType durationSeconds posterUrl thumbnailUrl width height } } } }"""
FAVORITE = "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { errors { code } } }"
SHARE = "mutation($id: ID!) { shareGeneration(id: $id) { generation { shareUrl } errors { code } } }"


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(b"") as fake:
        yield fake


@pytest.fixture
async def studio(scripted_settings: Settings, videos: ScriptedVideos) -> AsyncIterator[Running]:
    changes = {"openrouter_base_url": videos.base_url, "video_poll_seconds": 0.1, "video_deadline_seconds": 30.0}
    async with running(scripted_settings.model_copy(update=changes)) as found:
        yield found


async def order(api: Api, quality: str = "STANDARD") -> Any:
    """Order a video and return the generation once it has ended."""
    created = await api.create(prompt="A fox in the snow", media="VIDEO", model="google/veo-3.1", quality=quality)
    assert created["errors"] == []
    return await api.wait_for_end(created["generations"][0]["id"])


async def test_usable_results_are_shown_kept_and_shared(studio: Running, videos: ScriptedVideos) -> None:
    ada = await studio.api.sign_up()
    webm = make.clip(codec="libvpx", format="webm", sound="libopus")
    for video, kind in ((make.clip(2.0, sound="aac"), "video/mp4"), (webm, "video/webm")):
        videos.clip = video
        made = await order(ada)
        assert made["status"] == "COMPLETED", made
        assert (await ada.one(FAVORITE, id=made["id"]))["errors"] == []
        page = (await ada.one(SHARE, id=made["id"]))["generation"]["shareUrl"]
        found = (await ada.one(RESULT, id=made["id"]))["generation"]
        assert (found["media"], found["isFavorite"], found["shareUrl"]) == ("VIDEO", True, page)
        result = found["result"]
        assert (result["contentType"], result["width"], result["height"]) == (kind, 192, 108)
        assert result["durationSeconds"] == pytest.approx(2.0 if kind == "video/mp4" else 1.0, abs=0.1)
        for name, status in (("url", 206), ("posterUrl", 200), ("thumbnailUrl", 200)):
            headers = {"range": "bytes=0-99"} if name == "url" else {}
            assert (await ada.http.get(result[name], headers=headers)).status_code == status
        assert "<video" in (await ada.http.get(page)).text
    await assert_invariants(studio.services, all_ended=True)


async def test_unusable_results_are_refunded_and_not_kept(studio: Running, videos: ScriptedVideos) -> None:
    ada = await studio.api.sign_up()
    before = await ada.credits()
    unusable = {
        "half of it": make.short_of_samples(),
        "another length": make.stated_seconds(20),
        "another container": make.clip(format="matroska"),
        "HEVC": make.clip(codec="libx265"),
        "a web page": b"<html>Sorry</html>" * 20,
    }
    for name, video in unusable.items():
        videos.clip = video
        made = await order(ada)
        assert (made["status"], made["errorCode"], made["refunded"]) == ("FAILED", "GENERATION_FAILED", True), name
        assert made["errorMessage"]
    assert await ada.credits() == before
    assert await File.all().count() == 0
    assert await stored_keys(studio.services) == set()
    await assert_invariants(studio.services, all_ended=True, all_swept=True)


async def test_video_of_a_lower_resolution_is_refunded_down_to_the_price_of_what_came(
    studio: Running, videos: ScriptedVideos
) -> None:
    ada = await studio.api.sign_up()
    shown = "query($id: ID!) { viewer { generation(id: $id) { cost deliveredQuality sizeRefund refunded } } }"
    for size, delivered, refund in (((1920, 1080), "HD", 0), ((1280, 720), "STANDARD", 10)):
        videos.clip = make.clip(0.25, size, options=(("preset", "ultrafast"),))
        before = await ada.credits()
        made = await order(ada, "HD")
        assert made["status"] == "COMPLETED", made
        found = (await ada.one(shown, id=made["id"]))["generation"]
        assert found == {"cost": 30, "deliveredQuality": delivered, "sizeRefund": refund, "refunded": False}
        assert await ada.credits() == before - 30 + refund
    await assert_invariants(studio.services, all_ended=True)
