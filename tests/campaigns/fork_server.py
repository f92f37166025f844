"""A fork server for tests: a process that has imported the application and forks one process per request.

The client writes one line of JSON per process to the server's standard input. The server answers with a line
`started <pid>`, and with a line `exited <pid> <exit code>` when the process has ended.
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
class ForkedProcess:
    """A process that the fork server started."""

    pid: int
    exit_code: asyncio.Future[int]

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class ForkClient:
    """The client in the tests. `program`: a file beside this one that calls `serve_forks`; `inherited`: descriptors."""

    def __init__(self, program: str, *inherited: int) -> None:
        self._program = Path(__file__).with_name(program)
        self._inherited = inherited
        self._process: asyncio.subprocess.Process | None = None
        self._starting: deque[asyncio.Future[ForkedProcess]] = deque()
        self._running: dict[int, ForkedProcess] = {}  # by pid; removed at the exit, because the system reuses pids
        self._early_exits: dict[int, int] = {}  # exit codes that arrived before the start was reported

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Run the fork server for the body; at the end it and every process it started are killed."""
        root = str(self._program.parents[2])
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(self._program),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": root},
            pass_fds=self._inherited,
            start_new_session=True,  # Ctrl-C goes to the tests only; these processes end together with them
        )
        listening = asyncio.create_task(self._listen())
        try:
            yield self
        finally:
            self._process.kill()
            await self._process.wait()
            await listening

    async def fork(self, spec: Any) -> ForkedProcess:
        """Start a process; `spec`: an instance of the dataclass that the program expects."""
        assert self._process is not None
        assert self._process.stdin is not None
        starting: asyncio.Future[ForkedProcess] = asyncio.get_running_loop().create_future()
        self._starting.append(starting)
        self._process.stdin.write(json.dumps(asdict(spec)).encode() + b"\n")
        return await starting

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event, pid, *code = line.split()
            if event == b"started":
                self._handle_start(int(pid))
            elif (process := self._running.pop(int(pid), None)) is not None:
                process.exit_code.set_result(int(code[0]))
            else:
                self._early_exits[int(pid)] = int(code[0])
        for starting in self._starting:
            _fail(starting)
        for process in self._running.values():
            _fail(process.exit_code)

    def _handle_start(self, pid: int) -> None:
        process = ForkedProcess(pid, asyncio.get_running_loop().create_future())
        if pid in self._early_exits:
            process.exit_code.set_result(self._early_exits.pop(pid))
        else:
            self._running[pid] = process
        self._starting.popleft().set_result(process)


def _fail(waiting: asyncio.Future[Any]) -> None:
    waiting.set_exception(RuntimeError("the fork server has exited"))
    waiting.exception()  # marks it as retrieved where nothing awaits it


def serve_forks(spec_type: type[Any], run: Callable[[Any], int]) -> None:
    """Run the fork server: fork a process for each spec on stdin; `run` is called in it and returns its exit code."""
    _exit_with_parent(int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, _report_exits)
    for line in sys.stdin:
        spec = spec_type(**json.loads(line))
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _exit_with_parent(parent)
                code = run(spec)
            except Exception:  # noqa: BLE001 - every exception goes to the log
                traceback.print_exc()
            finally:
                os._exit(code)
        _report("started", child)


def _exit_with_parent(parent: int) -> None:
    """Have this process killed when its parent exits."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _report(*words: object) -> None:
    """Write one line to the tests in a single call, so that a signal handler cannot split it."""
    os.write(1, " ".join(map(str, words)).encode() + b"\n")


def _report_exits(*_: object) -> None:
    """Report every child that has exited."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            _report("exited", found[0], os.waitstatus_to_exitcode(found[1]))
