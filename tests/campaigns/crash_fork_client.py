"""The client of the fork server that starts the processes a crash campaign kills."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

from tests.campaigns.fork_server import ForkClient, ForkedProcess

_LOG_SHOWN = 4_000  # characters from the end of the log of a process that ended by itself


async def kill_or_crash(process: ForkedProcess, log: Path, within: float = 0) -> bool:
    """Wait for the process to exit at its crash point, else kill it; return whether it reached the point.

    `log`: of all processes. `within`: seconds.
    """
    await asyncio.wait([process.exit_code], timeout=within)
    if not process.exit_code.done():
        process.send(signal.SIGKILL)
    code = await process.exit_code
    assert code in (137, -signal.SIGKILL), f"a process exited with {code} without being killed:\n{_end_of(log)}"
    return code == 137


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-_LOG_SHOWN:]


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
