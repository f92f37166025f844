"""The fork server of the chaos drills' servers and workers.

Each process (`ProcessSpec`) does what `main.py serve` or `main.py worker` does, with a provider that costs nothing.
"""

import asyncio
import contextlib
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

import main
import provider_adapters
from logs import configure_logs
from models.enum import ErrorCode
from services.integrations.messaging.redis_backend import SharedBackend
from services.integrations.providers.failure_cause import FailureCause
from services.integrations.providers.protocol import (
    FinalImage,
    ImageRequest,
    KeyStatus,
    Progress,
    ProviderError,
    ProviderEvent,
)
from settings import load_settings
from tests.campaigns.fork_server import serve_forks

PROVIDER_SECONDS = 0.05
SLOW_SECONDS = 600.0  # of a provider that is slow: longer than any deadline
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


def provider_fault(folder: Path) -> Path:
    """Return the file that names the fault of the provider: `down`, `slow` or `key`; without it, there is none."""
    return folder / "provider_fault"


class QuickProvider:
    """An ImageProvider that returns one prepared picture: the drills test everything around it."""

    name = "demo"  # as the settings say, which routes go by

    def __init__(self, calls: Path) -> None:
        self._fault = provider_fault(calls.parent)
        self._calls = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        picture = io.BytesIO()
        Image.new("RGB", (64, 48), "#806040").save(picture, "JPEG")
        self._picture = picture.getvalue()

    def max_reference_bytes(self, request: ImageRequest) -> None:
        return

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        os.write(self._calls, f"{request.generation_id}\n".encode())
        fault = self._present_fault()
        if fault == "key":
            code, cause = ErrorCode.PROVIDER_MISCONFIGURED, FailureCause.KEY
            raise ProviderError(code, "HTTP 401", was_refused=True, cause=cause)
        if fault == "down":
            raise ProviderError(
                ErrorCode.PROVIDER_UNAVAILABLE, "the connection was lost", cause=FailureCause.CONNECTION
            )
        yield Progress(0.5)
        await asyncio.sleep(SLOW_SECONDS if fault == "slow" else PROVIDER_SECONDS)
        yield FinalImage(self._picture, model="quick", cost=0.01, request_id=None)

    def _present_fault(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return self._fault.read_text()
        return ""

    async def check_key(self) -> KeyStatus:
        return KeyStatus(is_valid=self._present_fault() != "key")

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

    def post_or_drop(self: SharedBackend, channel: str, message: str, kept: str | None = None) -> None:
        if not is_dropped():
            post(self, channel, message, kept)

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
    provider_adapters.make_provider = lambda settings: QuickProvider(call_log(Path(spec.folder)))
    drop_messages(Path(spec.folder), random.Random(spec.seed))
    return main.run_command(main.parse_arguments([spec.command]), settings)


if __name__ == "__main__":
    serve_forks(ProcessSpec, run)
