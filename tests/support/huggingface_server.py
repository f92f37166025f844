"""A server whose pictures come from the scripted Hugging Face, configured as a deployment is: by its token alone."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from main import prepare
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.fakes.huggingface import ScriptedHuggingFace


def huggingface_settings(settings: Settings, fake: ScriptedHuggingFace, **changes: Any) -> Settings:
    """Return settings with the token and the addresses of the scripted Hugging Face, and no budget of calls."""
    return settings.model_copy(
        update={
            "huggingface_api_key": fake.token,
            "huggingface_base_url": fake.url,
            "huggingface_hub_url": fake.url,
            "huggingface_calls_per_hour": 0,
            "generation_deadline_seconds": 20.0,
            "generation_sweep_seconds": 0.2,
            "rate_limits": Switch.ON,
            "profile": "flash",
            **changes,
        }
    )


@contextlib.asynccontextmanager
async def running_on_huggingface(
    settings: Settings, fake: ScriptedHuggingFace, **changes: Any
) -> AsyncIterator[Running]:
    """Run a server with a worker; `changes`: of settings."""
    changed = huggingface_settings(settings, fake, **changes)
    await prepare(changed)
    async with running(changed) as server:
        yield server
