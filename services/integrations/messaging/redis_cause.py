"""Why Redis does not serve, as its errors say."""

from telemetry.outage import Cause

# Codes of Redis' errors: a replica, no memory left, the disk does not take the data, a user without permission.
_CODES = {"READONLY": Cause.READ_ONLY, "OOM": Cause.FULL, "MISCONF": Cause.FULL, "NOPERM": Cause.REFUSED}


def redis_cause(error: BaseException) -> Cause | None:
    """Return why a command has failed; None if the error is not of redis-py."""
    seen: BaseException | None = error
    while seen is not None and not type(seen).__module__.startswith("redis."):
        seen = seen.__cause__
    if seen is None:
        return None
    # redis-py is imported only where it is used, so it is imported here if the error is one of its own.
    from redis import exceptions

    # Inside a script, all errors of commands have one type; the code is the first word of their text, or near it.
    for code, cause in _CODES.items():
        if code in str(seen):
            return cause
    causes: tuple[tuple[type[BaseException], Cause], ...] = (
        (exceptions.ReadOnlyError, Cause.READ_ONLY),
        (exceptions.OutOfMemoryError, Cause.FULL),
        (exceptions.NoPermissionError, Cause.REFUSED),
        (exceptions.AuthenticationError, Cause.REFUSED),
        (exceptions.TimeoutError, Cause.SLOW),
        (exceptions.BusyLoadingError, Cause.UNREACHABLE),
        (exceptions.ConnectionError, Cause.UNREACHABLE),
    )
    return next((cause for kind, cause in causes if isinstance(seen, kind)), Cause.FAILED)
