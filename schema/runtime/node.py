"""Objects with an id, and how an id that came from outside is read."""

import strawberry

from models import ids
from services.core.error import NotFoundError


@strawberry.interface(description="An object that can be fetched again by its id.")
class Node:
    id: strawberry.ID = strawberry.field(description="A TypeID; it sorts by creation time and says what it names.")


def known_id(value: str, prefix: str, *field: str) -> str:
    """An id of ours, well-formed and of that kind; anything else names nothing.

    Raises:
        NotFoundError: with `field`, the path within the input; `id` when there is none.
    """
    if not ids.is_id(value, prefix):
        raise NotFoundError(field=field or ("id",))
    return str(value)
