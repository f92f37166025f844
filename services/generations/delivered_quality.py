"""The quality of a result: what came, by its size, and the credits to return where that is less than was ordered."""

from collections.abc import Mapping

from models.enum import MediaKind, Quality

# Of images: the longer side of a square one, in pixels.
_SIDES = {Quality.STANDARD: 1024, Quality.HD: 2048, Quality.ULTRA: 4096}

# Models do not meet a size exactly: 16:9 at 2K is 2752 x 1536 for one and 1920 x 1080 for another.
_MIN_SIDE = 0.9
# A narrow image of a lower quality has a long side: 1:4 at 1K is 512 x 2048. Its area distinguishes it from 2K.
_MIN_AREA = 0.4

# Of videos, which are sold by their lines: HD is 1080p, ULTRA is 4K. Models make a square or a wide one of "1080p" with
# 1080 lines, or with about as many pixels as 1920 x 1080; 720p has neither.
_LINES = {Quality.HD: 1080, Quality.ULTRA: 2160}
_MIN_LINES = 0.9
_MIN_PIXELS = 0.65  # of those in 16:9


def quality_of(width: int, height: int, media: MediaKind = MediaKind.IMAGE) -> Quality:
    """Return the highest quality that a result of this size in pixels reaches, STANDARD at least."""
    reached = Quality.STANDARD
    if media is MediaKind.VIDEO:
        for quality, lines in _LINES.items():
            if min(width, height) >= _MIN_LINES * lines or width * height >= _MIN_PIXELS * lines**2 * 16 / 9:
                reached = quality
        return reached
    for quality, side in _SIDES.items():
        if max(width, height) >= _MIN_SIDE * side and width * height >= _MIN_AREA * side**2:
            reached = quality
    return reached


def size_refund(cost: int, lower_costs: Mapping[str, int], delivered: Quality | None) -> int:
    """Return the credits between what was paid and what the delivered quality costs.

    0 if it is not lower than the ordered one, or if credits did not pay. `delivered`: None, if it was not measured.
    """
    if delivered is None or delivered.value not in lower_costs:
        return 0
    return cost - lower_costs[delivered.value]
