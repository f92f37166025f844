"""The size of a request's variables, limited before they are read."""

from collections.abc import Mapping
from itertools import chain

MAX_VALUES = 10_000  # a catalogue for adminImportCatalogue has about 3,000
MAX_LEVELS = 100


class TooComplexError(Exception):
    """The document exceeds a limit, which the text names. `extensions`: the limit for programs."""

    def __init__(self, text: str, extensions: Mapping[str, int] | None = None) -> None:
        super().__init__(text)
        self.extensions = dict(extensions or {})


def count_values(variables: object) -> int:
    """Return the number of values in a variable, containers included.

    Raises:
        TooComplexError: they are too many or nested too deeply.
    """
    found, level = 0, [variables]
    for _ in range(MAX_LEVELS):
        found += len(level)
        if found > MAX_VALUES:
            raise TooComplexError(f"The variables have too many values: at most {MAX_VALUES}.")
        inner = (
            one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list) and one
        )
        level = list(chain.from_iterable(inner))
        if not level:
            return found
    raise TooComplexError(f"The variables have too many levels: at most {MAX_LEVELS}.")


def whole_number(value: object) -> object:
    """Return the integer that GraphQL reads of 100.0, and any other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
