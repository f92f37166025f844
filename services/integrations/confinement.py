"""The limits of a child process that decodes untrusted media: code that a file injects can reach nothing else."""

import ctypes
import os
import platform
import resource
import struct
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

# prctl(2), seccomp(2), linux/audit.h, linux/seccomp.h and linux/filter.h.
_SET_PDEATHSIG, _SET_SECCOMP, _SET_NO_NEW_PRIVS, _FILTER = 1, 22, 38, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_CLONE_THREAD = 0x10000
_X32 = 0x40000000  # numbers of the x32 interface begin here
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
# fork, vfork, execve, execveat, socket, socketpair, ptrace, io_uring_setup, pidfd_open
_REFUSED = {"x86_64": (57, 58, 59, 322, 41, 53, 101, 425, 434), "aarch64": (221, 281, 198, 199, 117, 425, 434)}


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
    """Restrict this process to its three pipes, its memory, and itself: no file, no socket, no further process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # uvloop passes on descriptors that are inheritable
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # the three pipes: no file, no socket can be opened
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_SET_PDEATHSIG, 9)  # SIGKILL: killed with the parent, also during a job
        _refuse_processes(libc)
        resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20, memory_mib << 20))


def _refuse_processes(libc: Any) -> None:
    """Refuse new processes, but not threads: the HEIC decoder starts one, even if it is to use none.

    RLIMIT_NPROC cannot distinguish them. So a filter of system calls does it; where that cannot be installed, the
    limit does, and HEIC cannot be decoded. The limit has no effect on root, so that root has both.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    is_filtered = _install_filter(libc)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
    if is_filtered and not can_start_threads():
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
    else:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def can_start_threads() -> bool:
    thread = threading.Thread(target=lambda: None)
    try:
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True


def _install_filter(libc: Any) -> bool:
    """Install the filter of system calls, and return whether that succeeded."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES or libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    code = _filter_of(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("HP", len(code) // 8, ctypes.addressof(buffer)))
    return int(libc.prctl(_SET_SECCOMP, _FILTER, program, 0, 0)) == 0


def _filter_of(machine: str) -> bytes:
    """Return the program of the filter, which runs at each system call (linux/filter.h)."""
    refuse, missing = (_RETURN, 0, 0, _ERRNO | _EPERM), (_RETURN, 0, 0, _ERRNO | _ENOSYS)
    allow = (_RETURN, 0, 0, _ALLOW)
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        refuse,
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_GREATER_EQUAL, 0, 1, _X32),
        refuse,
    ]
    for number in _REFUSED[machine]:
        steps += [(_JUMP_EQUAL, 0, 1, number), refuse]
    # clone3 keeps its flags in memory, which a filter cannot read; without it, the C library uses clone.
    steps += [(_JUMP_EQUAL, 0, 1, _CLONE3), missing, (_JUMP_EQUAL, 1, 0, _CLONE[machine]), allow]
    steps += [(_LOAD, 0, 0, _FIRST_ARGUMENT_AT), (_JUMP_SET, 1, 0, _CLONE_THREAD), refuse, allow]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def allow_cpu(seconds: int) -> None:
    """Allow `seconds` of CPU time from now; beyond it, SIGXCPU. RLIMIT_CPU counts since the start of the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds  # whole seconds, rounded up
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
