"""Measurement of a storage's operations: metrics of each, and the lines of the log about its outages."""

import contextlib
import time
from collections.abc import Iterator

from services.integrations.storage.protocol import MissingObjectError, StorageError, TooLargeError
from telemetry import metric
from telemetry.outage import STORAGE, Cause

OPERATIONS = ("put", "get", "delete", "list", "check")
# What ends with whatever works again. A store that is full or refuses writes still serves reads: those do not end it.
_WHOLE = (Cause.UNREACHABLE, Cause.SLOW)
_WRITES = "put"


@contextlib.contextmanager
def measured(operation: str) -> Iterator[None]:
    """Measure the body as one operation, which raises StorageError if it fails."""
    started = time.perf_counter()
    scope = _WRITES if operation == "check" else operation
    try:
        yield
    except (MissingObjectError, TooLargeError):
        STORAGE.worked(scope)
        raise
    except StorageError as error:
        # A refused listing alone is no outage: only audits and backups read them.
        if error.cause in _WHOLE or operation != "list":
            STORAGE.failed(error, "" if error.cause in _WHOLE else scope)
        metric.storage_errors.labels(operation, error.cause.value).inc()
        raise
    else:
        STORAGE.worked(scope)
    finally:
        metric.storage_seconds.labels(operation).observe(time.perf_counter() - started)


def initialize_series() -> None:
    """Export every series from the start at 0: the first error would not be seen as an increase otherwise."""
    for operation in OPERATIONS:
        metric.storage_seconds.labels(operation)
        for cause in Cause:
            metric.storage_errors.labels(operation, cause.value)
