"""Benchmark: `make run` in a fresh copy of the repository: seconds until the server answers, and until the studio does.

It installs the packages of Python and npm, from their registries or a cache. It exits with 1 where the studio is there
more than a minute after the server.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import ROOT
from tests.support.server_process import HOST, free_port

MAX_SECONDS = 60  # from the server's first answer to the studio's
TIMEOUT = 900
_STUDIO = b'<div id="root">'


def copy_sources(folder: Path) -> None:
    """Copy what is under version control, as it is now, changes included."""
    git = shutil.which("git") or "git"
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - our own command
    for name in filter(None, listed.stdout.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, folder / name)


def read(url: str) -> bytes:
    """Return the body of a page, or nothing where it is not there yet."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": "text/html"}), timeout=5) as page:  # noqa: S310 - our own http:// address
            return bytes(page.read())
    except (OSError, urllib.error.URLError):
        return b""


def seconds_until(check: Callable[[], bool], process: subprocess.Popen[bytes]) -> float:
    """Return the seconds until the check succeeds.

    Raises:
        RuntimeError: the process ended before, or it took longer than TIMEOUT seconds.
    """
    started = time.monotonic()
    while not check():
        if process.poll() is not None or time.monotonic() - started > TIMEOUT:
            raise RuntimeError("make run did not get that far; its output is above")
        time.sleep(0.1)
    return time.monotonic() - started


def main() -> int:
    """Measure and print; return the exit code."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    address = f"http://{HOST}:{(port := free_port())}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_sources(folder)
        make = shutil.which("make") or "make"
        command = [make, "run", f"PORT={port}", f"DATA_DIR={folder / 'data'}"]  # make puts them into the environment
        with subprocess.Popen(command, cwd=folder, start_new_session=True) as process:  # noqa: S603 - our own command
            try:
                server = seconds_until(lambda: bool(read(f"{address}/health/live")), process)
                page = seconds_until(lambda: _STUDIO in read(f"{address}/"), process)
            finally:
                os.killpg(process.pid, signal.SIGTERM)
    print(f"\nThe server answered after {server:.0f} s, the studio {page:.0f} s later (at most {MAX_SECONDS}).")
    return 0 if page <= MAX_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
