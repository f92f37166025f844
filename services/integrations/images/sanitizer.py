"""The image sanitizer: every untrusted image is decoded and re-encoded by resource-limited child processes."""

import asyncio
import base64
import hashlib
import signal
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from services.integrations.child_process import MAX_RESPONSE_BYTES, Child, ChildError, Response
from services.integrations.fair_slots import FairSlots, RecentUse
from services.integrations.images.formats import CONTENT_TYPES, PngStorage
from services.integrations.images.responses import check_response

CHILD = Path(__file__).with_name("sanitizer_process.py")
ALL_FORMATS = frozenset(CONTENT_TYPES)
THUMBNAIL_WIDTHS = (320, 640, 1280)  # pixels, ascending: galleries on any screen, and full screen on a phone
MAX_PREVIEW_BYTES = 16 << 20  # a provider's partial image: a PNG of 4096 x 4096 pixels is rarely larger
MAX_PIXELS = 120_000_000  # a panorama of a phone
MAX_SIDE = 65_500  # pixels, of a JPEG: the number of pixels is the limit, not the shape
REDUCED_QUALITIES = (92, 80)  # of JPEG and WebP, tried in this order before the size is reduced
_NICENESS_OF_UPLOADS = 5  # on a busy CPU they get a third of the time that other processes get
_HALF_LIFE = 60.0  # seconds in which half of an account's use of children is forgotten
_PROBE_SECONDS = 5.0  # in which a fresh child cleans the probe, where the machine is not overloaded
_PROBE = base64.b64decode(  # a PNG of one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)

# Signals of a crash inside a decoder, which an image can cause. SIGXCPU, the CPU limit, is handled separately.
CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE})

log = structlog.get_logger(__name__)


class BadImage(StrEnum):
    """The reason why an image is refused."""

    EMPTY = "EMPTY"
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"  # by its first bytes; file names and declared types are ignored
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"  # by its header, or it exceeded the memory limit
    TOO_SLOW = (
        "TOO_SLOW"  # by its scans or chunks, or it exceeded the CPU limit, or its child did not respond while others do
    )
    DAMAGED = "DAMAGED"  # truncated, malformed, or it crashed the decoder


class BadImageError(Exception):
    """The image is refused; sending it again does not help. `details`: what was found, and what is accepted.

    TOO_MANY_PIXELS by the header has `width`, `height`, `pixels` and `side` (of the image, then the limits), and
    UNSUPPORTED_FORMAT has `format`, empty if it is unknown.
    """

    def __init__(self, reason: BadImage, details: dict[str, Any] | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.details = details or {}


class SanitizerUnavailableError(Exception):
    """An outage, not a bad image: no child could be started, two in a row were killed from outside, no child responds,
    or the sanitizer is closed."""


class SanitizerBusyError(SanitizerUnavailableError):
    """No slot became free in time."""


@dataclass(frozen=True)
class CleanImage:
    """A re-encoded image: sRGB with 8 bits or a palette, or grey, perhaps with alpha; upright, one frame, no metadata.

    `data` is JPEG, PNG or WebP like the input, except for PNGs that the sanitizer stores as WebP; of HEIC and AVIF it
    is JPEG, or WebP if transparent. Its long side is at most 4096 pixels; `sha256` is hex, of `data`.
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


class ImageSanitizer:
    """A pool of up to `processes` children, started on demand and reused, each with one image at a time.

    Accounts take turns, those first that have used children for less time lately, and one account uses at most
    `per_account` children at a time (None: all). An image waits at most `max_wait` seconds for its turn (None: any
    time). `niceness`: how far the children's CPU priority is below this process's.

    `memory_mib` limits a child's address space, and so its resident memory. `cpu_seconds` is the CPU time that one
    image may use, twice for HEIC and AVIF (up to one second more, because the kernel counts whole seconds); `timeout`
    is wall-clock time from the start of the decoding, and must be longer: a slow image hits the CPU limit first, unless
    the machine is busy.
    Other formats than JPEG, which can be decoded at a fraction of its size, are limited further by decoding.py.
    `png_as`: what a PNG is stored as. `program`: what a child runs; tests pass others.
    """

    def __init__(
        self,
        *,
        processes: int = 2,
        per_account: int | None = None,
        max_wait: float | None = None,
        niceness: int = 0,
        max_pixels: int = MAX_PIXELS,
        max_side: int = MAX_SIDE,
        memory_mib: int = 600,
        cpu_seconds: int = 5,
        timeout: float = 30.0,
        png_as: PngStorage = PngStorage.PNG,
        program: Path = CHILD,
    ) -> None:
        if timeout <= cpu_seconds + 1:
            raise ValueError("timeout must exceed cpu_seconds + 1, or the CPU limit would never be reached")
        arguments = [str(number) for number in (memory_mib, cpu_seconds, max_pixels, max_side)]
        self._start = partial(Child.start, program, arguments, niceness=niceness)
        self._timeout = timeout
        self._png_as = png_as
        self._max_wait = max_wait
        self._slots = FairSlots(processes, per_account or processes, RecentUse(_HALF_LIFE))
        self._idle: list[Child] = []
        self._jobs: set[asyncio.Task[Response]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def waiting(self) -> int:
        """How many images wait for a child."""
        return self._slots.waiting

    async def clean(
        self, data: bytes, *, max_bytes: int, formats: frozenset[str] = ALL_FORMATS, account: str = ""
    ) -> CleanImage:
        """Decode `data` and re-encode it; only `formats` are accepted.

        `account`: the id of the account that it is done for, here and below.

        Raises:
            BadImageError: the image is refused.
            SanitizerBusyError: the wait for a slot was too long.
            SanitizerUnavailableError: the sanitizer cannot work at the moment.
        """
        job = {"task": "clean", "formats": sorted(formats), "widths": THUMBNAIL_WIDTHS, "png_as": self._png_as}
        response = await self._run(job, data, max_bytes, account)
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

    async def missing_formats(self) -> frozenset[str]:
        """Return the formats that cannot be decoded here. Raises SanitizerBusyError, SanitizerUnavailableError."""
        return (await self._run({"task": "missing"}, b"\0", 1, "")).missing

    async def preview(self, data: bytes, *, width: int = 256, account: str = "") -> str:
        """Return a small WebP of a provider's partial image as a data URI: at most `width` pixels wide and about 12,000
        characters long.

        Raises:
            BadImageError, SanitizerBusyError, SanitizerUnavailableError: as `clean`.
        """
        response = await self._run(_preview_job(width), data, MAX_PREVIEW_BYTES, account)
        return _data_uri(response.parts[0])

    async def reduce(
        self,
        data: bytes,
        *,
        max_bytes: int,
        box: tuple[int, int] | None = None,
        opaque: bool = False,
        as_webp: bool = False,
        qualities: tuple[int, ...] = REDUCED_QUALITIES,
        account: str = "",
    ) -> ReducedImage:
        """Return a copy of a stored image of at most `max_bytes`: the quality is reduced first, then the size.

        `box`: the largest width and height in pixels; never enlarged. `opaque`: transparency becomes white.
        `as_webp`: WebP in any case, encoded more slowly.

        Raises:
            BadImageError, SanitizerBusyError, SanitizerUnavailableError: as `clean`.
        """
        job = {"task": "reduce", "formats": sorted(ALL_FORMATS), "max_bytes": max_bytes, "qualities": qualities}
        response = await self._run(
            job | {"box": box, "opaque": opaque, "as_webp": as_webp}, data, MAX_RESPONSE_BYTES, account
        )
        (reduced,) = response.parts
        return ReducedImage(reduced, CONTENT_TYPES[response.format], response.width, response.height)

    async def convert(
        self, data: bytes, format: str, *, quality: int = REDUCED_QUALITIES[0], account: str = ""
    ) -> bytes:
        """Return a stored image as JPEG, PNG or WEBP. `quality`: 0 to 100, of JPEG and WebP.

        Raises:
            BadImageError, SanitizerBusyError, SanitizerUnavailableError: as `clean`.
        """
        job = {"task": "convert", "formats": sorted(ALL_FORMATS), "format": format, "quality": quality}
        (converted,) = (await self._run(job, data, MAX_RESPONSE_BYTES, account)).parts
        return converted

    async def aclose(self) -> None:
        """Finish running images, refuse waiting ones, and stop every child."""
        self._closed = True
        await asyncio.gather(*self._jobs, return_exceptions=True)
        while self._idle:
            child = self._idle.pop()
            child.end_input()
            await child.wait_for_exit()

    async def _run(self, job: dict[str, Any], data: bytes, max_bytes: int, account: str) -> Response:
        if not data:
            raise BadImageError(BadImage.EMPTY)
        if len(data) > max_bytes:
            raise BadImageError(BadImage.TOO_MANY_BYTES)
        try:
            async with asyncio.timeout(self._max_wait):
                await self._slots.acquire(account)
        except TimeoutError:
            raise SanitizerBusyError from None
        if self._closed:
            self._slots.release(account)
            raise SanitizerUnavailableError("the sanitizer is closed")
        # In a separate task, so that a canceled caller neither loses the child nor leaves its response half read.
        task = asyncio.create_task(self._run_job(job, data))
        self._jobs.add(task)
        task.add_done_callback(partial(self._finish_job, account))
        return await asyncio.shield(task)

    def _finish_job(self, account: str, task: asyncio.Task[Response]) -> None:
        self._jobs.discard(task)
        self._slots.release(account)
        if not task.cancelled():
            task.exception()  # retrieved, even if the caller was canceled

    async def _run_job(self, job: dict[str, Any], data: bytes) -> Response:
        try:
            return await self._run_job_on(self._pop_idle_child() or await self._start_child(), job, data)
        except _ChildLostError:
            pass  # a reused child may have exited before: retry once with a new one
        try:
            return await self._run_job_on(await self._start_child(), job, data)
        except _ChildLostError as error:
            raise SanitizerUnavailableError(str(error)) from None

    def _pop_idle_child(self) -> Child | None:
        while self._idle:
            child = self._idle.pop()
            if child.is_running:
                return child
        return None

    async def _start_child(self) -> Child:
        try:
            return await self._start()
        except OSError as error:
            raise SanitizerUnavailableError(f"no child could be started: {error}") from error

    async def _run_job_on(self, child: Child, job: dict[str, Any], data: bytes) -> Response:
        """Exchange one job for its response; afterwards the child is idle again, or stopped."""
        try:
            response = await self._exchange(child, job, data, self._timeout)
        except TimeoutError:
            is_healthy = await self._is_healthy()
            log.warning(
                "sanitizer.process_timed_out", seconds=self._timeout, bytes=len(data), others_respond=is_healthy
            )
            if is_healthy:
                raise BadImageError(BadImage.TOO_SLOW) from None
            raise SanitizerUnavailableError("no child responds in time") from None
        except ChildError:
            code = await child.wait_for_exit()
            log.warning("sanitizer.process_died", code=code, task=job["task"], bytes=len(data))
            if -code == signal.SIGXCPU:
                raise BadImageError(BadImage.TOO_SLOW) from None
            if -code in CRASHES:
                raise BadImageError(BadImage.DAMAGED) from None
            raise _ChildLostError(f"a child exited with code {code}") from None
        if response.reason is not None:
            raise BadImageError(BadImage(response.reason), response.details)
        return response

    async def _exchange(self, child: Child, job: dict[str, Any], data: bytes, seconds: float) -> Response:
        healthy = exited = False
        try:
            async with asyncio.timeout(seconds):
                response = await child.exchange(job, data)
            if response.reason is not None:
                BadImage(response.reason)
            check_response(job, response)
            healthy = True
            return response
        except (ChildError, ValueError) as error:
            exited = True  # the caller needs its exit code
            raise ChildError from error
        finally:
            if healthy:
                self._idle.append(child)
            elif not exited:
                await child.wait_for_exit(patience=0)

    async def _is_healthy(self) -> bool:
        """Whether a fresh child responds: then the one that did not was slow because of its image."""
        try:
            await self._exchange(await self._start_child(), _preview_job(1), _PROBE, _PROBE_SECONDS)
        except (TimeoutError, ChildError, SanitizerUnavailableError):
            return False
        return True


def _preview_job(width: int) -> dict[str, Any]:
    return {"task": "preview", "formats": sorted(ALL_FORMATS), "widths": [width]}


def _data_uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode()


@dataclass(frozen=True)
class Sanitizers:
    """Two sanitizers with children of their own: results of providers never wait for uploads."""

    uploads: ImageSanitizer
    results: ImageSanitizer

    @classmethod
    def of(
        cls,
        processes: int,
        *,
        max_wait: float | None,
        max_pixels: int = MAX_PIXELS,
        png_results_as: PngStorage = PngStorage.WEBP,
    ) -> Self:
        """Return sanitizers with up to `processes` children each.

        An account decodes one upload at a time, and leaves one child to the results of others. `max_wait`: seconds that
        an upload waits for its turn.
        """
        return cls(
            uploads=ImageSanitizer(
                processes=processes,
                per_account=1,
                max_wait=max_wait,
                niceness=_NICENESS_OF_UPLOADS,
                max_pixels=max_pixels,
            ),
            results=ImageSanitizer(
                processes=processes,
                per_account=max(1, processes - 1),
                max_pixels=max_pixels,
                png_as=png_results_as,
            ),
        )

    async def aclose(self) -> None:
        """Close both."""
        await self.uploads.aclose()
        await self.results.aclose()
