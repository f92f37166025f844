"""Checks of parts: at most one at a time, their results kept briefly, and the cause of a failure."""

import asyncio
import errno
from dataclasses import dataclass

import asyncpg
import pytest

from services.integrations.storage.protocol import StorageError
from services.operations.part_check import CachedCheck, problem_of
from telemetry.outage import Cause


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class Part:
    """A part whose check finishes once a test allows it."""

    def __init__(self) -> None:
        self.checks = 0
        self.may_finish = asyncio.Event()

    async def check(self) -> None:
        self.checks += 1
        await self.may_finish.wait()


async def test_a_part_is_checked_once_however_many_ask_and_again_after_a_while() -> None:
    part, clock = Part(), Clock()
    part.may_finish.set()
    cached = CachedCheck("storage", part.check, clock)
    assert {state.problem for state in await asyncio.gather(*(cached.state(1.0) for _ in range(50)))} == {""}
    clock.now = 6.99
    assert not (await cached.state(1.0)).problem
    assert part.checks == 1
    clock.now = 7.01
    assert not (await cached.state(1.0)).problem
    assert part.checks == 2


async def test_hanging_check_is_not_started_again_before_it_finishes() -> None:
    part, clock = Part(), Clock()
    cached = CachedCheck("storage", part.check, clock)
    for clock.now in (0.0, 10.0, 20.0):
        assert (await cached.state(0.02)).problem == "no answer in time"
    assert part.checks == 1
    part.may_finish.set()
    assert not (await cached.state(1.0)).problem
    assert part.checks == 1


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (StorageError.of(OSError(errno.ENOSPC, "No space left on device")), "full"),
        (StorageError.of(OSError(errno.EFBIG, "File too large")), "full"),
        (StorageError.of(OSError(errno.EROFS, "Read-only file system")), "read-only"),
        (StorageError("S3 put: AccessDenied (HTTP 403)", Cause.REFUSED), "access refused"),
        (asyncpg.DiskFullError("could not extend file"), "full"),
        (asyncpg.TooManyConnectionsError("too many clients"), "full"),
        (asyncpg.LockNotAvailableError("canceling statement due to lock timeout"), "locked"),
        (asyncpg.InvalidPasswordError("password authentication failed"), "access refused"),
        (asyncpg.CannotConnectNowError("the database system is starting up"), "unreachable"),
        (ConnectionRefusedError(111, "Connect call failed"), "unreachable"),
        (TimeoutError(), "no answer in time"),
        (ValueError("a bug"), "failed"),
    ],
)
def test_errors_of_parts_name_their_cause(error: Exception, problem: str) -> None:
    assert problem_of(error) == problem
