"""Why an admin did something, in their own words: asked for wherever it touches somebody's money or pictures."""

from services.error import InvalidInputError
from services.message import message
from services.text import clean_text

LONGEST = 500  # characters


def clean_reason(reason: str) -> str:
    """A reason, trimmed.

    Raises:
        InvalidInputError: with the field `reason`: it is empty, too long or holds characters that cannot be used.
    """
    field = ("reason",)
    words = clean_text(reason, LONGEST, field=field, multiline=True)
    if words is None:
        raise InvalidInputError(message("Please say why."), field)
    return words
