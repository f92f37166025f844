"""The sanitizer's child processes: limits, replacement, end with the parent. Linux only, because it reads /proc."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from services.integrations.images.sanitizer import (
    BadImage,
    BadImageError,
    CleanImage,
    ImageSanitizer,
    SanitizerBusyError,
    Sanitizers,
    SanitizerUnavailableError,
)
from tests.support.corpus import pictures as make
from tests.support.fakes.held_pictures import SCRIPTED_CHILD, held, holding, release

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and the memory limit are Linux")

ANY_SIZE = 1 << 30  # bytes
PATIENCE = 60.0  # seconds for one image, so that a busy machine causes no outage here
SLOW = partial(make.many_scans, 3000, 90)  # more than half a second of decoding
SLOWEST = partial(make.flat_png, (6320, 6320), 6)  # two seconds of decoding
TICKS = os.sysconf("SC_CLK_TCK")


def children(parent: int) -> list[int]:
    """Return the running sanitizer children of process `parent`."""
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        try:
            state, of = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
            if (
                int(of) == parent
                and state != "Z"
                and b"sanitizer_process.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
            ):
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return sorted(found)


OTHER_CHILDREN: set[int] = set()


@pytest.fixture(autouse=True)
def _record_other_children() -> None:
    """Record the children of sanitizers outside this module, to ignore them."""
    OTHER_CHILDREN.clear()
    OTHER_CHILDREN.update(children(os.getpid()))


def own_children() -> list[int]:
    return [pid for pid in children(os.getpid()) if pid not in OTHER_CHILDREN]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def kib(pid: int | str, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Poll until the condition holds; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        await asyncio.sleep(0.01)


async def start_decoding(sanitizer: ImageSanitizer, data: bytes) -> tuple["asyncio.Task[CleanImage]", int]:
    """Start `clean` of `data` and wait until its only child is decoding; return the task and the child's pid."""
    await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)
    (pid,) = own_children()
    before = cpu_seconds(pid)
    task = asyncio.create_task(sanitizer.clean(data, max_bytes=ANY_SIZE))
    await until(lambda: cpu_seconds(pid) > before + 0.05)
    return task, pid


async def test_no_child_is_started_before_the_first_image() -> None:
    async with ImageSanitizer():
        assert own_children() == []


async def test_children_are_reused_up_to_the_limit() -> None:
    async with ImageSanitizer(processes=2, timeout=PATIENCE) as sanitizer:
        await asyncio.gather(*(sanitizer.clean(make.jpeg(), max_bytes=ANY_SIZE) for _ in range(20)))
        first = own_children()
        assert len(first) == 2
        await asyncio.gather(*(sanitizer.clean(make.png(), max_bytes=ANY_SIZE) for _ in range(20)))
        assert own_children() == first


async def test_close_finishes_running_images_and_refuses_waiting_ones() -> None:
    sanitizer = ImageSanitizer(processes=1)
    task, _ = await start_decoding(sanitizer, SLOW())
    waiting = asyncio.create_task(sanitizer.clean(make.png(), max_bytes=ANY_SIZE))
    await asyncio.sleep(0)
    await sanitizer.aclose()
    assert own_children() == []
    assert (await task).width == 3000
    with pytest.raises(SanitizerUnavailableError):
        await waiting
    with pytest.raises(SanitizerUnavailableError):
        await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)


async def test_image_is_retried_when_its_child_is_killed() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        task, pid = await start_decoding(sanitizer, SLOW())
        os.kill(pid, signal.SIGKILL)
        assert (await task).width == 3000
        assert pid not in own_children()
        assert len(own_children()) == 1


async def test_second_killed_child_is_an_outage() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        task, pid = await start_decoding(sanitizer, SLOW())
        os.kill(pid, signal.SIGKILL)
        await until(lambda: own_children() not in ([], [pid]))
        os.kill(own_children()[0], signal.SIGKILL)
        with pytest.raises(SanitizerUnavailableError):
            await task
        assert await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)


async def test_idle_children_that_were_killed_are_replaced() -> None:
    async with ImageSanitizer(processes=2, timeout=PATIENCE) as sanitizer:
        await asyncio.gather(*(sanitizer.clean(make.jpeg(), max_bytes=ANY_SIZE) for _ in range(4)))
        for pid in own_children():
            os.kill(pid, signal.SIGKILL)
        await asyncio.gather(*(sanitizer.clean(make.jpeg(), max_bytes=ANY_SIZE) for _ in range(4)))
        assert len(own_children()) == 2


async def test_decoder_crash_refuses_the_image() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        task, pid = await start_decoding(sanitizer, SLOW())
        os.kill(pid, signal.SIGSEGV)
        with pytest.raises(BadImageError) as refusal:
            await task
        assert refusal.value.reason is BadImage.DAMAGED


async def test_image_over_the_cpu_limit_is_refused() -> None:
    async with ImageSanitizer(processes=1, cpu_seconds=0, timeout=20) as sanitizer:
        started = time.monotonic()
        with pytest.raises(BadImageError) as refusal:
            await sanitizer.clean(SLOWEST(), max_bytes=ANY_SIZE)
        assert refusal.value.reason is BadImage.TOO_SLOW
        assert time.monotonic() - started < 10
        assert await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)


async def test_cpu_limit_applies_per_image_not_per_child() -> None:
    async with ImageSanitizer(processes=1, cpu_seconds=1, timeout=20) as sanitizer:
        data = make.many_scans(1500, 60)  # far below the limit, on a busy machine too
        await sanitizer.clean(data, max_bytes=ANY_SIZE)
        (pid,) = own_children()
        while cpu_seconds(pid) < 2.5:
            await sanitizer.clean(data, max_bytes=ANY_SIZE)
        assert own_children() == [pid]


async def test_image_is_too_slow_if_its_child_does_not_respond_but_another_does() -> None:
    async with ImageSanitizer(processes=1, cpu_seconds=1, timeout=2.5) as sanitizer:
        task, pid = await start_decoding(sanitizer, make.many_scans(3000, 60))
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(BadImageError) as refusal:
            await task
        assert refusal.value.reason is BadImage.TOO_SLOW
        assert pid not in own_children()
        assert await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)


async def test_unresponsive_child_is_an_outage_if_no_other_responds(tmp_path: Path) -> None:
    program = tmp_path / "first_sleeps.py"  # the first child never responds, later ones exit at once
    program.write_text(f"import pathlib, time\npathlib.Path({str(tmp_path)!r}, 'started').mkdir()\ntime.sleep(600)\n")
    async with ImageSanitizer(processes=1, cpu_seconds=0, timeout=1.1, program=program) as sanitizer:
        with pytest.raises(SanitizerUnavailableError):
            await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)
        assert own_children() == []


async def test_waiting_for_a_slot_does_not_count_towards_the_timeout(tmp_path: Path) -> None:
    async with ImageSanitizer(processes=1, cpu_seconds=0, timeout=1.1, program=SCRIPTED_CHILD) as sanitizer:
        slow = asyncio.create_task(sanitizer.clean(held(tmp_path / "never"), max_bytes=ANY_SIZE))
        await asyncio.sleep(0)
        assert (await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)).width == 64, "it waited for longer than that"
        with pytest.raises(BadImageError) as refusal:
            await slow
        assert refusal.value.reason is BadImage.TOO_SLOW


async def test_account_uses_no_more_children_than_its_share(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with ImageSanitizer(processes=2, per_account=1, timeout=PATIENCE, program=SCRIPTED_CHILD) as sanitizer:
        clean = partial(sanitizer.clean, max_bytes=ANY_SIZE)
        ada = [asyncio.create_task(clean(held(gate), account="ada")) for _ in range(3)]
        await until(lambda: len(holding(gate)) == 1)
        assert (await clean(make.png(), account="bob")).width == 64
        assert len(holding(gate)) == 1
        release(gate, "DAMAGED")
        outcomes = await asyncio.gather(*ada, return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["DAMAGED"] * 3


async def test_image_whose_turn_does_not_come_is_refused_as_busy(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with ImageSanitizer(processes=1, max_wait=0.01, timeout=PATIENCE, program=SCRIPTED_CHILD) as sanitizer:
        slow = asyncio.create_task(sanitizer.clean(held(gate), max_bytes=ANY_SIZE, account="ada"))
        await until(lambda: holding(gate))
        with pytest.raises(SanitizerBusyError):
            await sanitizer.clean(make.png(), max_bytes=ANY_SIZE, account="bob")
        release(gate, "DAMAGED")
        with pytest.raises(BadImageError):
            await slow
        assert (await sanitizer.clean(make.png(), max_bytes=ANY_SIZE, account="bob")).width == 64


async def test_children_of_uploads_yield_the_cpu_to_this_process() -> None:
    sanitizers = Sanitizers.of(1, max_wait=None)
    await sanitizers.uploads.clean(make.png(), max_bytes=ANY_SIZE)
    (upload,) = own_children()
    await sanitizers.results.clean(make.png(), max_bytes=ANY_SIZE)
    (result,) = set(own_children()) - {upload}
    here = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, result) == here < os.getpriority(os.PRIO_PROCESS, upload)
    await sanitizers.aclose()
    assert own_children() == []


def test_timeout_below_the_cpu_limit_is_rejected() -> None:
    with pytest.raises(ValueError, match="timeout"):
        ImageSanitizer(cpu_seconds=10, timeout=10)


async def test_canceled_caller_does_not_lose_the_child() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        task, pid = await start_decoding(sanitizer, SLOW())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)).width == 64
        assert own_children() == [pid]


async def test_canceled_caller_in_the_queue_is_not_processed() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        first, pid = await start_decoding(sanitizer, SLOW())
        queued = [asyncio.create_task(sanitizer.clean(SLOW(), max_bytes=ANY_SIZE)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in queued:
            task.cancel()
        await first
        before = cpu_seconds(pid)
        await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)
        assert cpu_seconds(pid) - before < 0.3


LARGEST: dict[str, make.Builder] = {
    "JPEG, progressive, 120 megapixels": lambda: make.encode(make.scene(size=(12640, 9480)), "JPEG", progressive=True),
    "JPEG, square": lambda: make.encode(make.scene(size=(6320, 6320)), "JPEG"),
    "JPEG, progressive CMYK": lambda: make.encode(make.scene("CMYK", (6320, 6320)), "JPEG", progressive=True),
    "PNG, RGBA, 50 megapixels": partial(make.flat_png, (8190, 6100), 6),
    "PNG, 16-bit grey": partial(make.deep_png, 0, (40000,), size=(6320, 6320)),
    "WebP, transparent, 24 megapixels": lambda: make.encode(make.scene("RGBA", (4898, 4898)), "WEBP", method=0),
}


@pytest.mark.parametrize("build", LARGEST.values(), ids=LARGEST.keys())
async def test_largest_images_fit_into_600_mib(build: make.Builder) -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        clean = await sanitizer.clean(build(), max_bytes=ANY_SIZE)
        assert max(clean.width, clean.height) == 4096
        (pid,) = own_children()
        assert kib(pid, "VmHWM") < 600 << 10
        assert kib(pid, "VmRSS") < 150 << 10  # the memory is released afterwards


async def test_child_starts_threads_but_no_process(tmp_path: Path) -> None:
    program = tmp_path / "sanitizer_process.py"
    program.write_text(FORKING.format(root=repr(str(Path(__file__).parents[3]))))
    done = await asyncio.create_subprocess_exec(sys.executable, "-I", str(program), stdout=asyncio.subprocess.PIPE)
    output, _ = await done.communicate()
    assert output.decode().split() == ["fork", "exec", "socket", "threads", "True"]


FORKING = """
import errno, os, socket, sys
sys.path.append({root})
from services.integrations.confinement import can_start_threads, limit_allocator, restrict
limit_allocator()
restrict(600)
attempts = dict(fork=os.fork, exec=lambda: os.execv("/bin/true", ["true"]), socket=socket.socket)
for name, attempt in attempts.items():
    try:
        attempt()
    except PermissionError:
        print(name)
print("threads", can_start_threads())
"""


async def test_incompressible_alpha_is_reduced_to_fit_the_memory_limit() -> None:
    image = make.scene(size=(4096, 4096))
    image.putalpha(make.noise("L", image.size).point(lambda value: value & 0xF8))
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        clean = await sanitizer.clean(make.encode(image, "WEBP", method=0), max_bytes=ANY_SIZE)
        assert (clean.width, clean.content_type) == (4096, "image/webp")


async def test_memory_of_the_parent_stays_constant() -> None:
    data = make.encode(make.noise("RGB", (800, 600)), "PNG")
    async with ImageSanitizer(processes=2, timeout=PATIENCE) as sanitizer:
        for _ in range(5):
            await sanitizer.clean(data, max_bytes=ANY_SIZE)
        before = kib("self", "VmRSS")
        for _ in range(15):  # 21 MiB in, 21 MiB out
            await sanitizer.clean(data, max_bytes=ANY_SIZE)
        assert kib("self", "VmRSS") - before < 8 << 10


async def test_child_has_only_an_allocator_setting_pipes_and_limited_memory() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)
        (pid,) = own_children()
        proc = Path(f"/proc/{pid}")
        limits = {line[:26].strip(): line[26:].split()[0] for line in (proc / "limits").read_text().splitlines()[1:]}
        assert limits["Max address space"] == str(600 << 20)
        assert limits["Max open files"] == "3"
        assert {limits[name] for name in ("Max file size", "Max core file size", "Max processes")} == {"0"}
        environment = (proc / "environ").read_bytes().rstrip(b"\0").split(b"\0")
        assert [line for line in environment if b"=" in line and not line.startswith(b"LC_CTYPE=")] == [
            b"GLIBC_TUNABLES=glibc.malloc.hugetlb=1"  # LC_CTYPE is set by Python itself
        ]
        assert {entry.name for entry in (proc / "fd").iterdir()} == {"0", "1", "2"}


PARENT = """
import asyncio, sys, uvloop
from tests.support.corpus import pictures as make
from tests.support.fakes.held_pictures import SCRIPTED_CHILD, held, holding, release
from services.integrations.images.sanitizer import ImageSanitizer
async def main():
    sanitizer = ImageSanitizer(processes=1)
    await sanitizer.clean(make.png(), max_bytes=1 << 30)
    print("ready", flush=True)
    await sanitizer.clean(make.flat_png((6320, 6320), 6), max_bytes=1 << 30)
uvloop.run(main())
"""


async def test_children_exit_when_their_parent_is_killed() -> None:
    search = os.pathsep.join(sys.path)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": search}
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"ready\n"
    (pid,) = children(parent.pid)
    before = cpu_seconds(pid)
    await until(lambda: cpu_seconds(pid) > before + 0.1)  # while it decodes
    parent.kill()
    await parent.wait()
    await until(lambda: not is_running(pid), seconds=2)
