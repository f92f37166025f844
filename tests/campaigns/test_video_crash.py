"""A video whose worker is killed at a named point: its job is resumed, and never submitted again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from models import Generation
from models.database.connection import open_database
from services.core.crashpoint import Point
from services.integrations.videos.sample import tiny_video
from tests.campaigns.crash_campaign import Deployment
from tests.campaigns.crash_fork_client import CrashForkClient, kill_or_crash
from tests.campaigns.crash_plan import EMBEDDED, STANDALONE
from tests.campaigns.crash_server import log_file
from tests.support.client import Api, until
from tests.support.fakes.openrouter_videos import ScriptedVideos

# Where the job's id is on the row, so that any worker goes on; and before, where it is not known whether there is one.
RESUMED: tuple[Point, ...] = (
    "video.job_recorded",
    "video.waiting",
    "video.due",
    "video.fetched",
    "file.row_written",
    "file.picture_written",
    "file.bytes_written",
    "worker.stored",
    "worker.before_completion",
    "completion.before_commit",
)
FAILED: tuple[Point, ...] = ("worker.before_call", "video.submitted")
BACK: tuple[Point, ...] = ("worker.claimed",)
WAIT = 60.0  # seconds, for a process to reach its crash point, or for the end of the video


@pytest.fixture(scope="module")
async def fork_client() -> AsyncIterator[CrashForkClient]:
    async with CrashForkClient().running() as fork_client:
        yield fork_client


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(tiny_video()) as fake:
        fake.ends_after(1)
        yield fake


@pytest.fixture
def deployment(database: str, fork_client: CrashForkClient, tmp_path: Path, videos: ScriptedVideos) -> Deployment:
    settings = {"openrouter_base_url": videos.base_url}
    return Deployment(fork_client, EMBEDDED, database, tmp_path, settings, videos=videos)


async def killed_at(deployment: Deployment, point: Point, mutant: str | None = None) -> Generation:
    """Order a video from a process that is killed at the point, let another one go on, and return the ended row."""
    async with open_database(deployment.database), httpx.AsyncClient(base_url=deployment.fork_client.address) as http:
        process = await deployment.fork(STANDALONE, point=point, mutant=mutant)
        ada = await Api(http, deployment.fork_client.address).sign_up("ada@example.com")
        with suppress(httpx.TransportError):  # killed before its answer
            created = await ada.create(prompt="A fox in the snow", media="VIDEO")
            assert created["errors"] == []
        await asyncio.wait([process.exit_code], timeout=WAIT)
        assert await kill_or_crash(process, log_file(deployment.folder)), f"{point} was not reached"
        process = await deployment.fork(STANDALONE, mutant=mutant)
        try:
            await until(lambda: Generation.exists(status__in=["COMPLETED", "FAILED"]))
            return await Generation.get()
        finally:
            await kill_or_crash(process, log_file(deployment.folder))


@pytest.mark.parametrize("point", RESUMED)
async def test_job_is_resumed(deployment: Deployment, videos: ScriptedVideos, point: Point) -> None:
    row = await killed_at(deployment, point)
    assert (row.status, row.provider_job_id, row.provider_calls) == ("COMPLETED", videos.jobs[0].id, 1)
    assert len(videos.jobs) == 1


@pytest.mark.parametrize("point", FAILED)
async def test_job_of_unknown_outcome_is_refunded_and_not_submitted_again(
    deployment: Deployment, videos: ScriptedVideos, point: Point
) -> None:
    row = await killed_at(deployment, point)
    assert (row.status, row.error_code, row.refunded, row.provider_calls) == ("FAILED", "UNAVAILABLE", True, 1)
    assert len(videos.jobs) == (point == "video.submitted")


@pytest.mark.parametrize("point", BACK)
async def test_video_that_was_not_submitted_goes_back_to_the_queue(
    deployment: Deployment, videos: ScriptedVideos, point: Point
) -> None:
    row = await killed_at(deployment, point)
    assert (row.status, row.provider_calls, len(videos.jobs)) == ("COMPLETED", 1, 1)


@pytest.mark.mutants
async def test_job_that_is_recorded_too_late_is_detected(deployment: Deployment, videos: ScriptedVideos) -> None:
    row = await killed_at(deployment, "video.job_recorded", "job_recorded_too_late")
    assert (row.status, row.provider_job_id, len(videos.jobs)) == ("FAILED", None, 1)
