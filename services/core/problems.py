"""Collects the refusals of checks that do not depend on each other, so that a client hears of all at once."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from services.core.error import InvalidInputError, MembershipRequiredError, NotFoundError, Refusal, RefusalGroup

_OF_INPUT = (InvalidInputError, MembershipRequiredError, NotFoundError)  # what is wrong with one field


class Problems:
    """The problems of an input. `with problems:` adds what a check refuses, and goes on after the block."""

    def __init__(self) -> None:
        self.found: list[Refusal] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, RefusalGroup):
            self.found += error.refusals
            return True
        if isinstance(error, _OF_INPUT):
            self.found.append(error)
            return True
        return False

    def add(self, refusals: Iterable[Refusal]) -> None:
        """Add problems that were found in another way."""
        self.found += refusals

    def check(self) -> None:
        """Raise what was found: the refusal itself where it is the only one, else RefusalGroup."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            raise RefusalGroup(self.found)
