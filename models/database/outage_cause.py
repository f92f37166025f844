"""Why the database does not serve, as its errors say."""

import asyncpg

from models.database.connection_pool import NoConnectionError
from telemetry.outage import Cause

# The first kind that an error or one of its causes has.
_POSTGRES: tuple[tuple[type[BaseException], Cause], ...] = (
    (asyncpg.ReadOnlySQLTransactionError, Cause.READ_ONLY),
    (asyncpg.InsufficientResourcesError, Cause.FULL),  # connections, memory, disk
    (asyncpg.LockNotAvailableError, Cause.LOCKED),
    (asyncpg.InvalidAuthorizationSpecificationError, Cause.REFUSED),
    (asyncpg.InsufficientPrivilegeError, Cause.REFUSED),
    (asyncpg.QueryCanceledError, Cause.SLOW),
    (ConnectionRefusedError, Cause.UNREACHABLE),
    (asyncpg.PostgresConnectionError, Cause.UNREACHABLE),
    (asyncpg.OperatorInterventionError, Cause.UNREACHABLE),  # starting, or stopping
    (TimeoutError, Cause.SLOW),
    (OSError, Cause.UNREACHABLE),
)
_SQLITE = {5: Cause.LOCKED, 6: Cause.LOCKED, 8: Cause.READ_ONLY, 13: Cause.FULL, 14: Cause.UNREACHABLE}


def outage_cause(error: BaseException) -> Cause:
    """Return why a statement has failed."""
    seen: BaseException | None = error
    while seen is not None:
        if code := getattr(seen, "sqlite_errorcode", 0):
            return _SQLITE.get(code & 0xFF, Cause.FAILED)
        if not (isinstance(seen, NoConnectionError) and seen.__cause__):  # whose cause says more
            for kind, cause in _POSTGRES:
                if isinstance(seen, kind):
                    return cause
        seen = seen.__cause__ or seen.__context__
    return Cause.FAILED
