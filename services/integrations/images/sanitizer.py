"""The image sanitizer: every untrusted image is decoded and re-encoded by resource-limited child processes."""

import asyncio
import base64
import contextlib
import hashlib
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from services.integrations.images.formats import CONTENT_TYPES

CHILD = Path(__file__).with_name("sanitizer_process.py")
ALL_FORMATS = frozenset(CONTENT_TYPES)
THUMBNAIL_WIDTHS = (320, 640, 1280)  # pixels, ascending: galleries on any screen, and full screen on a phone
MAX_PREVIEW_BYTES = 16 << 20  # a provider's partial image: a PNG of 4096 x 4096 pixels is rarely larger
MAX_HEADER_BYTES = 4096
REDUCED_QUALITIES = (92, 80)  # of JPEG and WebP, tried in this order before the size is reduced
MAX_RESPONSE_BYTES = 128 << 20  # 4096 x 4096 pixels of RGBA noise are 64 MiB as a PNG
PIPE_BUFFER = 1 << 20  # bytes read ahead; with asyncio's 64 KiB, one response would pause the pipe hundreds of times
EXIT_SECONDS = 1.0  # a child exits within milliseconds after its input has ended

# Signals of a crash inside a decoder, which an image can cause. SIGXCPU, the CPU limit, is handled separately.
CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE})

log = structlog.get_logger(__name__)


class BadImage(StrEnum):
    """The reason why an image is refused."""

    EMPTY = "EMPTY"
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"  # by its first bytes; file names and declared types are ignored
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"  # by its header, or it exceeded the memory or CPU limit
    DAMAGED = "DAMAGED"  # truncated, malformed, or it crashed the decoder


class BadImageError(Exception):
    """The image is refused; sending it again does not help."""

    def __init__(self, reason: BadImage) -> None:
        super().__init__(reason.value)
        self.reason = reason


class SanitizerUnavailableError(Exception):
    """An outage, not a bad image: no child could be started, two in a row were killed from outside, a child did not
    respond in time with CPU time left, or the sanitizer is closed."""


@dataclass(frozen=True)
class CleanImage:
    """A re-encoded image: 8-bit sRGB or RGBA, upright, one frame, no metadata.

    `data` is JPEG, PNG or WebP like the input, its long side at most 4096 pixels; `sha256` is hex, of `data`.
    `placeholder` is a data URI of about 100 characters (WebP, 16 pixels, transparency on white); `thumbnails`
    are WebP by the width that each fits into, at most four times that high, never larger than the image: the
    first of THUMBNAIL_WIDTHS always, the others only if they are narrower than the image.
    """

    data: bytes
    content_type: str
    width: int  # pixels
    height: int
    sha256: str
    placeholder: str
    thumbnails: dict[int, bytes]


@dataclass(frozen=True)
class ReducedImage:
    """A smaller copy of an image: JPEG, or WebP if it is transparent."""

    data: bytes
    content_type: str
    width: int  # pixels
    height: int


class _ChildLostError(Exception):
    """A child exited for a reason other than its image."""


@dataclass(frozen=True)
class _Response:
    """A child's response: the reason of a refusal, or an image and its parts."""

    reason: BadImage | None
    format: str
    width: int
    height: int
    widths: list[int]
    parts: list[bytes]


class ImageSanitizer:
    """A pool of up to `processes` children, started on demand and reused, each with one image at a time.

    `memory_mib` limits a child's address space, and so its resident memory. `cpu_seconds` is the CPU time that one
    image may use (up to one second more, because the kernel counts whole seconds); `timeout` is wall-clock time and
    must be longer: a slow image hits the CPU limit first, so exceeding `timeout` means an overloaded machine.
    WebP is limited to 24 megapixels within `max_pixels`, because its decoder holds several copies.
    """

    def __init__(
        self,
        *,
        processes: int = 2,
        max_pixels: int = 40_000_000,
        max_side: int = 8192,
        memory_mib: int = 600,
        cpu_seconds: int = 5,
        timeout: float = 10.0,
    ) -> None:
        if timeout <= cpu_seconds + 1:
            raise ValueError("timeout must exceed cpu_seconds + 1, or a slow picture would look like an outage")
        self._arguments = [str(number) for number in (memory_mib, cpu_seconds, max_pixels, max_side)]
        self._timeout = timeout
        self._slots = asyncio.Semaphore(processes)
        self._idle: list[Process] = []
        self._jobs: set[asyncio.Task[_Response]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def clean(self, data: bytes, *, max_bytes: int, formats: frozenset[str] = ALL_FORMATS) -> CleanImage:
        """Decode `data` and re-encode it in its own format; only `formats` (JPEG, PNG, WEBP) are accepted.

        Raises:
            BadImageError: the image is refused.
            SanitizerUnavailableError: the sanitizer cannot work at the moment.
        """
        response = await self._run(
            {"task": "clean", "formats": sorted(formats), "widths": THUMBNAIL_WIDTHS}, data, max_bytes
        )
        stored, placeholder, *thumbnails = response.parts
        digest = await asyncio.to_thread(hashlib.sha256, stored)  # tens of milliseconds for the largest
        return CleanImage(
            data=stored,
            content_type=CONTENT_TYPES[response.format],
            width=response.width,
            height=response.height,
            sha256=digest.hexdigest(),
            placeholder=_data_uri(placeholder),
            thumbnails=dict(zip(response.widths, thumbnails, strict=True)),
        )

    async def preview(self, data: bytes, *, width: int = 256) -> str:
        """Return a small WebP of a provider's partial image as a data URI: at most `width` pixels wide and about 12,000
        characters long.

        Raises:
            BadImageError: the image is refused.
            SanitizerUnavailableError: the sanitizer cannot work at the moment.
        """
        job = {"task": "preview", "formats": sorted(ALL_FORMATS), "widths": [width]}
        return _data_uri((await self._run(job, data, MAX_PREVIEW_BYTES)).parts[0])

    async def reduce(
        self,
        data: bytes,
        *,
        max_bytes: int,
        box: tuple[int, int] | None = None,
        opaque: bool = False,
        qualities: tuple[int, ...] = REDUCED_QUALITIES,
    ) -> ReducedImage:
        """Return a copy of a stored image of at most `max_bytes`: the quality is reduced first, then the size.

        `box`: the largest width and height in pixels; never enlarged. `opaque`: transparency becomes white.

        Raises:
            BadImageError: the image is refused.
            SanitizerUnavailableError: the sanitizer cannot work at the moment.
        """
        job = {"task": "reduce", "formats": sorted(ALL_FORMATS), "max_bytes": max_bytes, "qualities": qualities}
        response = await self._run(job | {"box": box, "opaque": opaque}, data, MAX_RESPONSE_BYTES)
        (reduced,) = response.parts
        return ReducedImage(reduced, CONTENT_TYPES[response.format], response.width, response.height)

    async def aclose(self) -> None:
        """Finish running images, refuse waiting ones, and stop every child."""
        self._closed = True
        await asyncio.gather(*self._jobs, return_exceptions=True)
        while self._idle:
            process = self._idle.pop()
            if process.stdin is not None:
                process.stdin.close()
            await _wait_for_exit(process)

    async def _run(self, job: dict[str, Any], data: bytes, max_bytes: int) -> _Response:
        if not data:
            raise BadImageError(BadImage.EMPTY)
        if len(data) > max_bytes:
            raise BadImageError(BadImage.TOO_MANY_BYTES)
        await self._slots.acquire()
        if self._closed:
            self._slots.release()
            raise SanitizerUnavailableError("the sanitizer is closed")
        # In a separate task, so that a canceled caller neither loses the child nor leaves its response half read.
        task = asyncio.create_task(self._run_job(job, data))
        self._jobs.add(task)
        task.add_done_callback(self._finish_job)
        return await asyncio.shield(task)

    def _finish_job(self, task: asyncio.Task[_Response]) -> None:
        self._jobs.discard(task)
        self._slots.release()
        if not task.cancelled():
            task.exception()  # retrieved, even if the caller was canceled

    async def _run_job(self, job: dict[str, Any], data: bytes) -> _Response:
        try:
            return await self._run_job_on(self._pop_idle_child() or await self._start_child(), job, data)
        except _ChildLostError:
            pass  # a reused child may have exited before: retry once with a new one
        try:
            return await self._run_job_on(await self._start_child(), job, data)
        except _ChildLostError as error:
            raise SanitizerUnavailableError(str(error)) from None

    def _pop_idle_child(self) -> Process | None:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
        return None

    async def _start_child(self) -> Process:
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(CHILD),
                *self._arguments,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={},
                limit=PIPE_BUFFER,
                start_new_session=True,  # Ctrl-C in a terminal goes to the server only, which then stops its children
            )
        except OSError as error:
            raise SanitizerUnavailableError(f"no child could be started: {error}") from error

    async def _run_job_on(self, process: Process, job: dict[str, Any], data: bytes) -> _Response:
        """Exchange one job for its response; afterwards the child is idle again, or stopped."""
        healthy = False
        try:
            async with asyncio.timeout(self._timeout):
                response = await _exchange(process, job, data)
            healthy = True
        except TimeoutError:
            log.warning("sanitizer.process_timed_out", seconds=self._timeout)
            raise SanitizerUnavailableError("a child did not respond in time") from None
        except (ConnectionError, asyncio.IncompleteReadError):
            code = await _wait_for_exit(process)
            log.warning("sanitizer.process_died", code=code, task=job["task"], bytes=len(data))
            if -code == signal.SIGXCPU:
                raise BadImageError(BadImage.TOO_MANY_PIXELS) from None
            if -code in CRASHES:
                raise BadImageError(BadImage.DAMAGED) from None
            raise _ChildLostError(f"a child exited with code {code}") from None
        finally:
            if healthy:
                self._idle.append(process)
            else:
                await _wait_for_exit(process, patience=0)
        if response.reason is not None:
            raise BadImageError(response.reason)
        return response


async def _exchange(process: Process, job: dict[str, Any], data: bytes) -> _Response:
    """Send one frame and read one frame (sanitizer_process.py describes them).

    A child is trusted no more than the images it decodes: lengths are bounded, and a malformed response is handled
    like an exit of the child.
    """
    writer, reader = process.stdin, process.stdout
    if writer is None or reader is None:
        raise ConnectionError
    header = json.dumps(job | {"size": len(data)}).encode()
    writer.write(len(header).to_bytes(4, "big") + header)
    writer.write(data)
    await writer.drain()
    size = int.from_bytes(await reader.readexactly(4), "big")
    if size > MAX_HEADER_BYTES:
        raise ConnectionError
    try:
        response = json.loads(await reader.readexactly(size))
        reason = BadImage(response["reason"]) if "reason" in response else None
        sizes = [int(size) for size in response["parts"]]
        result = _Response(
            reason,
            response.get("format", ""),
            response.get("width", 0),
            response.get("height", 0),
            response.get("widths", []),
            [],
        )
    except (ValueError, KeyError, TypeError):
        raise ConnectionError from None
    if sum(sizes) > MAX_RESPONSE_BYTES or min(sizes, default=0) < 0:
        raise ConnectionError
    for size in sizes:
        result.parts.append(await reader.readexactly(size))
    return result


async def _wait_for_exit(process: Process, patience: float = EXIT_SECONDS) -> int:
    """Return the exit code of a child; kill it if it does not exit by itself within `patience` seconds."""
    if process.returncode is None and process.stdout is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await _drain(process)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await _drain(process)
    return process.returncode if process.returncode is not None else await process.wait()


async def _drain(process: Process) -> None:
    """Wait for the exit; asyncio reports it only after the pipe has been read to its end."""
    if process.stdout is not None:
        while await process.stdout.read(PIPE_BUFFER):
            pass
    await process.wait()


def _data_uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode()
