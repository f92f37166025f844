"""Cleaning texts that clients send: control characters, length, slugs, and the reasons that admins give."""

import re
import unicodedata

from services.core.error import InvalidInputError
from services.core.message import message

MAX_REASON = 500  # characters

_REFUSED = {"Cc", "Cs", "Zl", "Zp"}  # control characters (NUL too), lone surrogates, line and paragraph separators
_REFUSED_IN_PARAGRAPHS = {"Cc", "Cs"}
# They reverse the text after them on pages shown to other users (Unicode TR 9); right-to-left letters need none.
_BIDI_CONTROLS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_slug(text: str) -> bool:
    """Whether `text` is a valid slug of a style or collection."""
    return len(text) <= 64 and _SLUG.fullmatch(text) is not None


def slug_or_empty(text: str) -> str:
    """Return `text` if it is a valid slug, else an empty one, by which a filter finds nothing."""
    return text if is_slug(text) else ""


def is_unusable(text: str, *, multiline: bool = False) -> bool:
    """Whether `text` contains characters that cannot be stored or displayed safely."""
    refused, allowed = (_REFUSED_IN_PARAGRAPHS, "\n\r\t") if multiline else (_REFUSED, "")
    if not multiline and not _BIDI_CONTROLS.isdisjoint(text):
        return True
    return any(unicodedata.category(character) in refused and character not in allowed for character in text)


def clean_text(text: str | None, max_length: int, *, field: tuple[str, ...], multiline: bool = False) -> str | None:
    """Return `text` trimmed, in NFC, with lines ending in "\\n"; None if nothing is left. `max_length`: characters.

    An é can be one character or an e and an accent: without NFC a search for one form would not find the other.

    Raises:
        InvalidInputError: with `field`, for characters that cannot be used and texts that are too long.
    """
    if text is None:
        return None
    if is_unusable(text, multiline=multiline):
        raise InvalidInputError(message("This contains characters that cannot be used."), field)
    cleaned = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(cleaned) > max_length:
        raise InvalidInputError(message("At most {count} characters are allowed.", count=max_length), field)
    return cleaned or None


def clean_reason(reason: str) -> str:
    """Return an admin's reason for an action, trimmed.

    Raises:
        InvalidInputError: with the field `reason`: it is empty, too long or contains characters that cannot be used.
    """
    field = ("reason",)
    cleaned = clean_text(reason, MAX_REASON, field=field, multiline=True)
    if cleaned is None:
        raise InvalidInputError(message("Please give a reason."), field)
    return cleaned
