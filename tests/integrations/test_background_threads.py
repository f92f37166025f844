"""Threads with a lower CPU priority."""

import os
import subprocess
import sys
import threading

import pytest

from services.integrations.background_threads import background_threads
from settings import ROOT

OF_PROCESS = """
import os, threading
from services.integrations.background_threads import background_threads
with background_threads(1, "test") as threads:
    print(threads.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result())
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux only")


def test_event_loop_goes_before_background_threads() -> None:
    with background_threads(1, "test") as threads:
        found = threads.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result()
    assert found > os.getpriority(os.PRIO_PROCESS, 0)


def test_background_threads_work_in_a_process_with_a_low_priority() -> None:
    command = ["nice", "-n", "15", sys.executable, "-c", OF_PROCESS]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own text
    assert ended.stdout == "19\n"
