"""A program of the benchmarks that reads lines and answers each with a line of JSON."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from benchmarks.measure import ROOT, python_environment


class LineProcess:
    """The running program; ends with the `with` block.

    `program`: a module, or the path of a file; `task`: a dataclass, sent as the first line.
    """

    def __init__(self, program: str, task: Any, python: str | Path = sys.executable) -> None:
        self._popen = subprocess.Popen(  # noqa: S603 - the benchmarks' own programs
            [python, program] if program.endswith(".py") else [python, "-m", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=python_environment(),
            text=True,
        )
        self.pid = self._popen.pid
        self.ask(json.dumps(asdict(task)))

    def ask(self, line: str) -> dict[str, Any]:
        """Send a line and return the answer. Raises RuntimeError if the program has ended."""
        stdin, stdout = self._popen.stdin, self._popen.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the process has no pipes")
        stdin.write(line + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RuntimeError("the process failed; its error is above")
        found: dict[str, Any] = json.loads(answer)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._popen.stdin:
            self._popen.stdin.close()
        try:
            self._popen.wait(20)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
