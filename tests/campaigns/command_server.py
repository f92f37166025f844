"""The mother of commands: `main.py` as it is after its imports, which take longer than what most commands do."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import main
from tests.campaigns.fork_server import fork_orders


@dataclass
class Command:
    """A command line, and all that there is in its environment."""

    arguments: list[str]
    folder: str  # where it is called
    out: str  # the files in which it finds its standard output and error
    err: str
    variables: dict[str, str] = field(default_factory=dict)


def live(command: Command) -> int:
    """Do what it says; the exit code."""
    for path, stream in ((command.out, sys.stdout), (command.err, sys.stderr)):
        with Path(path).open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.chdir(command.folder)
    os.environ.clear()
    os.environ.update(command.variables)
    sys.argv = ["main.py", *command.arguments]
    try:
        return main.main()
    except SystemExit as end:  # of a command line that makes no sense, or that asks for help
        return end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()


if __name__ == "__main__":
    fork_orders(Command, live)
