"""The tests' end of the process out of which a crash campaign forks everything that it kills."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

from campaigns.crash_server import Order


@dataclass
class Life:
    """One process, from its birth to its death."""

    pid: int
    death: asyncio.Future[int]  # its exit code

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def ends(self, within: float) -> bool:
        """Whether it reached the place where it was to die; killed in any case."""
        await asyncio.wait([self.death], timeout=within)
        if not self.death.done():
            self.send(signal.SIGKILL)
        code = await self.death
        assert code in (137, -signal.SIGKILL), f"a process ended with {code} and nobody had killed it"
        return code == 137


class Zygote:
    """The mother of all processes, and the socket that all servers among them share."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.listener = self._listener.fileno()
        self._process: asyncio.subprocess.Process | None = None
        self._births: deque[asyncio.Future[int]] = deque()
        self._deaths: dict[int, asyncio.Future[int]] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Zygote"]:
        program = Path(__file__).with_name("crash_server.py")
        roots = os.pathsep.join(str(program.parents[number]) for number in (1, 2))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": roots},
            pass_fds=[self.listener],
            start_new_session=True,  # Ctrl-C is for the tests, and these end with them
        )
        listening = asyncio.create_task(self._listen())
        try:
            yield self
        finally:
            self._process.kill()
            await self._process.wait()
            await listening
            self._listener.close()

    async def fork(self, order: Order) -> Life:
        """Start a process."""
        assert self._process is not None
        assert self._process.stdin is not None
        birth = asyncio.get_running_loop().create_future()
        self._births.append(birth)
        self._process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        pid = await birth
        return Life(pid, self._death(pid))

    def _death(self, pid: int) -> asyncio.Future[int]:
        return self._deaths.setdefault(pid, asyncio.get_running_loop().create_future())

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            what, pid, *code = line.split()
            if what == b"born":
                self._births.popleft().set_result(int(pid))
            else:  # which may be told before the birth is
                self._death(int(pid)).set_result(int(code[0]))
        for waiting in (*self._births, *self._deaths.values()):
            if not waiting.done():
                waiting.set_exception(RuntimeError("the mother of all processes has died"))
                waiting.exception()  # perhaps nobody waits
