"""The image sanitizer's children: limited, replaced when lost, ended with their parent. Linux, as it reads /proc."""

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
    SanitizerUnavailableError,
)
from tests.support.corpus import pictures as make

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and the memory limit are Linux")

ANY_SIZE = 1 << 30  # bytes
PATIENCE = 60.0  # seconds for one picture: a busy machine is no outage here
SLOW = partial(make.many_scans, 3000, 150)  # about a second of decoding
ENDLESS = partial(make.many_scans, 6000, 4000)  # minutes of decoding in 300 KiB
TICKS = os.sysconf("SC_CLK_TCK")


def children(parent: int) -> list[int]:
    """The living image children of process `parent`."""
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


OTHERS: set[int] = set()


@pytest.fixture(autouse=True)
def _others() -> None:
    """Whatever sanitizer another test keeps open is none of ours."""
    OTHERS.clear()
    OTHERS.update(children(os.getpid()))


def ours() -> list[int]:
    return [pid for pid in children(os.getpid()) if pid not in OTHERS]


def alive(pid: int) -> bool:
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
    """Look again and again; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


async def busy(sanitizer: ImageSanitizer, data: bytes) -> tuple["asyncio.Task[CleanImage]", int]:
    """A running `clean` of `data` whose only child is in the middle of decoding, and that child."""
    await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)
    (pid,) = ours()
    before = cpu_seconds(pid)
    task = asyncio.create_task(sanitizer.clean(data, max_bytes=ANY_SIZE))
    await until(lambda: cpu_seconds(pid) > before + 0.05)
    return task, pid


async def test_no_child_is_started_before_the_first_picture() -> None:
    async with ImageSanitizer():
        assert ours() == []


async def test_children_are_used_again_and_never_more_than_allowed() -> None:
    async with ImageSanitizer(processes=2, timeout=PATIENCE) as sanitizer:
        await asyncio.gather(*(sanitizer.clean(make.jpeg(), max_bytes=ANY_SIZE) for _ in range(20)))
        first = ours()
        assert len(first) == 2
        await asyncio.gather(*(sanitizer.clean(make.png(), max_bytes=ANY_SIZE) for _ in range(20)))
        assert ours() == first


async def test_closing_leaves_no_process_and_lets_nobody_in() -> None:
    sanitizer = ImageSanitizer(processes=1)
    task, _ = await busy(sanitizer, SLOW())
    waiting = asyncio.create_task(sanitizer.clean(make.png(), max_bytes=ANY_SIZE))
    await asyncio.sleep(0)
    await sanitizer.aclose()
    assert ours() == []
    assert (await task).width == 3000
    with pytest.raises(SanitizerUnavailableError):
        await waiting
    with pytest.raises(SanitizerUnavailableError):
        await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)


async def test_a_child_killed_in_the_middle_costs_only_a_retry() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        task, pid = await busy(sanitizer, SLOW())
        os.kill(pid, signal.SIGKILL)
        assert (await task).width == 3000
        assert pid not in ours()
        assert len(ours()) == 1


async def test_a_picture_whose_children_are_killed_twice_is_our_outage() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        task, pid = await busy(sanitizer, SLOW())
        os.kill(pid, signal.SIGKILL)
        await until(lambda: ours() not in ([], [pid]))
        os.kill(ours()[0], signal.SIGKILL)
        with pytest.raises(SanitizerUnavailableError):
            await task
        assert await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)


async def test_children_that_died_while_idle_are_not_noticed_by_anybody() -> None:
    async with ImageSanitizer(processes=2, timeout=PATIENCE) as sanitizer:
        await asyncio.gather(*(sanitizer.clean(make.jpeg(), max_bytes=ANY_SIZE) for _ in range(4)))
        for pid in ours():
            os.kill(pid, signal.SIGKILL)
        await asyncio.gather(*(sanitizer.clean(make.jpeg(), max_bytes=ANY_SIZE) for _ in range(4)))
        assert len(ours()) == 2


async def test_a_crash_inside_the_decoder_is_the_pictures_fault() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        task, pid = await busy(sanitizer, SLOW())
        os.kill(pid, signal.SIGSEGV)
        with pytest.raises(BadImageError) as refusal:
            await task
        assert refusal.value.reason is BadImage.DAMAGED


async def test_a_picture_that_takes_too_much_work_is_refused() -> None:
    async with ImageSanitizer(processes=1, cpu_seconds=1, timeout=20) as sanitizer:
        started = time.monotonic()
        with pytest.raises(BadImageError) as refusal:
            await sanitizer.clean(ENDLESS(), max_bytes=ANY_SIZE)
        assert refusal.value.reason is BadImage.TOO_MANY_PIXELS
        assert time.monotonic() - started < 10
        assert await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)


async def test_the_cpu_allowance_is_for_each_picture_and_not_for_the_childs_life() -> None:
    async with ImageSanitizer(processes=1, cpu_seconds=1, timeout=20) as sanitizer:
        data = make.many_scans(1500, 60)  # far below the allowance, on a busy machine too
        await sanitizer.clean(data, max_bytes=ANY_SIZE)
        (pid,) = ours()
        while cpu_seconds(pid) < 2.5:
            await sanitizer.clean(data, max_bytes=ANY_SIZE)
        assert ours() == [pid]


async def test_a_child_that_falls_silent_is_our_outage_and_is_replaced() -> None:
    async with ImageSanitizer(processes=1, cpu_seconds=1, timeout=2.5) as sanitizer:
        task, pid = await busy(sanitizer, make.many_scans(3000, 60))
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(SanitizerUnavailableError):
            await task
        assert ours() == []
        assert await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)


def test_a_clock_shorter_than_the_cpu_allowance_is_refused() -> None:
    with pytest.raises(ValueError, match="timeout"):
        ImageSanitizer(cpu_seconds=10, timeout=10)


async def test_a_caller_who_leaves_costs_no_child() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        task, pid = await busy(sanitizer, SLOW())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)).width == 64
        assert ours() == [pid]


async def test_a_caller_who_leaves_the_queue_is_never_served() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        first, pid = await busy(sanitizer, SLOW())
        queued = [asyncio.create_task(sanitizer.clean(SLOW(), max_bytes=ANY_SIZE)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in queued:
            task.cancel()
        await first
        before = cpu_seconds(pid)
        await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)
        assert cpu_seconds(pid) - before < 0.3


LARGEST: dict[str, make.Builder] = {
    "JPEG, 40 megapixels": lambda: make.encode(make.scene(size=(8000, 5000)), "JPEG", subsampling=0),
    "JPEG, square": lambda: make.encode(make.scene(size=(6320, 6320)), "JPEG"),
    "JPEG, progressive CMYK": lambda: make.encode(make.scene("CMYK", (6320, 6320)), "JPEG", progressive=True),
    "PNG, RGBA": partial(make.flat_png, (6320, 6320), 6),
    "PNG, 16-bit grey": partial(make.deep_png, 0, (40000,), size=(6320, 6320)),
    "WebP, transparent, 24 megapixels": lambda: make.encode(make.scene("RGBA", (4898, 4898)), "WEBP", method=0),
}


@pytest.mark.parametrize("build", LARGEST.values(), ids=LARGEST.keys())
async def test_the_largest_pictures_fit_into_600_mib(build: make.Builder) -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        clean = await sanitizer.clean(build(), max_bytes=ANY_SIZE)
        assert max(clean.width, clean.height) == 4096
        (pid,) = ours()
        assert kib(pid, "VmHWM") < 600 << 10
        assert kib(pid, "VmRSS") < 150 << 10  # and nothing of it is kept


async def test_alpha_that_does_not_compress_is_stored_coarser_within_the_memory() -> None:
    image = make.scene(size=(4096, 4096))
    image.putalpha(make.noise("L", image.size).point(lambda value: value & 0xF8))
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        clean = await sanitizer.clean(make.encode(image, "WEBP", method=0), max_bytes=ANY_SIZE)
        assert (clean.width, clean.content_type) == (4096, "image/webp")


async def test_the_parents_memory_stays_flat() -> None:
    data = make.encode(make.noise("RGB", (800, 600)), "PNG")
    async with ImageSanitizer(processes=2, timeout=PATIENCE) as sanitizer:
        for _ in range(5):
            await sanitizer.clean(data, max_bytes=ANY_SIZE)
        before = kib("self", "VmRSS")
        for _ in range(15):  # 21 MiB in, 21 MiB out
            await sanitizer.clean(data, max_bytes=ANY_SIZE)
        assert kib("self", "VmRSS") - before < 8 << 10


async def test_a_child_has_no_environment_no_descriptors_and_little_memory() -> None:
    async with ImageSanitizer(processes=1, timeout=PATIENCE) as sanitizer:
        await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)
        (pid,) = ours()
        proc = Path(f"/proc/{pid}")
        limits = {line[:26].strip(): line[26:].split()[0] for line in (proc / "limits").read_text().splitlines()[1:]}
        assert limits["Max address space"] == str(600 << 20)
        assert limits["Max open files"] == "3"
        assert {limits[name] for name in ("Max file size", "Max core file size", "Max processes")} == {"0"}
        assert b"=" not in (proc / "environ").read_bytes().replace(b"LC_CTYPE=", b"")  # set by Python itself
        assert {entry.name for entry in (proc / "fd").iterdir()} == {"0", "1", "2"}


PARENT = """
import asyncio, sys, uvloop
from tests.support.corpus import pictures as make
from services.integrations.images.sanitizer import ImageSanitizer
async def main():
    sanitizer = ImageSanitizer(processes=1)
    await sanitizer.clean(make.png(), max_bytes=1 << 30)
    print("ready", flush=True)
    await sanitizer.clean(make.many_scans(6000, 4000), max_bytes=1 << 30)
uvloop.run(main())
"""


async def test_children_end_with_a_parent_that_was_killed() -> None:
    search = os.pathsep.join(sys.path)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": search}
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"ready\n"
    (pid,) = children(parent.pid)
    before = cpu_seconds(pid)
    await until(lambda: cpu_seconds(pid) > before + 0.1)  # in the middle of a picture
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(pid), seconds=2)
