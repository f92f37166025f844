"""Threads for work that takes a whole core: where all cores are busy, the event loop goes first."""

import contextlib
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

_NICENESS = 10  # more than that of the process; the most is 19


def background_threads(count: int, name: str) -> ThreadPoolExecutor:
    """Return a pool of at most `count` threads with a lower CPU priority. `name`: with which their names begin."""
    return ThreadPoolExecutor(count, name, _lower_priority)


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):  # the work is done with any priority
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS)
