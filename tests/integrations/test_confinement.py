"""The limits of a process that decodes media, as code inside it meets them. Linux only: the filter is the kernel's."""

import ctypes
import platform
import signal
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from services.integrations.system_calls import filter_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="system calls of Linux")

ROOT = str(Path(__file__).parents[2])
CONFINED = """
import ctypes, mmap, os, resource, signal, socket, sys, time
sys.path.append({root!r})
from services.integrations.confinement import allow_cpu, can_start_threads, limit_allocator, restrict
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    ctypes.set_errno(0)
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)
parent, folder = os.getppid(), {folder!r}
inside = os.path.join(folder, "file")
word = ctypes.create_string_buffer(b"inside", 8)
piece = (ctypes.c_size_t * 2)(ctypes.addressof(word), 8)
there = (ctypes.c_size_t * 2)({address}, 8)
limit_allocator()
restrict(600)
"""
# Each of them reaches something outside of the process.
REACHING_OUT = """
attempts = {
    "fork": os.fork,
    "execute": lambda: os.execv("/bin/true", ["true"]),
    "socket": socket.socket,
    "read memory": lambda: call("process_vm_readv", parent, piece, 1, there, 1, 0),
    "write memory": lambda: call("process_vm_writev", parent, piece, 1, there, 1, 0),
    "trace": lambda: call("ptrace", 0x4206, parent, 0, 0),
    "signal": lambda: os.kill(parent, 0),
    "signal all": lambda: os.kill(-1, 0),
    "signal a thread": lambda: call("tgkill", parent, parent, 0),
    "queue a signal": lambda: call("sigqueue", parent, 0, None),
    "own a pipe": lambda: call("fcntl", 0, 8, parent),
    "hold a process": lambda: os.pidfd_open(parent),
    "read limits": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
    "set limits": lambda: resource.prlimit(parent, resource.RLIMIT_CORE, (0, 0)),
    "set priority": lambda: os.setpriority(os.PRIO_PROCESS, parent, 19),
    "set processors": lambda: os.sched_setaffinity(parent, {0}),
    "read": lambda: open(inside),
    "inspect": lambda: os.stat(inside),
    "list": lambda: os.listdir(folder),
    "delete": lambda: os.unlink(inside),
    "rename": lambda: os.rename(inside, folder + "/other"),
    "permit": lambda: os.chmod(inside, 0o777),
    "own": lambda: os.chown(inside, 0, 0),
    "cut": lambda: os.truncate(inside, 0),
    "date": lambda: os.utime(inside),
    "symbolic link": lambda: os.symlink(inside, folder + "/link"),
    "hard link": lambda: os.link(inside, folder + "/hard"),
    "folder": lambda: os.mkdir(folder + "/new"),
    "delete folder": lambda: os.rmdir(folder + "/empty"),
    "pipe": lambda: os.mkfifo(folder + "/pipe"),
    "enter": lambda: os.chdir(folder),
    "root": lambda: os.chroot(folder),
    "shared memory": lambda: call("shmget", 0, 4096, 0o1600),
    "queue": lambda: call("msgget", 0, 0o1600),
    "own descriptors": lambda: call("unshare", 0x400),
    "session": os.setsid,
    "more files": lambda: call("setrlimit", resource.RLIMIT_NOFILE, (ctypes.c_ulong * 2)(99, 99)),
    "more memory": lambda: call("setrlimit", resource.RLIMIT_AS, (ctypes.c_ulong * 2)(1 << 40, 1 << 40)),
    "outlive the parent": lambda: call("prctl", 1, 0, 0, 0, 0),
    "process by clone3": lambda: call("syscall", 435, word, 64),
    "ring": lambda: call("syscall", 425, 1, word),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except OSError as error:
        if error.errno in (1, 38):  # EPERM, ENOSYS
            continue
        name += f": {error!r}"
    print("not refused:", name)
"""
# What decoders and Python need, some of it only elsewhere: with other versions of the C library, and on other machines.
WORKING = """
attempts = {
    "threads": can_start_threads,
    "memory": lambda: bytearray(64 << 20),
    "CPU time": lambda: allow_cpu(9) or resource.getrlimit(resource.RLIMIT_CPU),
    "sleep": lambda: time.sleep(0.001) is None,
    "clocks": lambda: time.process_time() and time.monotonic() and time.time(),
    "random": lambda: os.urandom(8),
    "processors": lambda: os.sched_getaffinity(0) and os.cpu_count(),
    "names": lambda: call("prctl", 15, b"decoder", 0, 0, 0) is None,
    "folder": os.getcwd,
    "handlers": lambda: signal.signal(signal.SIGUSR1, signal.SIG_DFL) is not None,
    "itself": lambda: os.getpid() and os.uname() and resource.getrusage(resource.RUSAGE_SELF),
}
for name, attempt in attempts.items():
    try:
        works = bool(attempt())
    except OSError:
        works = False
    if not works:
        print("does not work:", name)
"""


def run_confined(script: str, folder: Path, address: int = 0) -> "subprocess.CompletedProcess[str]":
    head = CONFINED.format(root=ROOT, folder=str(folder), address=address)
    return subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-I", "-c", head + textwrap.dedent(script)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_code_inside_reaches_no_process_no_file_and_no_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "empty").mkdir()
    memory = ctypes.create_string_buffer(b"outside", 8)
    ended = run_confined(REACHING_OUT, tmp_path, ctypes.addressof(memory))
    assert (ended.stdout, ended.returncode) == ("", 0), ended.stderr
    assert ((tmp_path / "file").read_text(), memory.value) == ("content", b"outside")


def test_code_inside_works_with_its_memory_threads_and_clocks(tmp_path: Path) -> None:
    ended = run_confined(WORKING, tmp_path)
    assert (ended.stdout, ended.returncode) == ("", 0), ended.stderr


@pytest.mark.parametrize(
    "warm_up",
    [
        "from services.integrations.images.sanitizer_process import warm_up; warm_up()",
        "from services.integrations.videos.sanitizer_process import inspect_video, tiny_video, VideoLimits;"
        " inspect_video(tiny_video(), VideoLimits())",
    ],
    ids=["images", "videos"],
)
def test_no_thread_of_a_decoder_is_older_than_the_filter(warm_up: str) -> None:
    """The filter holds for the thread that installs it, and for those that are started afterwards."""
    script = f"import os, sys\nsys.path.append({ROOT!r})\n{warm_up}\nprint(len(os.listdir('/proc/self/task')))"
    threads = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, timeout=60, check=True)  # noqa: S603
    assert threads.stdout == b"1\n"


def test_failed_assertion_inside_ends_the_process_by_its_signal(tmp_path: Path) -> None:
    assert run_confined("os.abort()", tmp_path).returncode == -signal.SIGABRT


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other interfaces of this processor")
def test_other_interfaces_of_the_kernel_are_refused(tmp_path: Path) -> None:
    """x32 has other numbers, and int 0x80 those of 32 bits, of which 20 is getpid."""
    assert run_confined("call('syscall', 0x40000000 | 39)", tmp_path).stderr.endswith("[Errno 1] syscall\n")
    ended = run_confined(
        """
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))
        print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())
        """,
        tmp_path,
    )
    assert ended.stdout == "-1\n" or ended.returncode == -signal.SIGSEGV, "EPERM, or a kernel without it"


def decide(code: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Run a filter as the kernel does (linux/filter.h), and return the error number of a call; 0: it is allowed."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    steps = list(struct.iter_unpack("HBBI", code))
    at, loaded = 0, 0
    while True:
        operation, if_true, if_false, operand = steps[at]
        if operation == 0x06:
            return 0 if operand == 0x7FFF0000 else operand & 0xFFFF
        if operation == 0x20:
            (loaded,) = struct.unpack_from("<I", data, operand)
            at += 1
            continue
        holds = {0x15: loaded == operand, 0x35: loaded >= operand, 0x45: bool(loaded & operand)}[operation]
        at += 1 + (if_true if holds else if_false)


# By their numbers on x86_64 and aarch64, and what is expected. The machine of the tests runs only one of them.
THREAD, PID, HIGH = 0x3D0F00, 4711, 1 << 32
DECISIONS = [
    ("read", (0, 63), (), 0),
    ("mmap", (9, 222), (), 0),
    ("futex", (202, 98), (), 0),
    ("rseq", (334, 293), (), 0),
    ("getcwd", (79, 17), (), 0),
    ("clone of a thread", (56, 220), (THREAD,), 0),
    ("clone of a process", (56, 220), (17,), 1),
    ("clone of a thread with its own files", (56, 220), (THREAD | 0x20000,), 1),
    ("clone3", (435, 435), (), 38),
    ("openat", (257, 56), (), 1),
    ("unlinkat", (263, 35), (), 1),
    ("process_vm_writev", (311, 271), (), 1),
    ("kill", (62, 129), (PID,), 1),
    ("tgkill of itself", (234, 131), (PID,), 0),
    ("tgkill of another", (234, 131), (PID + 1,), 1),
    ("prlimit64 of CPU time", (302, 261), (0, 0, HIGH), 0),
    ("prlimit64, only read", (302, 261), (0, 7, 0), 0),
    ("prlimit64 of descriptors", (302, 261), (0, 7, HIGH), 1),
    ("prlimit64 of descriptors", (302, 261), (0, 7, 8), 1),
    ("prlimit64 of another process", (302, 261), (PID, 0, 0), 1),
    ("prctl for a name", (157, 167), (15,), 0),
    ("prctl for the end with the parent", (157, 167), (1,), 1),
    ("x32", (0x40000000, 0x40000000), (), 1),
]


@pytest.mark.parametrize(("name", "numbers", "arguments", "expected"), DECISIONS)
def test_filter_decides_the_same_on_both_architectures(
    name: str, numbers: tuple[int, int], arguments: tuple[int, ...], expected: int
) -> None:
    for machine, architecture, number in zip(("x86_64", "aarch64"), (0xC000003E, 0xC00000B7), numbers, strict=True):
        code = filter_of(machine, PID)
        assert decide(code, architecture, number, *arguments) == expected, machine
        assert decide(code, 0x40000003, number, *arguments) == 1, "of another architecture, such as i386"
