"""The video sanitizer: every untrusted video is read by a resource-limited child process, one for each video."""

import asyncio
import hashlib
import signal
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.integrations.child_process import Child, ChildError, Response
from services.integrations.fair_slots import FairSlots
from services.integrations.images.sanitizer import (
    CRASHES,
    MAX_SIDE,
    BadImageError,
    CleanImage,
    ImageSanitizer,
    SanitizerUnavailableError,
)
from services.integrations.videos.formats import CONTENT_TYPES
from services.integrations.videos.refusal import BadVideo, VideoLimits

CHILD = Path(__file__).with_name("sanitizer_process.py")
_NICENESS = 5  # on a busy CPU it gets a third of the time that other processes get
_BASE_MIB = 700  # of a child's address space: the libraries, and the frames that a decoder keeps of a 4K video
_POSTER_FORMATS = frozenset({"JPEG"})
_MAX_POSTER_BYTES = 32 << 20
_DETAILS = frozenset({"seconds", "frames", "codec", "audio"})

log = structlog.get_logger(__name__)


class BadVideoError(Exception):
    """The video is refused; sending it again does not help. `detail`: what was found, for the log."""

    def __init__(self, reason: BadVideo, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class CleanVideo:
    """A video that browsers play: MP4 or WebM, its packets unchanged, without metadata, the index first.

    `sha256` is hex, of `data`. `poster`: a frame of it, with thumbnails and a placeholder; its size is the video's.
    """

    data: bytes
    content_type: str
    width: int  # pixels, as shown
    height: int
    seconds: float
    sha256: str
    poster: CleanImage


class VideoSanitizer:
    """Reads videos in up to `processes` children at a time, each started for one video and gone after it.

    `images`: decodes the posters. `cpu_seconds`: CPU time that one video may use; default: enough for 4K at 30 frames a
    second. `program`: what a child runs; tests pass others.
    """

    def __init__(
        self,
        images: ImageSanitizer,
        limits: VideoLimits | None = None,
        *,
        processes: int = 1,
        cpu_seconds: int | None = None,
        timeout: float | None = None,
        memory_mib: int | None = None,
        program: Path = CHILD,
    ) -> None:
        self.limits = limits = limits or VideoLimits()
        self._images = images
        self._slots = FairSlots(processes, processes)
        self._cpu_seconds = cpu_seconds or 15 + round(limits.seconds)
        self._timeout = timeout or 4.0 * self._cpu_seconds
        # The video, its copy, and the copy that FFmpeg reads to move the index, with room for each to grow.
        self._memory_mib = memory_mib or _BASE_MIB + 5 * (limits.bytes >> 20)
        self._program = program

    async def clean(self, data: bytes, *, account: str = "") -> CleanVideo:
        """Check a video and copy it without metadata. `account`: the id of the account that it is done for.

        Raises:
            BadVideoError: the video is refused.
            SanitizerUnavailableError: it cannot be read at the moment.
        """
        if not data:
            raise BadVideoError(BadVideo.EMPTY)
        if len(data) > self.limits.bytes:
            raise BadVideoError(BadVideo.TOO_MANY_BYTES, f"{len(data)} bytes")
        async with self._slots.slot(account):
            response = await self._run(data)
        video, poster = response.parts
        digest = await asyncio.to_thread(hashlib.sha256, video)
        clean_poster = await self._clean_poster(poster, account)
        log.debug("video.sanitized", bytes=len(data), stored=len(video), **response.details)
        return CleanVideo(
            data=video,
            content_type=CONTENT_TYPES[response.format],
            width=response.width,
            height=response.height,
            seconds=float(response.details["seconds"]),
            sha256=digest.hexdigest(),
            poster=clean_poster,
        )

    async def _clean_poster(self, poster: bytes, account: str) -> CleanImage:
        try:
            return await self._images.clean(
                poster, max_bytes=_MAX_POSTER_BYTES, formats=_POSTER_FORMATS, account=account
            )
        except BadImageError as error:
            raise BadVideoError(BadVideo.DAMAGED, f"its poster: {error.reason}") from None

    async def _run(self, data: bytes) -> Response:
        try:
            arguments = [str(self._memory_mib), str(self._cpu_seconds)]
            child = await Child.start(self._program, arguments, niceness=_NICENESS)
        except OSError as error:
            raise SanitizerUnavailableError(f"no child could be started: {error}") from error
        try:
            async with asyncio.timeout(self._timeout):
                response = await child.exchange({"limits": list(self.limits)}, data)
            _check(response)
        except TimeoutError:
            log.warning("video.process_timed_out", seconds=self._timeout, bytes=len(data))
            raise BadVideoError(BadVideo.TOO_SLOW, f"more than {self._timeout:g} seconds") from None
        except (ChildError, ValueError, KeyError, TypeError):
            raise await self._lost(child, len(data)) from None
        finally:
            child.end_input()
            await asyncio.shield(asyncio.create_task(child.wait_for_exit(patience=0)))
        if response.reason is not None:
            raise BadVideoError(BadVideo(response.reason), str(response.details.get("detail", "")))
        return response

    @staticmethod
    async def _lost(child: Child, size: int) -> Exception:
        """Return the error of a child that exited without a valid response."""
        code = await child.wait_for_exit()
        log.warning("video.process_died", code=code, bytes=size)
        if -code == signal.SIGXCPU:
            return BadVideoError(BadVideo.TOO_SLOW, "it exceeded the CPU limit")
        if -code in CRASHES:
            return BadVideoError(BadVideo.DAMAGED, f"it crashed the decoder: signal {-code}")
        return SanitizerUnavailableError(f"a child exited with code {code}")


def _check(response: Response) -> None:
    """Raise ValueError, KeyError or TypeError for a response that no healthy child sends."""
    if response.reason is not None:
        BadVideo(response.reason)
        return
    _, _ = response.parts
    if response.format not in CONTENT_TYPES or not all(response.parts):
        raise ValueError(response.format)
    if not 1 <= min(response.width, response.height) <= max(response.width, response.height) <= MAX_SIDE:
        raise ValueError("size")
    details = response.details
    if details.keys() != _DETAILS or not 0 < float(details["seconds"]) < 1e6:
        raise ValueError("details")
