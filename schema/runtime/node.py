"""The Node interface, and the validation of IDs from clients."""

from collections.abc import Mapping
from types import MappingProxyType

import strawberry

from models import ids
from services.core.error import NotFoundError


@strawberry.interface(description="An object that can be fetched by its ID.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="A TypeID: its prefix names the type, and it sorts by creation time."
    )


class SourceClasses:
    """A type's `is_type_of`: its objects are of the type's own class, or rows that have its fields as attributes.

    What the resolvers of some fields return, where the object is a row, is declared for the compiled operations:
    `attributes`: the row's attribute of the same name. `shared`: the same for all rows of a list with the same value
    of this column.
    """

    def __init__(
        self, *rows: type, attributes: tuple[str, ...] = (), shared: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.classes = frozenset(rows)
        self.attributes, self.shared = attributes, shared

    def __set_name__(self, owner: type, _name: str) -> None:
        self.classes |= {owner}

    def __call__(self, value: object, _info: object) -> bool:
        return type(value) in self.classes


def any_id(value: str, prefix: str) -> str:
    """Return a well-formed ID with this prefix, or one that no object has: to be refused with what else is wrong."""
    return str(value) if ids.is_id(value, prefix) else f"{prefix}_"


def known_id(value: str, prefix: str, *field: str) -> str:
    """Return a well-formed ID with this prefix.

    Raises:
        NotFoundError: anything else, with `field`, the path within the input, by default `id`.
    """
    if not ids.is_id(value, prefix):
        raise NotFoundError(field=field or ("id",))
    return str(value)
