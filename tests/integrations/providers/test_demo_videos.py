"""The demo provider's videos: jobs that live in their ids, and clips of the user's photo or a drawn scene."""

import pytest

from models.enum import ErrorCode
from services.integrations.providers.demo.videos import DemoVideos
from services.integrations.providers.protocol import ImageRequest, ProviderError, ReferencePhoto
from services.integrations.providers.video import JobDone, JobRunning, VideoJob
from tests.conftest import Running
from tests.support.client import photo

REQUEST = ImageRequest("gen_1", "A fox in the snow", style="sandbox/free")
RESULT = """
query($id: ID!) { viewer { generation(id: $id) { media model result { contentType durationSeconds posterUrl } } } }"""


async def test_job_goes_on_in_another_process() -> None:
    now = 1_000.0
    first, second = DemoVideos(4.0, clock=lambda: now), DemoVideos(4.0, clock=lambda: now)
    job = await first.submit(REQUEST)
    assert job.ask_after == 4.0
    now += 1.0
    assert await second.poll(VideoJob(job.id)) == JobRunning(0.25, ask_after=3.0)
    now += 3.0
    assert await second.poll(VideoJob(job.id)) == JobDone(model="demo-video")


async def test_clip_begins_with_the_photo() -> None:
    async def read() -> ReferencePhoto:
        return ReferencePhoto(photo(96, 64), "image/jpeg", 96, 64)

    videos = DemoVideos(0)
    job = await videos.submit(REQUEST)
    clip = await videos.fetch(job, JobDone(), REQUEST, read)
    assert clip == await videos.fetch(job, JobDone(), REQUEST, read), "a worker that takes over makes the same clip"
    assert clip[4:8] == b"ftyp"


@pytest.mark.parametrize("id", ["", "vid-000001", "demo-x-gen_1", "demo-1-"])
async def test_job_of_another_provider_has_ended(id: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await DemoVideos().poll(VideoJob(id))
    assert (caught.value.code, caught.value.may_retry) == (ErrorCode.GENERATION_FAILED, False)


async def test_video_is_made_without_a_key(server: Running) -> None:
    ada = await server.api.sign_up("ada@example.com")
    created = await ada.create(photo(96, 64), styleId=await ada.style("free", "sandbox"), prompt="Snow", media="VIDEO")
    assert created["errors"] == []
    ended = await ada.wait_for_end(created["generations"][0]["id"])
    assert ended["status"] == "COMPLETED"
    made = (await ada.one(RESULT, id=ended["id"]))["generation"]
    assert (made["media"], made["model"], made["result"]["contentType"]) == ("VIDEO", "demo-video", "video/mp4")
    assert made["result"]["durationSeconds"] == pytest.approx(3.0, abs=0.2)
    assert made["result"]["posterUrl"] is not None
