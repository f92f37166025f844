"""The Node interface, and the validation of IDs from clients."""

import strawberry

from models import ids
from services.core.error import NotFoundError


@strawberry.interface(description="An object that can be fetched by its ID.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="A TypeID: its prefix names the type, and it sorts by creation time."
    )


class SourceClasses:
    """A type's `is_type_of`: its objects are of the type's own class, or rows that have its fields as attributes."""

    def __init__(self, *rows: type) -> None:
        self.classes = frozenset(rows)

    def __set_name__(self, owner: type, _name: str) -> None:
        self.classes |= {owner}

    def __call__(self, value: object, _info: object) -> bool:
        return type(value) in self.classes


def known_id(value: str, prefix: str, *field: str) -> str:
    """Return a well-formed ID with this prefix.

    Raises:
        NotFoundError: anything else, with `field`, the path within the input, by default `id`.
    """
    if not ids.is_id(value, prefix):
        raise NotFoundError(field=field or ("id",))
    return str(value)
