"""The tests' end of the process out of which a crash campaign forks everything that it kills."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from typing import Self

from tests.campaigns.fork_server import ForkServer, Life


async def dies(life: Life, within: float) -> bool:
    """Whether it reached the place where it was to die; killed in any case."""
    await asyncio.wait([life.death], timeout=within)
    if not life.death.done():
        life.send(signal.SIGKILL)
    code = await life.death
    assert code in (137, -signal.SIGKILL), f"a process ended with {code} and nobody had killed it"
    return code == 137


class Zygote(ForkServer):
    """The mother of all processes, and the socket that all servers among them share."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.listener = self._listener.fileno()
        super().__init__("crash_server.py", self.listener)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        with self._listener:
            async with super().running():
                yield self
