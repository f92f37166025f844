"""What an operation has really loaded, limited while it is executed.

complexity.py prices an operation before; of lists without pages it can only assume how long they are. Where such lists
are nested, or longer than most, little remains of that price: it is checked again here, by what was found.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

from models.enum import ErrorCode
from schema.runtime.complexity import MAX_COST
from schema.runtime.price import STATEMENT_PRICE
from services.core.error import Refusal
from services.core.message import message

Collected = TypeVar("Collected", bound=Sequence[Any])

_VALUES_OF_ONE = 5  # that each object counts, whatever is selected of it
MAX_LOADED = 5 * MAX_COST  # values; so that what complexity.py admits, with the lengths that it assumes, is far below


class TooMuchLoadedError(Refusal):
    """The lists of an operation are longer than its price assumed."""

    code = ErrorCode.TOO_COMPLEX

    def __init__(self) -> None:
        super().__init__(message("There is more in these lists than one request may read. Request less at a time."))


class _Loaded:
    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values = 0


_loaded: ContextVar[_Loaded | None] = ContextVar("loaded", default=None)


def begin() -> None:
    """Count from now on for a new operation or event, in this task and those that it starts."""
    _loaded.set(_Loaded())


def counted(objects: Collected) -> Collected:
    """Count the objects of a list without pages, and return it.

    Raises:
        TooMuchLoadedError: the operation has loaded too much.
    """
    _count(len(objects) * _VALUES_OF_ONE)
    return objects


def count_page(size: int) -> None:
    """Count the statement of a page, and the objects that it may have. Raises as `counted`."""
    _count(STATEMENT_PRICE + size * _VALUES_OF_ONE)


def count_statement() -> None:
    """Count a statement that one object needs. Raises as `counted`."""
    _count(STATEMENT_PRICE)


def _count(values: int) -> None:
    loaded = _loaded.get()
    if loaded is None:
        return  # outside of operations
    loaded.values += values
    if loaded.values > MAX_LOADED:
        raise TooMuchLoadedError
