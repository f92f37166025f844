"""The fork server of the chaos drills' servers and workers.

Each process (`ProcessSpec`) does what `main.py serve` or `main.py worker` does, with a provider that costs nothing.
"""

import asyncio
import faulthandler
import io
import os
import random
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite  # noqa: F401 - imported once, before the forks
import asyncpg  # noqa: F401 - as above
import httptools  # noqa: F401 - as above
import uvloop  # noqa: F401 - as above
from PIL import Image

import adapters
import main
from logs import configure_logs
from services.integrations.messaging.redis_backend import SharedBackend
from services.integrations.providers.protocol import FinalImage, ImageRequest, Progress, ProviderEvent
from settings import load_settings
from tests.campaigns.fork_server import serve_forks

PROVIDER_SECONDS = 0.05
LOSS = 0.3  # the share of bus messages that the loss_file drill drops


@dataclass(frozen=True)
class ProcessSpec:
    """One process: its command, its settings, and where its log goes."""

    command: str
    log: str
    settings: dict[str, Any]
    folder: str  # of the deployment
    seed: int


def call_log(folder: Path) -> Path:
    """Return the file in which the provider records its calls, one line each."""
    return folder / "calls"


class QuickProvider:
    """An ImageProvider that returns one prepared picture: the drills test everything around it."""

    name = "quick"

    def __init__(self, calls: Path) -> None:
        self._calls = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        picture = io.BytesIO()
        Image.new("RGB", (64, 48), "#806040").save(picture, "JPEG")
        self._picture = picture.getvalue()

    def max_reference_bytes(self, request: ImageRequest) -> None:
        return

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        os.write(self._calls, f"{request.generation_id}\n".encode())
        yield Progress(0.5)
        await asyncio.sleep(PROVIDER_SECONDS)
        yield FinalImage(self._picture, model="quick", cost=0.01, request_id=None)

    async def aclose(self) -> None:
        os.close(self._calls)


def loss_file(folder: Path) -> Path:
    """Return the file whose existence makes the bus drop messages; it has one byte per dropped message."""
    return folder / "loss_file"


def drop_messages(folder: Path, rng: random.Random) -> None:
    """Drop some of the published messages, as a network would."""
    publish, post = SharedBackend.publish, SharedBackend.post

    def is_dropped() -> bool:
        if not loss_file(folder).exists() or rng.random() >= LOSS:
            return False
        with loss_file(folder).open("a") as dropped:
            dropped.write(".")
        return True

    async def publish_or_drop(self: SharedBackend, channel: str, message: str) -> None:
        if not is_dropped():
            await publish(self, channel, message)

    def post_or_drop(self: SharedBackend, channel: str, message: str) -> None:
        if not is_dropped():
            post(self, channel, message)

    SharedBackend.publish = publish_or_drop  # type: ignore[method-assign]  # the faults of this drill
    SharedBackend.post = post_or_drop  # type: ignore[method-assign]


def run(spec: ProcessSpec) -> int:
    """Run a server or a worker until it is stopped; return its exit code."""
    with Path(spec.log).open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    faulthandler.enable()  # a crash of the interpreter prints its stack to the same log
    settings = load_settings(_env_file=None, **spec.settings)
    configure_logs(settings)
    adapters.make_provider = lambda settings: QuickProvider(call_log(Path(spec.folder)))
    drop_messages(Path(spec.folder), random.Random(spec.seed))
    return main.run_command(main.parse_arguments([spec.command]), settings)


if __name__ == "__main__":
    serve_forks(ProcessSpec, run)
