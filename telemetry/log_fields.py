"""The fields of every log line of a task: its request, its operation and its user.

structlog keeps a context variable for each field, and looks through all variables of the task to clear them.
"""

import contextlib
from collections.abc import Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

_fields: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default=MappingProxyType({}))


def begin(**fields: object) -> None:
    """Let the log lines of this task have these fields alone, from now on."""
    _fields.set(fields)


def add(**fields: object) -> None:
    """Let the log lines of this task have these fields as well."""
    _fields.set({**_fields.get(), **fields})


def current() -> Mapping[str, Any]:
    """Return the fields of this task."""
    return _fields.get()


@contextlib.contextmanager
def added(fields: Mapping[str, Any]) -> Iterator[None]:
    """Let log lines in the body have these fields as well."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def merge(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the fields to an event, which keeps its own: a processor of structlog."""
    return {**_fields.get(), **event}
