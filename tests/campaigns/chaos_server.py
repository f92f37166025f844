"""The mother of the chaos drills' servers and workers: it has imported everything, and forks one process after another.

Each (`Order`) does what `main.py serve` and `main.py worker` do, with a provider that costs nothing.
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

import aiosqlite  # noqa: F401 - imported here once, so that no process has to
import asyncpg  # noqa: F401 - as above
import httptools  # noqa: F401 - as above
import uvloop  # noqa: F401 - as above
from PIL import Image

import composition
import main
from logs import configure_logs
from services.integrations.messaging.redis_pubsub import RedisBackend
from services.integrations.providers.protocol import FinalImage, ImageRequest, Progress, ProviderEvent
from settings import load_settings
from tests.campaigns.fork_server import fork_orders

PROVIDER_SECONDS = 0.05
LOSS = 0.3  # of the messages on the bus, in the drill that loses any


@dataclass(frozen=True)
class Order:
    """One process: what it is told on its command line and in its environment, and where its log goes."""

    command: str
    log: str
    settings: dict[str, Any]
    folder: str  # of the site
    seed: int


def tally(folder: Path) -> Path:
    """The file in which the provider counts its calls, one line each."""
    return folder / "calls"


class QuickProvider:
    """An ImageProvider whose one picture costs nothing to make: what is drilled here is everything around it."""

    name = "quick"

    def __init__(self, calls: Path) -> None:
        self._calls = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        picture = io.BytesIO()
        Image.new("RGB", (64, 48), "#806040").save(picture, "JPEG")
        self._picture = picture.getvalue()

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        os.write(self._calls, f"{request.generation_id}\n".encode())
        yield Progress(0.5)
        await asyncio.sleep(PROVIDER_SECONDS)
        yield FinalImage(self._picture, model="quick", cost=0.01, request_id=None)

    async def aclose(self) -> None:
        os.close(self._calls)


def lossy(folder: Path) -> Path:
    """While this file is there, messages of the bus get lost; it has one byte for each of them."""
    return folder / "lossy"


def lose_messages(folder: Path, dice: random.Random) -> None:
    """Make Redis forget some of what is published, as a network would."""
    publish = RedisBackend.publish

    async def losing(self: RedisBackend, channel: str, message: str) -> None:
        if lossy(folder).exists() and dice.random() < LOSS:
            with lossy(folder).open("a") as tally:
                tally.write(".")
        else:
            await publish(self, channel, message)

    RedisBackend.publish = losing  # type: ignore[method-assign]  # the fault of this drill


def live(order: Order) -> int:
    """Be a server or a worker until told to stop; the exit code."""
    with Path(order.log).open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    faulthandler.enable()  # a crash of the interpreter itself says where, in the same log
    settings = load_settings(_env_file=None, **order.settings)
    configure_logs(settings)
    composition.make_provider = lambda settings: QuickProvider(tally(Path(order.folder)))  # type: ignore[attr-defined]  # it is there by import
    lose_messages(Path(order.folder), random.Random(order.seed))
    return main.run(main.parse_arguments([order.command]), settings)


if __name__ == "__main__":
    fork_orders(Order, live)
