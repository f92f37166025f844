"""Whose a generation is: where an admin names one, and its owner's row has to be taken first."""

from models import Generation
from services.error import NotFoundError


async def owner_of(generation_id: str) -> str:
    """The id of the account that ordered a generation, deleted or not. Raises NotFoundError."""
    found = await Generation.get_or_none(id=generation_id).only("id", "user_id")
    if found is None:
        raise NotFoundError(field=("id",))
    return found.user_id
