"""Every benchmark prints its options, and those of requests, streams and generations run; `make bench` measures."""

import json
import re
import subprocess
import sys

import pytest

from benchmarks.measure import ROOT, python_environment

# One process for all, because they import the same modules.
_PROGRAM = """
import contextlib, io, runpy, sys
from pathlib import Path
for path in sorted(Path("benchmarks").glob("*.py")):
    name, text = f"benchmarks.{path.stem}", io.StringIO()
    if "parse_args()" not in path.read_text():
        __import__(name)
        continue
    sys.argv = [str(path), "--help"]
    try:
        with contextlib.redirect_stdout(text):
            runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        assert end.code in (None, 0), (name, end.code)
    assert "--help" in text.getvalue(), name
    print(path.stem)
"""


def test_benchmarks_print_their_options() -> None:
    assert {"costs", "pages", "gallery", "scaling", "webhook"} <= set(
        _output_of("-W", "ignore", "-c", _PROGRAM).split()
    )


@pytest.mark.parametrize(
    ("name", "options", "row"),
    [
        ("request_cost", "--rounds 1", "unchanged page"),
        ("execution", "--times 1", "20 generations, 10 fields"),
        ("reads", "--times 1", "20 generations, everything"),
        ("reuse", "--generations 20", "postgresql none"),
        ("fan_out", "--subscribers 4 --parts own --seconds 0.1 --rounds 1 --no-peers", "Darkroom"),
        ("life", "--generations 8 --rounds 1 --no-peers", "Darkroom"),
        ("pages", "--accounts 2 --generations 25 --connections 2 --seconds 1 --rounds 1 --no-peers", "cold page"),
    ],
)
def test_benchmarks_still_run(name: str, options: str, row: str) -> None:
    assert row in _output_of(f"benchmarks/{name}.py", *options.split())


def _output_of(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, *arguments],
        cwd=ROOT,
        env=python_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("name", ["lighthouse", "peers"])
def test_locks_of_npm_packages_name_no_registry(name: str) -> None:
    lock = (ROOT / "benchmarks" / name / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert json.loads(lock)["lockfileVersion"] == 3


def test_lighthouse_is_installed_in_exact_versions() -> None:
    package = json.loads((ROOT / "benchmarks" / "lighthouse" / "package.json").read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["dependencies"].values())
