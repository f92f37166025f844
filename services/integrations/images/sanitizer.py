"""The one way in for bytes of a picture: decoded and written anew by limited child processes, or refused."""

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

CHILD = Path(__file__).with_name("sanitizer_process.py")
CONTENT_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
ALL_FORMATS = frozenset(CONTENT_TYPES)
THUMBNAIL_WIDTHS = (320, 640, 1280)  # pixels, rising; a gallery on any screen, and a picture that fills a phone
MAX_PREVIEW_BYTES = 16 << 20  # a provider's partial image: 4096 x 4096 pixels of PNG seldom have more
MAX_HEADER_BYTES = 4096
MAX_ANSWER_BYTES = 128 << 20  # 4096 x 4096 pixels of RGBA noise make 64 MiB of PNG
PIPE_BUFFER = 1 << 20  # bytes read ahead; asyncio's 64 KiB would stop and go hundreds of times for one answer
EXIT_SECONDS = 1.0  # a child whose input has ended needs milliseconds

# Deaths that a picture can cause: a crash inside a decoder. SIGXCPU is the CPU limit, told apart below.
CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE})

log = structlog.get_logger(__name__)


class BadImage(StrEnum):
    """Why a picture is refused."""

    EMPTY = "EMPTY"
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"  # by its first bytes; names and declared types are not asked
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"  # by its header, or by the memory or CPU time that it took
    DAMAGED = "DAMAGED"  # truncated, malformed, or it crashed the decoder


class BadImageError(Exception):
    """The picture cannot be used, and sending it again will not help."""

    def __init__(self, reason: BadImage) -> None:
        super().__init__(reason.value)
        self.reason = reason


class SanitizerUnavailableError(Exception):
    """Our outage, not a bad picture: no child could be started, two in a row were killed from outside, a child
    did not answer in time with CPU allowance left, or the door is closed."""


@dataclass(frozen=True)
class CleanImage:
    """A picture that we wrote ourselves: 8-bit sRGB or RGBA, upright, one frame, no metadata.

    `data` is JPEG, PNG or WebP as it came, its long side at most 4096 pixels; `sha256` is hex, of `data`.
    `placeholder` is a data URI of about 100 characters (WebP, 16 pixels, transparency on white); `thumbnails`
    are WebP under the width that each fits into, at most four times that high, never larger than the picture: the
    first of THUMBNAIL_WIDTHS always, the others where they are narrower than the picture.
    """

    data: bytes
    content_type: str
    width: int  # pixels
    height: int
    sha256: str
    placeholder: str
    thumbnails: dict[int, bytes]


class _ChildLostError(Exception):
    """A child died, and not of its picture."""


@dataclass(frozen=True)
class _Answer:
    """What a child said: a reason, or a picture and its parts."""

    reason: BadImage | None
    format: str
    width: int
    height: int
    widths: list[int]
    parts: list[bytes]


class ImageSanitizer:
    """Up to `processes` children, started when first needed and used again and again, one picture at a time each.

    `memory_mib` is a child's whole address space, so its resident memory stays below it. `cpu_seconds` is what one
    picture may use (up to one second more, as the kernel counts whole ones); `timeout` is by the clock and must be
    longer: a picture that takes too long meets the CPU limit, so running out of `timeout` is the machine's doing.
    WebP is capped at 24 megapixels within `max_pixels`, because its decoder holds several copies.
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
        self._jobs: set[asyncio.Task[_Answer]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def clean(self, data: bytes, *, max_bytes: int, formats: frozenset[str] = ALL_FORMATS) -> CleanImage:
        """Decode `data` and write it anew, in its own format; only `formats` (JPEG, PNG, WEBP) are let in.

        Raises:
            BadImageError: the picture is to blame.
            SanitizerUnavailableError: we are.
        """
        answer = await self._run(
            {"task": "clean", "formats": sorted(formats), "widths": THUMBNAIL_WIDTHS}, data, max_bytes
        )
        stored, placeholder, *thumbnails = answer.parts
        digest = await asyncio.to_thread(hashlib.sha256, stored)  # tens of milliseconds for the largest
        return CleanImage(
            data=stored,
            content_type=CONTENT_TYPES[answer.format],
            width=answer.width,
            height=answer.height,
            sha256=digest.hexdigest(),
            placeholder=_data_uri(placeholder),
            thumbnails=dict(zip(answer.widths, thumbnails, strict=True)),
        )

    async def preview(self, data: bytes, *, width: int = 256) -> str:
        """A small WebP of a provider's partial image as a data URI: at most `width` pixels wide and about 12,000
        characters long.

        Raises:
            BadImageError: the picture is to blame.
            SanitizerUnavailableError: we are.
        """
        job = {"task": "preview", "formats": sorted(ALL_FORMATS), "widths": [width]}
        return _data_uri((await self._run(job, data, MAX_PREVIEW_BYTES)).parts[0])

    async def aclose(self) -> None:
        """Let running pictures finish, turn waiting ones away, and end every child."""
        self._closed = True
        await asyncio.gather(*self._jobs, return_exceptions=True)
        while self._idle:
            process = self._idle.pop()
            if process.stdin is not None:
                process.stdin.close()
            await _ended(process)

    async def _run(self, job: dict[str, Any], data: bytes, max_bytes: int) -> _Answer:
        if not data:
            raise BadImageError(BadImage.EMPTY)
        if len(data) > max_bytes:
            raise BadImageError(BadImage.TOO_MANY_BYTES)
        await self._slots.acquire()
        if self._closed:
            self._slots.release()
            raise SanitizerUnavailableError("the sanitizer is closed")
        # From here on in a task of its own: a caller who leaves neither costs the child nor leaves it half-read.
        task = asyncio.create_task(self._do(job, data))
        self._jobs.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[_Answer]) -> None:
        self._jobs.discard(task)
        self._slots.release()
        if not task.cancelled():
            task.exception()  # seen, even where the caller has left

    async def _do(self, job: dict[str, Any], data: bytes) -> _Answer:
        try:
            return await self._ask(self._reused() or await self._started(), job, data)
        except _ChildLostError:
            pass  # perhaps it was dead before it got the job: once more, with one that is not
        try:
            return await self._ask(await self._started(), job, data)
        except _ChildLostError as lost:
            raise SanitizerUnavailableError(str(lost)) from None

    def _reused(self) -> Process | None:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
        return None

    async def _started(self) -> Process:
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
                start_new_session=True,  # Ctrl-C in a terminal is for the server, which then ends its children
            )
        except OSError as error:
            raise SanitizerUnavailableError(f"no child could be started: {error}") from error

    async def _ask(self, process: Process, job: dict[str, Any], data: bytes) -> _Answer:
        """One exchange; the child is idle again after it, or gone."""
        healthy = False
        try:
            async with asyncio.timeout(self._timeout):
                answer = await _exchange(process, job, data)
            healthy = True
        except TimeoutError:
            log.warning("sanitizer.process_timed_out", seconds=self._timeout)
            raise SanitizerUnavailableError("a child did not answer in time") from None
        except (ConnectionError, asyncio.IncompleteReadError):
            code = await _ended(process)
            log.warning("sanitizer.process_died", code=code, task=job["task"], bytes=len(data))
            if -code == signal.SIGXCPU:
                raise BadImageError(BadImage.TOO_MANY_PIXELS) from None
            if -code in CRASHES:
                raise BadImageError(BadImage.DAMAGED) from None
            raise _ChildLostError(f"a child died with code {code}") from None
        finally:
            if healthy:
                self._idle.append(process)
            else:
                await _ended(process, patience=0)
        if answer.reason is not None:
            raise BadImageError(answer.reason)
        return answer


async def _exchange(process: Process, job: dict[str, Any], data: bytes) -> _Answer:
    """Send one frame, read one frame (sanitizer_process.py describes them).

    A child is trusted no more than the pictures it decodes: lengths are bounded, and an answer that makes no sense
    counts as a child that died.
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
        answer = json.loads(await reader.readexactly(size))
        reason = BadImage(answer["reason"]) if "reason" in answer else None
        sizes = [int(size) for size in answer["parts"]]
        found = _Answer(
            reason,
            answer.get("format", ""),
            answer.get("width", 0),
            answer.get("height", 0),
            answer.get("widths", []),
            [],
        )
    except (ValueError, KeyError, TypeError):
        raise ConnectionError from None
    if sum(sizes) > MAX_ANSWER_BYTES or min(sizes, default=0) < 0:
        raise ConnectionError
    for size in sizes:
        found.parts.append(await reader.readexactly(size))
    return found


async def _ended(process: Process, patience: float = EXIT_SECONDS) -> int:
    """The return code of a child that ends within `patience` seconds by itself, or else is killed."""
    if process.returncode is None and process.stdout is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await _drained(process)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await _drained(process)
    return process.returncode if process.returncode is not None else await process.wait()


async def _drained(process: Process) -> None:
    """Wait for the end; asyncio reports it only after the pipe has been read empty."""
    if process.stdout is not None:
        while await process.stdout.read(PIPE_BUFFER):
            pass
    await process.wait()


def _data_uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode()
