"""Benchmark: the start of the studio for a visitor, by Lighthouse in a browser, as on a phone and as on a desk.

The server has the default settings and a folder of its own. As on a phone, the connection and the processor are slowed
down: to 1.6 Mbit/s, 150 ms and a quarter of the speed; as on a desk, the connection alone, and by `simulate` alone. It
exits with 1 where the median of the runs is below a limit.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import node_packages
from benchmarks.measure import ROOT, median, python_environment, serving
from tests.support.graphiql_page import find_browser
from tests.support.server_process import HOST, free_port

FORMS = ("mobile", "desktop")
MIN_SCORE = 95  # of 100, of each category
MAX_PAINT_SECONDS = 1.5  # of the largest contentful paint
AUDIT_SECONDS = 180
_NAME = "lighthouse"


@dataclass(frozen=True)
class Figures:
    """What one audit found: scores of 100, milliseconds, the largest element, and what was less than good."""

    performance: int
    accessibility: int
    practices: int
    lcp: int
    fcp: int
    blocked: int
    shift: float
    largest: str
    problems: tuple[str, ...]


def audit(address: str, form: str, method: str, browser: str) -> Figures:
    """Audit a page once.

    Raises:
        RuntimeError: Lighthouse could not; its output is in the message.
    """
    command = [str(node_packages.node()), "audit.mjs", address, form, method, browser]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=node_packages.folder_of(_NAME), capture_output=True, text=True, timeout=AUDIT_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"Lighthouse failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return Figures(**{**found, "problems": tuple(found["problems"])})


def report(form: str, runs: Sequence[Figures]) -> bool:
    """Print the medians of the runs as a line of a table; return whether they are within the limits."""
    scores = [median(getattr(run, name) for run in runs) for name in ("performance", "accessibility", "practices")]
    paint, first, blocked = (median(getattr(run, name) for run in runs) for name in ("lcp", "fcp", "blocked"))
    shift = median(run.shift for run in runs)
    shown = " | ".join(f"{score:.0f}" for score in scores)
    print(f"| {form} | {shown} | {paint / 1000:.2f} | {first / 1000:.2f} | {blocked:.0f} | {shift:.3f} |", flush=True)
    return min(scores) >= MIN_SCORE and paint < MAX_PAINT_SECONDS * 1000


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="audits of each form, of which the median counts")
    parser.add_argument("--method", choices=["devtools", "simulate"], default="devtools", help="how it is slowed down")
    parser.add_argument("--path", default="/", help="the view")
    options = parser.parse_args()
    browser = find_browser()
    problem = "there is no browser" if browser is None else node_packages.install(_NAME)
    if browser is None or problem:
        print(f"The studio cannot be measured: {problem}.", file=sys.stderr)
        return 1
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        env = python_environment(PORT=str(port), DATA_DIR=folder, LOG_LEVEL="error")
        command = [sys.executable, str(ROOT / "main.py"), "serve"]
        with serving(command, port, env, "/health/ready") as server:
            address = f"http://{HOST}:{server.port}{options.path}"
            print("| form | performance | accessibility | best practices | LCP s | FCP s | blocked ms | layout shift |")
            print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
            runs = {
                form: [audit(address, form, options.method, browser) for _ in range(options.runs)] for form in FORMS
            }
            are_good = [report(form, found) for form, found in runs.items()]
    for form, found in runs.items():
        print(f"\n{form}: the largest is {found[0].largest}; {'; '.join(found[0].problems) or 'nothing to improve'}")
    return 0 if all(are_good) else 1


if __name__ == "__main__":
    sys.exit(main())
