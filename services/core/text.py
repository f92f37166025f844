"""Cleaning texts that clients send: control characters, length, slugs, and the reasons that admins give."""

import re
import unicodedata
from itertools import groupby

from services.core.error import InvalidInputError
from services.core.message import message

MAX_REASON = 500  # characters

_REFUSED = {"Cc", "Cs", "Zl", "Zp"}  # control characters (NUL too), lone surrogates, line and paragraph separators
_REFUSED_IN_PARAGRAPHS = {"Cc", "Cs"}
# They reverse the text after them on pages shown to other users (Unicode TR 9); right-to-left letters need none.
_BIDI_CONTROLS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# Characters that nothing shows: Default_Ignorable_Code_Point of the Unicode Character Database, without those of the
# category Cf. Some are marks or even letters, such as the fillers of Hangul.
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
_BLANK_CATEGORIES = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # control and format characters, separators
_BLANK_BRAILLE = "\u2800"  # a pattern without dots, which is a symbol
# Of the format characters, those that are seen: Prepended_Concatenation_Mark, signs before numbers and verses.
_SEEN_FORMATS = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_LARGEST_COMPOSITION = 4  # characters that NFC makes one of

_MAX_QUOTED = 100  # characters of a client's text that a message repeats
_MAX_MESSAGE = 300  # characters of a message that repeats one
_UNQUOTED = re.compile(r"[^'\"]+")  # a quoted text, or what stands between two of them

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_slug(text: str) -> bool:
    """Whether `text` is a valid slug of a style or collection."""
    return len(text) <= 64 and _SLUG.fullmatch(text) is not None


def slug_or_empty(text: str) -> str:
    """Return `text` if it is a valid slug, else an empty one, by which a filter finds nothing."""
    return text if is_slug(text) else ""


def shortened(text: str, max_length: int = _MAX_MESSAGE) -> str:
    """Return a message that may repeat a client's text, with each quoted text cut, in characters of one line."""
    brief = _UNQUOTED.sub(lambda found: cut(found[0]), text[: 10 * max_length])
    return cut("".join("\ufffd" if is_unusable(character) else character for character in brief), max_length)


def cut(text: str, max_length: int = _MAX_QUOTED) -> str:
    """Return the beginning of a text that is longer than `max_length` characters, ending in an ellipsis."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def is_unusable(text: str, *, multiline: bool = False) -> bool:
    """Whether `text` contains characters that cannot be stored or displayed safely."""
    refused, allowed = (_REFUSED_IN_PARAGRAPHS, "\n\r\t") if multiline else (_REFUSED, "")
    if not multiline and not _BIDI_CONTROLS.isdisjoint(text):
        return True
    return any(unicodedata.category(character) in refused and character not in allowed for character in text)


def nfc(text: str) -> str:
    """Return `text` in NFC: an é can be one character or an e and an accent, and a search must find either.

    `unicodedata` alone sorts a run of accents in quadratic time: a search for 160 KB of them would take 15 s.
    """
    if unicodedata.is_normalized("NFC", text):  # which stops at the first mark that is not in order
        return text
    apart = "".join([unicodedata.normalize("NFD", character) for character in text])
    sorted_marks: list[str] = []
    for _, run in groupby(apart, key=lambda character: unicodedata.combining(character) > 0):
        sorted_marks += sorted(run, key=unicodedata.combining)  # which leaves other characters in their order
    return unicodedata.normalize("NFC", "".join(sorted_marks))


def is_blank(text: str) -> bool:
    """Whether nothing of `text` is seen, such as joiners without letters."""
    return all(map(_is_unseen, text))


def _is_unseen(character: str) -> bool:
    if unicodedata.category(character) in _BLANK_CATEGORIES:
        return character not in _SEEN_FORMATS
    return character == _BLANK_BRAILLE or UNSEEN.match(character) is not None


def clean_text(text: str | None, max_length: int, *, field: tuple[str, ...], multiline: bool = False) -> str | None:
    """Return `text` trimmed, in NFC, with lines ending in "\\n"; None if nothing is seen. `max_length`: characters.

    Raises:
        InvalidInputError: with `field`, for characters that cannot be used and texts that are too long.
    """
    if text is None:
        return None
    if is_unusable(text, multiline=multiline):
        raise InvalidInputError(message("This contains characters that cannot be used."), field)
    cleaned = text.strip()
    if is_blank(cleaned):
        return None
    if len(cleaned) <= max_length * _LARGEST_COMPOSITION:  # others are not worth the work
        cleaned = nfc(cleaned).replace("\r\n", "\n").replace("\r", "\n")
    if len(cleaned) > max_length:
        raise InvalidInputError(message("At most {count} characters are allowed.", count=max_length), field)
    return cleaned


def clean_optional_reason(reason: str | None) -> str | None:
    """Return an admin's reason for an action that needs none, trimmed; None: none was given.

    Raises:
        InvalidInputError: with the field `reason`: it is too long or contains characters that cannot be used.
    """
    return clean_text(reason, MAX_REASON, field=("reason",), multiline=True)


def clean_reason(reason: str) -> str:
    """Return an admin's reason for an action, trimmed.

    Raises:
        InvalidInputError: with the field `reason`: it is empty, too long or contains characters that cannot be used.
    """
    cleaned = clean_optional_reason(reason)
    if cleaned is None:
        raise InvalidInputError(message("Please give a reason."), ("reason",))
    return cleaned
