"""Runs `main.py` as people do: real processes, of which those that end by themselves are forks."""

import asyncio
import contextlib
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from settings import ROOT
from tests.campaigns.command_server import Command
from tests.campaigns.fork_server import ForkClient
from tests.support.client import PATIENCE


@dataclass(frozen=True)
class Completed:
    """The result of a command."""

    code: int | None
    out: str
    err: str


@dataclass(frozen=True)
class Commands:
    """Runs `main.py` in its own working directory, with only the given environment variables."""

    folder: Path
    fork_client: ForkClient
    output: Path  # a folder for standard output and error
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def start(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "main.py"),
            *arguments,
            cwd=self.folder,
            env={"PATH": os.defpath, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, **variables: str) -> Completed:
        number = next(self.numbers)
        out, err = self.output / f"{number}.out", self.output / f"{number}.err"
        variables = {"PATH": os.defpath, **variables}
        process = await self.fork_client.fork(Command(list(arguments), str(self.folder), str(out), str(err), variables))
        try:
            async with asyncio.timeout(PATIENCE):
                code = await process.exit_code
        finally:
            if not process.exit_code.done():
                process.send(signal.SIGKILL)
        ended = Completed(code, out.read_text(), err.read_text())
        assert "Traceback" not in ended.err, ended.err
        return ended

    @contextlib.asynccontextmanager
    async def running(self, *arguments: str, until: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a process until the body ends, which starts once the process has logged `until`."""
        process = await self.start(*arguments, **variables)
        assert process.stderr
        try:
            async with asyncio.timeout(PATIENCE):
                log = ""
                while until not in log:
                    line = await process.stderr.readline()
                    assert line, log
                    log += line.decode()
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@pytest.fixture(scope="module")
async def fork_client() -> AsyncIterator[ForkClient]:
    async with ForkClient("command_server.py").running() as found:
        yield found


@pytest.fixture
def main(fork_client: ForkClient, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(tmp_path, fork_client, tmp_path_factory.mktemp("output"))
