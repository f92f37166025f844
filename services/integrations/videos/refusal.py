"""The refusal of a video inside a child process, and what is accepted."""

from enum import StrEnum
from typing import NamedTuple


class BadVideo(StrEnum):
    """The reason why a video is refused."""

    EMPTY = "EMPTY"
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"  # by its first bytes: neither MP4 nor WebM
    UNSUPPORTED_CODEC = "UNSUPPORTED_CODEC"  # browsers do not play it in this container
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"  # by its header, or it exceeded the memory limit
    TOO_SMALL = "TOO_SMALL"  # in pixels, or shorter than any clip
    TOO_LONG = "TOO_LONG"
    TOO_MANY_FRAMES = "TOO_MANY_FRAMES"  # for a second, or in all
    DECEPTIVE = "DECEPTIVE"  # it is not what its header says, or refers to something outside of it
    TOO_SLOW = "TOO_SLOW"  # it exceeded the CPU limit, or its child did not respond
    DAMAGED = "DAMAGED"  # truncated, malformed, or it crashed the decoder


class VideoLimits(NamedTuple):
    """What a video may have."""

    bytes: int = 64 << 20
    seconds: float = 60.0
    pixels: int = 9_500_000  # 4096 x 2304: 4K in any shape
    side: int = 4096  # pixels
    fps: int = 120  # frames a second on average


class VideoRefusedError(Exception):
    """The video is refused. `detail`: what was found, for the log."""

    def __init__(self, reason: BadVideo, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
