"""The refusal of an image inside a child process, and the sizes that are accepted and stored."""

from typing import NamedTuple

MAX_STORED_SIDE = 4096  # pixels; larger images are scaled down


class Limits(NamedTuple):
    """The size that a header may declare."""

    pixels: int
    side: int  # pixels


class RefusedError(Exception):
    """The image is refused. `reason`: a BadImage; `details`: values that its message names."""

    def __init__(self, reason: str, **details: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


def check_size(size: tuple[int, int], limits: Limits) -> None:
    """Raise RefusedError for a size beyond the limits."""
    width, height = size
    if min(size) < 1:
        raise RefusedError("DAMAGED")
    if width * height > limits.pixels or max(size) > limits.side:
        raise RefusedError("TOO_MANY_PIXELS", width=width, height=height, pixels=limits.pixels, side=limits.side)
