"""GraphQL input of a style's variables with types, beside the JSON form."""

from typing import Any

import strawberry

from schema.runtime.input import given
from services.core.error import InvalidInputError
from services.core.message import message


@strawberry.input(description="A value for one of a style's `variables`.")
class StyleValueInput:
    name: str
    value: str


def variables_of(json: Any, typed: list[StyleValueInput] | None) -> Any:
    """Return the values of a request, given in one of the two forms: as JSON, which is checked later, or typed.

    Raises:
        InvalidInputError: both forms are used, or one variable has two values.
    """
    values, pairs = given(json, None), given(typed, None)
    if pairs is None:
        return values
    if values is not None:
        raise InvalidInputError(message("Send the variables in one form, not in both."), field=("styleVariables",))
    found = {pair.name: pair.value for pair in pairs}
    if len(found) < len(pairs):
        raise InvalidInputError(message("This name is used twice."), field=("styleVariables",))
    return found
