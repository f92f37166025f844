"""UNSET marks a field of a change that was not given, where None is a value as well."""

from dataclasses import fields
from enum import Enum
from typing import Any, Final


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "UNSET"


UNSET: Final = Unset.UNSET


def set_fields(change: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are not UNSET, by name."""
    values = {field.name: getattr(change, field.name) for field in fields(change)}
    return {name: value for name, value in values.items() if value is not UNSET}
