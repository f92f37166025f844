"""The limits of a child process that decodes untrusted media: code that a file injects can reach nothing else."""

import ctypes
import os
import resource
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from services.integrations.system_calls import install_filter

_SET_PDEATHSIG = 1  # prctl(2)


def limit_allocator() -> Callable[[], object]:
    """Make the C library return large blocks, and reserve no address space for threads; to be called before any starts.

    Return what makes it return the memory that smaller blocks have used; to be called after each job.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return int
    # glibc would otherwise keep 100 MiB after a large image. Blocks below the threshold, such as files and thumbnails,
    # reuse memory that is mapped already.
    libc.mallopt(-3, 8 << 20)  # M_MMAP_THRESHOLD: blocks of 8 MiB and more are returned when freed
    libc.mallopt(-8, 1)  # M_ARENA_MAX: a second thread would reserve 64 MiB
    return partial(libc.malloc_trim, 0)


def restrict(memory_mib: int) -> None:
    """Restrict this process to its three pipes, its memory, and itself: no file, no socket, no other process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # uvloop passes on descriptors that are inheritable
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # the three pipes: no file, no socket can be opened
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_SET_PDEATHSIG, 9)  # SIGKILL: killed with the parent, also during a job
        resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20, memory_mib << 20))
        _refuse_system_calls(libc)


def _refuse_system_calls(libc: Any) -> None:
    """Refuse new processes and whatever reaches others, or files by their path; but not threads.

    The HEIC decoder starts a thread, even if it is to use none, and RLIMIT_NPROC counts threads like processes. So a
    filter of system calls refuses them; where that cannot be installed, the limit does, and HEIC cannot be decoded. The
    limit has no effect on root, so that root has both.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
    if can_start_threads():
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    else:
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
    if not install_filter(libc):  # after which no limit can be changed
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def can_start_threads() -> bool:
    thread = threading.Thread(target=lambda: None)
    try:
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True


def allow_cpu(seconds: int) -> None:
    """Allow `seconds` of CPU time from now; beyond it, SIGXCPU. RLIMIT_CPU counts since the start of the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds  # whole seconds, rounded up
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
