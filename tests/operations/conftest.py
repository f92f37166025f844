"""What the tests of backups share."""

from collections.abc import Callable
from typing import Any

import pytest

from commands.backup import execute
from main import parse_arguments
from settings import Settings

Run = Callable[..., Any]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command, and return its exit code, output and errors."""

    async def run(settings: Settings, *arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await execute(settings, parse_arguments(list(arguments)))
        found = capsys.readouterr()
        return code, found.out, found.err

    return run
