"""Retries during an outage: of what has to be done once the database or the storage is back."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")

DATABASE_PAUSE = 0.1  # seconds before the first retry of a statement
_LONGEST_PAUSE = 5.0  # seconds, up to which the pause is doubled


async def retry(
    work: Callable[[], Awaitable[T]],
    *,
    seconds: float,
    pause: float,
    is_retried: Callable[[Exception], bool],
    event: str,
    **fields: str,
) -> T:
    """Call `work` until it succeeds, for `seconds`; then, and for errors that are not retried, raise its error.

    `pause`: seconds before the first retry. Each retry is logged as `event`.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + seconds
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_retried(error) or loop.time() + pause > give_up:
                raise
            log.warning(event, error=error, pause=pause, **fields)
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))
            pause = min(2 * pause, _LONGEST_PAUSE)
