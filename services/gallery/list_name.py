"""Names of albums and tags: cleaned, and compared whatever their case."""

from services.core.error import InvalidInputError
from services.core.message import message
from services.core.text import clean_text


def clean_name(name: str, max_length: int, *, field: tuple[str, ...]) -> str:
    """Return a name trimmed, with single spaces. `max_length`: characters.

    Raises:
        InvalidInputError: with `field`: it is empty, too long or has characters that cannot be used.
    """
    cleaned = clean_text(name, max_length, field=field)
    if cleaned is None:
        raise InvalidInputError(message("Please give a name."), field)
    return " ".join(cleaned.split())


def name_key(name: str) -> str:
    """Return what names have in common that differ only in the case of their letters."""
    return name.casefold()
