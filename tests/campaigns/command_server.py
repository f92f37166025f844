"""The fork server for commands: `main.py` after its imports, which take longer than most commands themselves."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import main
from tests.campaigns.fork_server import serve_forks


@dataclass
class Command:
    """A command line and its complete environment."""

    arguments: list[str]
    folder: str  # the working directory
    out: str  # paths of the files for standard output and standard error
    err: str
    variables: dict[str, str] = field(default_factory=dict)


def run(command: Command) -> int:
    """Run the command and return its exit code."""
    for path, stream in ((command.out, sys.stdout), (command.err, sys.stderr)):
        with Path(path).open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.chdir(command.folder)
    os.environ.clear()
    os.environ.update(command.variables)
    sys.argv = ["main.py", *command.arguments]
    try:
        return main.main()
    except SystemExit as end:  # argparse: an invalid command line, or --help
        return end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()


if __name__ == "__main__":
    serve_forks(Command, run)
