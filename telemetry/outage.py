"""Outages of what a process depends on: one line in the log when one begins, and one when it has ended."""

import time
from collections import Counter
from enum import StrEnum

import structlog

log = structlog.get_logger(__name__)


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

    def __init__(self, service: str) -> None:
        self.service = service
        self._began: float | None = None
        self._scopes: set[str] = set()
        self._left_out: Counter[str] = Counter()

    @property
    def is_on(self) -> bool:
        """Whether the last call that reached out for the service has failed."""
        return self._began is not None

    def failed(self, error: BaseException, scope: str = "") -> None:
        """Note that the service could not be reached, or refused to serve.

        `scope`: what it does not serve, such as writes; only the success of that ends it. Empty: nothing is served.
        """
        self._scopes.add(scope)
        if self._began is None:
            self._began = time.monotonic()
            log.warning("outage.began", service=self.service, error=repr(error))

    def worked(self, scope: str = "") -> None:
        """Note that the service has served; `scope`: what."""
        if self._began is None:
            return
        self._scopes -= {"", scope}
        if self._scopes:
            return
        seconds, self._began = time.monotonic() - self._began, None
        left_out, self._left_out = dict(self._left_out), Counter()
        log.warning("outage.ended", service=self.service, seconds=round(seconds, 1), left_out=left_out)

    def forget(self, scope: str) -> None:
        """Note that this process no longer uses the service; what was left out is not reported."""
        self._scopes.discard(scope)
        if not self._scopes:
            self._began, self._left_out = None, Counter()

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
