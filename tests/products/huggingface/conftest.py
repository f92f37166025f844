"""The flash product on a scripted Hugging Face, by its token alone, and a user with a pass."""

from collections.abc import AsyncIterator

import pytest

from settings import Settings
from tests.conftest import Running
from tests.support.client import Api
from tests.support.corpus.videos import clip
from tests.support.development_checkout import buy
from tests.support.fakes.huggingface import ScriptedHuggingFace
from tests.support.huggingface_server import running_on_huggingface

VIDEO_MODEL = "Wan-AI/Wan2.2-T2V-A14B"


@pytest.fixture
async def fake() -> AsyncIterator[ScriptedHuggingFace]:
    async with ScriptedHuggingFace() as fake:
        fake.videos.content = clip()
        fake.videos.serve(VIDEO_MODEL, "fal-ai")
        yield fake


@pytest.fixture
async def flash(settings: Settings, fake: ScriptedHuggingFace) -> AsyncIterator[Running]:
    async with running_on_huggingface(settings, fake, video_poll_seconds=0.1) as server:
        yield server


@pytest.fixture
async def ada(flash: Running) -> Api:
    """A new user with a pass for three images and one video an hour, bought at the checkout."""
    client = await flash.api.sign_up()
    await buy(client, plan="flash-lite")
    return client
