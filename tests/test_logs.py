"""What the log shows of a crash: where, not with what."""

import subprocess
import sys

from settings import ROOT

CRASH = """
import structlog
from logs import configure_logs
from settings import load_settings

def sign_in(password):
    raise RuntimeError("no such luck")

configure_logs(load_settings(_env_file=None, log_format={format!r}))
try:
    sign_in("sesame-HORSE-77")
except RuntimeError:
    structlog.get_logger().exception("crashed")
"""


def test_a_traceback_shows_no_values() -> None:
    for format in ("console", "json"):
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", CRASH.format(format=format)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "no such luck" in done.stderr
        assert "in sign_in" in done.stderr
        # The one line of source that calls it may stand there; -c has none.
        assert "sesame" not in done.stdout + done.stderr
