"""The mother of the chaos drills' servers and workers: it has imported everything, and forks one process after another.

On standard input comes one line of JSON for each process (`Order`); back come lines of JSON: its process id, and, when
it has ended, its exit code. Each does what `main.py serve` and `main.py worker` do, with a provider that costs nothing.
"""

import argparse
import asyncio
import ctypes
import io
import json
import os
import random
import select
import signal
import sys
import traceback
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite  # noqa: F401 - imported here once, so that no process has to
import asyncpg  # noqa: F401 - as above
import httptools  # noqa: F401 - as above
import uvloop  # noqa: F401 - as above
from PIL import Image

import main
from services.integrations.image_provider import FinalImage, ImageRequest, Progress, ProviderEvent
from services.integrations.redis_bus import RedisBackend
from settings import load_settings

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PROVIDER_SECONDS = 0.05
LOSS = 0.3  # of the messages on the bus, in the drill that loses any
REAP_SECONDS = 0.02  # how often the mother looks who has ended


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
    settings = load_settings(_env_file=None, **order.settings)
    main.configure_logs(settings)
    main.make_provider = lambda settings: QuickProvider(tally(Path(order.folder)))
    lose_messages(Path(order.folder), random.Random(order.seed))
    return main.run(argparse.Namespace(command=order.command), settings)


def end_with_parent(parent: int) -> None:
    """Leave nothing running when the tests are gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def answer(**said: int) -> None:
    os.write(sys.stdout.fileno(), json.dumps(said).encode() + b"\n")


def fork(order: Order) -> int:
    mother = os.getpid()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            end_with_parent(mother)
            code = live(order)
        except Exception:  # noqa: BLE001 - whatever it is, the log has it
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def bear() -> None:
    children = 0
    orders = open(0, "rb", buffering=0)  # noqa: SIM115 - unbuffered, or select would not see a second line
    while True:
        if select.select([orders], [], [], REAP_SECONDS)[0]:
            line = orders.readline()
            if not line:
                return
            answer(pid=fork(Order(**json.loads(line))))
            children += 1
        while children and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            children -= 1
            answer(pid=ended[0], code=os.waitstatus_to_exitcode(ended[1]))


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    bear()
