"""Orders of videos, and a test that is their worker."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from models import Generation
from models.database.connection import rows
from services.services import Services
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, until
from tests.support.fakes.openrouter_videos import ScriptedVideos


@contextlib.asynccontextmanager
async def idle_server(settings: Settings, videos: ScriptedVideos) -> AsyncIterator[Running]:
    """A server of these videos without a worker, which the test is."""
    changes = {"openrouter_base_url": videos.base_url, "video_poll_seconds": 30.0, "video_deadline_seconds": 1200.0}
    async with running(settings.model_copy(update=changes), idle=True) as found:
        yield found


async def order(api: Api, **changes: Any) -> str:
    wanted = {"prompt": "A fox in the snow", "media": "VIDEO", "model": "google/veo-3.1", **changes}
    created = await api.create(wanted.pop("image", None), **wanted)
    assert created["errors"] == []
    return str(created["generations"][0]["id"])


async def row_of(id: str) -> Generation:
    return await Generation.get(id=id)


async def ended(id: str) -> Generation:
    await until(lambda: Generation.exists(id=id, status__in=["COMPLETED", "FAILED", "CANCELED"]))
    return await row_of(id)


async def work(services: Services) -> None:
    """Run what is waiting, once."""
    while claim := await services.generations.worker.take_next():
        await services.generations.worker.run(claim)


async def make_due(id: str) -> None:
    await rows("UPDATE generations SET lease_until = LATER($2) WHERE id = $1 AND status = 'PROCESSING'", id, -1.0)


async def go_on(services: Services, id: str) -> Generation:
    """Make the job due, ask about it once, and return the row."""
    await make_due(id)
    for claim in await services.generations.worker.take_due_jobs(8):
        await services.generations.worker.run(claim)
    return await row_of(id)
