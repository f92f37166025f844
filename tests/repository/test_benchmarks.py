"""Every benchmark can still be imported and prints its options; what they measure is for `make bench`."""

import subprocess
import sys

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
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-W", "ignore", "-c", _PROGRAM],
        cwd=ROOT,
        env=python_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert {"costs", "pages", "gallery", "scaling", "webhook"} <= set(done.stdout.split())
