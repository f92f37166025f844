"""Completed generations whose result is a video, stored as a worker stores it."""

from functools import partial

from models import Generation
from models.enum import FileKind, MediaKind
from services.generations.claim import Claim
from services.integrations.providers.protocol import FinalImage
from tests.conftest import Running
from tests.support.client import Api
from tests.support.corpus.videos import clip


async def video_result(server: Running, api: Api, video: bytes | None = None) -> str:
    """Create a generation on an idle server, complete it with a video, and return its id."""
    (made,) = (await api.create(prompt="A fox"))["generations"]
    claim = await Claim.take(made["id"], "test", 60, 99)
    assert claim is not None
    await claim.record_call("demo")
    clean = await server.services.integrations.videos.clean(video if video is not None else clip(sound="aac"))
    write_row = partial(claim.store_row, progress=0.95)
    file = await server.services.media.files.store(claim.generation.user_id, FileKind.RESULT, clean, write_row)
    await claim.complete(file.id, FinalImage(b"", "demo", None, None))
    await Generation.filter(id=made["id"]).update(media=MediaKind.VIDEO)
    return str(made["id"])
