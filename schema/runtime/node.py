"""The Node interface, and the validation of IDs from clients."""

import strawberry

from models import ids
from services.core.error import NotFoundError


@strawberry.interface(description="An object that can be fetched by its ID.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="A TypeID: its prefix names the type, and it sorts by creation time."
    )


def known_id(value: str, prefix: str, *field: str) -> str:
    """Return a well-formed ID with this prefix.

    Raises:
        NotFoundError: anything else, with `field`, the path within the input, by default `id`.
    """
    if not ids.is_id(value, prefix):
        raise NotFoundError(field=field or ("id",))
    return str(value)
