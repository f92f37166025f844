"""Outages of what a process depends on: one line in the log when one begins, and one when it has ended."""

import math
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

import structlog

log = structlog.get_logger(__name__)

# Seconds after the last failure of one kind of call, such as a removal, for which it counts as an outage unless such a
# call succeeds: the next one may be hours away. More than the sweeper and the checks take to try again.
_QUIET = 60.0


class Cause(StrEnum):
    """Why a service does not serve, as far as its errors say."""

    UNREACHABLE = "unreachable"
    SLOW = "no answer in time"
    REFUSED = "access refused"
    READ_ONLY = "read-only"
    FULL = "full"
    LOCKED = "locked"
    FAILED = "failed"  # the log has the error


class Outage:
    """Whether one service is away, as the calls of this process find it.

    While it is, `logs.py` leaves out the lines of what fails because of it; the last line gives their numbers.
    """

    def __init__(self, service: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.service = service
        self._clock = clock
        self._began: float | None = None
        self._scopes: dict[str, float] = {}  # what is not served, and when that counts as over without a success
        self._left_out: Counter[str] = Counter()

    @property
    def is_on(self) -> bool:
        """Whether the last call that reached out for the service has failed."""
        return any(self._clock() < until for until in self._scopes.values())

    def failed(self, error: BaseException, scope: str = "") -> None:
        """Note that the service could not be reached, or refused to serve.

        `scope`: what it does not serve, such as writes; only the success of that ends it, or a minute without a
        failure. Empty: nothing is served, until something is.
        """
        self._end_if_over()
        self._scopes[scope] = self._clock() + _QUIET if scope else math.inf
        if self._began is None:
            self._began = self._clock()
            log.warning("outage.began", service=self.service, error=repr(error))

    def worked(self, scope: str = "") -> None:
        """Note that the service has served; `scope`: what."""
        if self._began is None:
            return
        for served in ("", scope):
            self._scopes.pop(served, None)
        self._end_if_over()

    def _end_if_over(self) -> None:
        if self._began is None or self.is_on:
            return
        seconds, left_out = self._clock() - self._began, dict(self._left_out)
        self._clear()
        log.warning("outage.ended", service=self.service, seconds=round(seconds, 1), left_out=left_out)

    def forget(self, scope: str) -> None:
        """Note that this process no longer uses the service; what was left out is not reported."""
        self._scopes.pop(scope, None)
        if not self._scopes:
            self._clear()

    def _clear(self) -> None:
        self._began, self._scopes, self._left_out = None, {}, Counter()

    def leave_out(self, event: str) -> None:
        """Count a line of the log that is left out."""
        self._left_out[event] += 1


DATABASE = Outage("database")
STORAGE = Outage("storage")
REDIS = Outage("redis")
SERVICES = {each.service: each for each in (DATABASE, STORAGE, REDIS)}


def is_any_on() -> bool:
    """Return whether the log has reported an outage that goes on: then what fails needs no warning of its own.

    Nothing fails without Redis.
    """
    return DATABASE.is_on or STORAGE.is_on
