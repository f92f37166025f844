"""Threads for work that takes a whole core: where all cores are busy, the event loop goes first."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

_NICENESS = 10


def background_threads(count: int, name: str) -> ThreadPoolExecutor:
    """Return a pool of at most `count` threads with a lower CPU priority. `name`: the prefix of theirs."""
    return ThreadPoolExecutor(count, name, _lower_priority)


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
