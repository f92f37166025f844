"""Why an admin did something, in their own words: asked for wherever it touches somebody's money or pictures."""

import re
import unicodedata

from services.core.error import InvalidInputError
from services.core.message import message

MAX_REASON = 500  # characters


def clean_reason(reason: str) -> str:
    """A reason, trimmed.

    Raises:
        InvalidInputError: with the field `reason`: it is empty, too long or holds characters that cannot be used.
    """
    field = ("reason",)
    words = clean_text(reason, MAX_REASON, field=field, multiline=True)
    if words is None:
        raise InvalidInputError(message("Please say why."), field)
    return words


_REFUSED = {"Cc", "Cs", "Zl", "Zp"}  # control characters (NUL too), lone surrogates, line and paragraph separators
_REFUSED_IN_PARAGRAPHS = {"Cc", "Cs"}
# They turn round what stands after them on other people's pages (Unicode TR 9); right-to-left letters need none.
_BIDI_CONTROLS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_slug(text: str) -> bool:
    """Whether `text` can be the address of a style or collection."""
    return len(text) <= 64 and _SLUG.fullmatch(text) is not None


def slug_or_empty(text: str) -> str:
    """`text` where it can be an address, else one that nothing has: a filter by it finds nothing."""
    return text if is_slug(text) else ""


def is_unusable(text: str, *, multiline: bool = False) -> bool:
    """Whether `text` holds characters that cannot be stored or passed on."""
    refused, allowed = (_REFUSED_IN_PARAGRAPHS, "\n\r\t") if multiline else (_REFUSED, "")
    if not multiline and not _BIDI_CONTROLS.isdisjoint(text):
        return True
    return any(unicodedata.category(character) in refused and character not in allowed for character in text)


def clean_text(text: str | None, max_length: int, *, field: tuple[str, ...], multiline: bool = False) -> str | None:
    """`text` trimmed and composed, lines ending in "\\n"; None when nothing is left. `max_length` is in characters.

    An é is one character or an e and an accent: kept as one, or a search for the one would not find the other.

    Raises:
        InvalidInputError: with `field`, for characters that cannot be used and texts that are too long.
    """
    if text is None:
        return None
    if is_unusable(text, multiline=multiline):
        raise InvalidInputError(message("This contains characters that cannot be used."), field)
    words = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(words) > max_length:
        raise InvalidInputError(message("At most {count} characters are allowed.", count=max_length), field)
    return words or None
