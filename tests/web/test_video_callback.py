"""OpenRouter's callback at the end of a video: its signature, and what it wakes up."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from models import Generation
from services.integrations.videos.sample import tiny_video
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import until
from tests.support.fakes.openrouter_videos import COMPLETED, SECRET, Job, ScriptedVideos

FOREVER = 300.0  # seconds between two questions: only a callback makes a job end before


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(tiny_video()) as fake:
        yield fake


@pytest.fixture
async def studio(scripted_settings: Settings, videos: ScriptedVideos) -> AsyncIterator[Running]:
    changes: dict[str, Any] = {
        "openrouter_base_url": videos.base_url,
        "openrouter_webhook_secret": ("an older secret", SECRET),
        "video_poll_seconds": FOREVER,
    }
    async with running(scripted_settings.model_copy(update=changes)) as found:
        yield found


async def waiting_video(studio: Running) -> str:
    """Order a video, and return its id as soon as its job waits."""
    ada = await studio.api.sign_up("ada@example.com")
    created = await ada.create(prompt="A fox", media="VIDEO", model="google/veo-3.1")
    id = str(created["generations"][0]["id"])
    await until(lambda: Generation.exists(id=id, provider_job_id__isnull=False, worker__isnull=True))
    return id


async def test_callback_wakes_the_worker_up(studio: Running, videos: ScriptedVideos) -> None:
    id = await waiting_video(studio)
    for _ in range(3):  # delivered repeatedly
        assert (await videos.call_back(studio.api.address, videos.jobs[0])).status_code == 202
    await until(lambda: Generation.exists(id=id, status="COMPLETED"))
    assert (await videos.call_back(studio.api.address, videos.jobs[0])).status_code == 202
    assert [job.asked for job in videos.jobs] == [1]


async def test_callback_is_only_a_hint(studio: Running, videos: ScriptedVideos) -> None:
    videos.ends_after(1)
    id = await waiting_video(studio)
    job = videos.jobs[0]
    assert (await videos.call_back(studio.api.address, job)).status_code == 202

    async def is_asked() -> bool:
        return job.asked == 1

    await until(is_asked)
    await until(lambda: Generation.exists(id=id, worker__isnull=True, status="PROCESSING"))


async def test_unknown_job_and_other_events_are_accepted(studio: Running, videos: ScriptedVideos) -> None:
    await waiting_video(studio)
    job = videos.jobs[0]
    assert (await videos.call_back(studio.api.address, job, kind="credits.low")).status_code == 202
    job.id = "vid-of-another-account"
    assert (await videos.call_back(studio.api.address, job)).status_code == 202
    assert job.asked == 0


@pytest.mark.parametrize(
    ("signature", "status"),
    [
        ("", 401),
        ("t=1,v1=00", 401),
        ("t={t}", 401),
        ("v1={v1}", 401),
        ("t={t},t={t},v1={v1}", 401),
        ("t={t}0,v1={v1}", 401),
        ("t={t},v1={v1}0", 401),
        ("t=\u0661,v1={v1}", 401),
        ("t={t},v1=\u00e9", 401),
        ("t={t},v1={v1}", 202),
        ("t={t}, v1=00, v1={V1}", 202),
    ],
)
async def test_signature_is_checked(studio: Running, videos: ScriptedVideos, signature: str, status: int) -> None:
    await waiting_video(studio)
    body, headers = videos.signed_callback(videos.jobs[0])
    t, v1 = (part.partition("=")[2] for part in headers["x-openrouter-signature"].split(","))
    sent = {**headers, "x-openrouter-signature": signature.format(t=t, v1=v1, V1=v1.upper())}
    raw = [(name.encode(), value.encode()) for name, value in sent.items()]
    answer = await studio.api.http.post("/webhooks/openrouter", content=body, headers=raw)
    assert answer.status_code == status


@pytest.mark.parametrize("seconds", [-301, 302])
async def test_old_signature_is_refused(studio: Running, videos: ScriptedVideos, seconds: float) -> None:
    await waiting_video(studio)
    _, headers = videos.signed_callback(videos.jobs[0])
    now = float(headers["x-openrouter-signature"].split(",")[0].removeprefix("t="))
    for secret, at in ((None, now + seconds), ("another", now)):
        answer = await videos.call_back(studio.api.address, videos.jobs[0], secret=secret, at=at)
        assert answer.status_code == 401


async def test_body_that_was_changed_is_refused(studio: Running, videos: ScriptedVideos) -> None:
    await waiting_video(studio)
    body, headers = videos.signed_callback(videos.jobs[0])
    answer = await studio.api.http.post("/webhooks/openrouter", content=body + b" ", headers=headers)
    assert answer.status_code == 401


async def test_without_a_secret_every_callback_is_refused(server: Running) -> None:
    async with ScriptedVideos(b"") as fake:
        fake.jobs.append(Job("vid-1", {}, COMPLETED, 0))
        assert (await fake.call_back(server.api.address, fake.jobs[0])).status_code == 401
