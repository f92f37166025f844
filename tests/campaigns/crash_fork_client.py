"""The client of the fork server that starts the processes a crash campaign kills."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from typing import Self

from tests.campaigns.fork_server import ForkClient, ForkedProcess


async def kill_or_crash(process: ForkedProcess, within: float) -> bool:
    """Wait for the process to exit at its crash point, else kill it; return whether it reached the point."""
    await asyncio.wait([process.exit_code], timeout=within)
    if not process.exit_code.done():
        process.send(signal.SIGKILL)
    code = await process.exit_code
    assert code in (137, -signal.SIGKILL), f"a process exited with {code} without being killed"
    return code == 137


class CrashForkClient(ForkClient):
    """A fork client with the listening socket that all forked servers share."""

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
