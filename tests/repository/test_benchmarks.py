"""Every benchmark prints its options, and those without a database run; what they measure is for `make bench`."""

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
    if "argparse" not in path.read_text():
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
    ("name", "option", "row"),
    [("request_cost", "--rounds", "unchanged page"), ("execution", "--times", "20 generations, 10 fields")],
)
def test_benchmarks_with_stand_ins_for_services_still_run(name: str, option: str, row: str) -> None:
    assert row in _output_of(f"benchmarks/{name}.py", option, "1")


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
