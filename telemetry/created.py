"""The ids of what an operation has created, for its line in the log."""

from collections.abc import Iterable
from contextvars import ContextVar

_created: ContextVar[list[str] | None] = ContextVar("created", default=None)


def collect_created() -> list[str]:
    """Return a list to which `note_created` adds from now on, also from tasks that this one starts."""
    found: list[str] = []
    _created.set(found)
    return found


def note_created(ids: Iterable[str]) -> None:
    """Note what was created, once it is committed; outside an operation nothing happens."""
    found = _created.get()
    if found is not None:
        found.extend(ids)
