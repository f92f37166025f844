"""Processes out of one that has imported everything: both ends of the pipe between the tests and it.

On its standard input comes one line of JSON for each process that it shall fork; back goes a line with the id of the
process, and one with its exit code when it has ended.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class Life:
    """One process, from its birth to its death."""

    pid: int
    death: asyncio.Future[int]  # its exit code

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class ForkServer:
    """The tests' end. `program`: a file beside this one that calls `fork_orders`; `inherited`: file descriptors."""

    def __init__(self, program: str, *inherited: int) -> None:
        self._program = Path(__file__).with_name(program)
        self._inherited = inherited
        self._process: asyncio.subprocess.Process | None = None
        self._births: deque[asyncio.Future[Life]] = deque()
        self._living: dict[int, Life] = {}  # the system gives the number of a dead process to another one
        self._early: dict[int, int] = {}  # exit codes that were told before the birth was

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Processes can be forked while the body runs; afterwards none of them is left."""
        root = str(self._program.parents[2])
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(self._program),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": root},
            pass_fds=self._inherited,
            start_new_session=True,  # Ctrl-C is for the tests, and these end with them
        )
        listening = asyncio.create_task(self._listen())
        try:
            yield self
        finally:
            self._process.kill()
            await self._process.wait()
            await listening

    async def fork(self, order: Any) -> Life:
        """Start a process; `order`: the dataclass that the program expects."""
        assert self._process is not None
        assert self._process.stdin is not None
        birth: asyncio.Future[Life] = asyncio.get_running_loop().create_future()
        self._births.append(birth)
        self._process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        return await birth

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            what, pid, *code = line.split()
            if what == b"born":
                self._born(int(pid))
            elif (life := self._living.pop(int(pid), None)) is not None:
                life.death.set_result(int(code[0]))
            else:
                self._early[int(pid)] = int(code[0])
        for birth in self._births:
            _give_up(birth)
        for life in self._living.values():
            _give_up(life.death)

    def _born(self, pid: int) -> None:
        life = Life(pid, asyncio.get_running_loop().create_future())
        if pid in self._early:
            life.death.set_result(self._early.pop(pid))
        else:
            self._living[pid] = life
        self._births.popleft().set_result(life)


def _give_up(waiting: asyncio.Future[Any]) -> None:
    waiting.set_exception(RuntimeError("the mother of all processes has died"))
    waiting.exception()  # perhaps nobody waits


def fork_orders(order_type: type[Any], live: Callable[[Any], int]) -> None:
    """The program's end: fork a process for each order, in which `live` answers its exit code."""
    _end_with_parent(int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, _bury)
    for line in sys.stdin:
        order = order_type(**json.loads(line))
        mother = os.getpid()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _end_with_parent(mother)
                code = live(order)
            except Exception:  # noqa: BLE001 - whatever it is, the log has it
                traceback.print_exc()
            finally:
                os._exit(code)
        _say("born", child)


def _end_with_parent(parent: int) -> None:
    """Leave nothing running when the tests are gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _say(*words: object) -> None:
    """One line to the tests, whole even when a signal's handler speaks in between."""
    os.write(1, " ".join(map(str, words)).encode() + b"\n")


def _bury(*_: object) -> None:
    """Tell of every child that has died."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            _say("died", found[0], os.waitstatus_to_exitcode(found[1]))
