"""The system calls of a process that decodes untrusted media: what it needs is allowed, everything else is refused."""

import ctypes
import os
import platform
import resource
import struct
import sys
from typing import Any

# prctl(2), seccomp(2), linux/audit.h, linux/seccomp.h and linux/filter.h.
_SET_NAME, _SET_SECCOMP, _SET_NO_NEW_PRIVS, _FILTER = 15, 22, 38, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_CLONE_THREAD = 0x10000
_CLONE_NAMESPACES = 0x7E020000
_X32 = 0x40000000  # numbers of the x32 interface begin here
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # and which number below is theirs
# Calls since Linux 5.1, with the same numbers everywhere. Of these a C library expects that they are missing, and uses
# an older one: clone instead of clone3, whose flags are in memory, which a filter cannot read.
_RECENT = 424

# The numbers on x86_64 and on aarch64 (asm/unistd_64.h, asm-generic/unistd.h); None: it does not exist there. None of
# these takes a path, opens a descriptor, or changes another process.
_ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # The pipes: the only descriptors.
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "poll": (7, None),
    "ppoll": (271, 73),
    # Memory.
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "mremap": (25, 216),
    "madvise": (28, 233),
    # Threads, and the end.
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "sched_yield": (24, 124),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # Signals that it handles.
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),  # by the kernel, of a wait that was stopped and continued
    # Time. Most of it is read without a call, but not with every clock of a virtual machine.
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    # What libraries ask about the process and the machine: how many threads to start, how much to allocate.
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "getrlimit": (97, 163),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getcpu": (309, 168),
    "getcwd": (79, 17),  # Pillow, whenever it encodes
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126),
}
# And those of which the arguments decide.
_CLONE = (56, 220)
_TGKILL = (234, 131)
_PRCTL = (157, 167)
_SETRLIMIT = (160, 164)
_PRLIMIT = (302, 261)

Step = tuple[int, int, int, int]  # operation, steps to jump if it is true, and if not, operand
_PASS: Step = (_RETURN, 0, 0, _ALLOW)
_REFUSE: Step = (_RETURN, 0, 0, _ERRNO | _EPERM)
_MISSING: Step = (_RETURN, 0, 0, _ERRNO | _ENOSYS)


def install_filter(libc: Any) -> bool:
    """Install the filter for this thread and those that it starts, for good; return whether that succeeded."""
    machine = platform.machine()
    is_known = machine in _ARCHITECTURES and sys.maxsize > 1 << 32  # not a program of 32 bits on such a machine
    if not is_known or libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    code = filter_of(machine, os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("HP", len(code) // 8, ctypes.addressof(buffer)))
    return int(libc.prctl(_SET_SECCOMP, _FILTER, program, 0, 0)) == 0


def filter_of(machine: str, pid: int) -> bytes:
    """Return the program of the filter, which runs at each system call of process `pid` (linux/filter.h)."""
    architecture, column = _ARCHITECTURES[machine]
    steps: list[Step] = [(_LOAD, 0, 0, _ARCHITECTURE_AT), *_equals(architecture), (_LOAD, 0, 0, _NUMBER_AT)]
    steps += [(_JUMP_GREATER_EQUAL, 0, 1, _X32), _REFUSE, (_JUMP_GREATER_EQUAL, 0, 1, _RECENT), _MISSING]
    for numbers in _ALLOWED.values():
        if (number := numbers[column]) is not None:
            steps += [(_JUMP_EQUAL, 0, 1, number), _PASS]
    for numbers, decision in _decisions(pid):
        steps += [(_JUMP_EQUAL, 0, len(decision), numbers[column]), *decision]
    return b"".join(struct.pack("HBBI", *step) for step in (*steps, _REFUSE))


def _decisions(pid: int) -> list[tuple[tuple[int, int], list[Step]]]:
    """Return the numbers of the calls that are allowed with some arguments, and the steps that decide."""
    thread = [_low(0), (_JUMP_SET, 0, 1, _CLONE_NAMESPACES), _REFUSE, (_JUMP_SET, 0, 1, _CLONE_THREAD), _PASS, _REFUSE]
    own_cpu = [(_JUMP_EQUAL, 0, 1, resource.RLIMIT_CPU), _PASS]  # see allow_cpu
    own_limit = [_low(0), *_equals(0), _low(1), *own_cpu, _low(2), *_equals(0), _high(2), *_equals(0), _PASS]
    return [
        (_CLONE, thread),
        (_TGKILL, [_low(0), *_equals(pid), _PASS]),  # abort()
        (_PRCTL, [_low(0), *_equals(_SET_NAME), _PASS]),  # threads of decoders name themselves
        (_SETRLIMIT, [_low(0), *own_cpu, _REFUSE]),
        (_PRLIMIT, own_limit),  # of itself, and without a new limit except of CPU time
    ]


def _low(argument: int) -> Step:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument)


def _high(argument: int) -> Step:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument + 4)


def _equals(value: int) -> list[Step]:
    """Refuse unless what was loaded is `value`."""
    return [(_JUMP_EQUAL, 1, 0, value), _REFUSE]
