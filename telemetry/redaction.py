"""Redaction of secrets in logs, metrics, traces and crash reports: by field name, by value and by pattern."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import cached_property, lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qs

HIDDEN = "[hidden]"
_MIN_LENGTH = 6  # characters of a secret that is searched for by value: shorter ones occur in ordinary words
_PREFIX_LENGTH = 24  # characters by which a longer text is recognized
_MAX_TEXTS = 200  # private texts of one task; beyond that, its error texts are hidden completely
_MAX_DEPTH = 6  # levels of a nested value; deeper ones are hidden

# Searched in field names, in lower case and with `_` for `-`.
_SECRET_NAMES = re.compile(
    r"passw|token|authorization|cookie|secret|api_?key|signature|credential|\bdsn\b|prompt|e_?mail$|variables$"
)
_HARMLESS_TEXT = re.compile(r"[A-Z_]+|[a-z]{1,8}_[0-9a-hjkmnp-tv-z]{26}")  # enum values and ids
# String literals of a GraphQL document, also unterminated ones: otherwise each of their quotes would be tried as the
# start of another.
_STRING = re.compile(r'"""(?s:.*?)(?:"""|\Z)|"(?:[^"\\\n]|\\.)*+"?')
_ANYTHING = re.compile(r"(?s:.+)")
_ESCAPED = re.compile(r'\\(["\\/])')
_ERROR_FIELDS = {"exception", "error", "detail", "problem", "fault"}  # fields with texts of libraries and services
# Field names that match _SECRET_NAMES without being secret.
_HARMLESS_NAMES = {"max_tokens", "tokens", "token_count"}
_PATTERNS = (
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(?:sk|pk|whsec|polar_[a-z]+|dk|hf|ghp)[-_][A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), HIDDEN),
    (re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"), HIDDEN),  # user:password@ in a URL
    (re.compile(r"([?&](?:token|signature|sig|key|X-Amz-[A-Za-z-]+)=)[^\s&#\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(/(?:files|uploads|archives)/)[A-Za-z0-9_.~=-]{16,}"), rf"\1{HIDDEN}"),  # signed links of this server
    # Anchored to the start of a word, because every start scans to the end of the word.
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[address]"),
)
# One of these is in every text that a pattern matches, and in few of the short words that most fields consist of.
_PATTERN_PARTS = re.compile(r"[\s@?&/_-]|AKIA|ASIA")
_MAX_HARMLESS = 4096  # texts that are known to contain no secret: names, ids, enum values
_MAX_HARMLESS_LENGTH = 64


class Document(NamedTuple):
    """A GraphQL document, whose string literals are private."""

    text: str


class Target(NamedTuple):
    """The path and the query of a request, whose parts are private."""

    path: str
    query: bytes


class _Private:
    """Texts of the current request; the pattern is built only when an error is logged."""

    def __init__(self, values: tuple[object, ...]) -> None:
        self._values = values

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Match long texts by their first characters up to the end of the line: errors quote the beginning."""
        texts = {text for value in self._values for text in _texts(value) if _is_private(text)}
        if len(texts) > _MAX_TEXTS:
            return _ANYTHING
        forms = {form for text in texts for form in (text, repr(text)[1:-1], text.encode("unicode_escape").decode())}
        ordered = sorted(forms, key=len, reverse=True)
        return re.compile("|".join(map(_text_pattern, ordered))) if ordered else None


_private: ContextVar[_Private | None] = ContextVar("private", default=None)


def redact_in_errors(*values: object) -> None:
    """For the rest of this task, hide every text in `values`, and every string of a Document, in logged errors."""
    _private.set(_Private(values))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Document):
        yield from (_ESCAPED.sub(r"\1", text.strip('"')) for text in _STRING.findall(value.text))
    elif isinstance(value, Target):
        yield from value.path.split("/")
        yield from _texts(parse_qs(value.query.decode("latin-1")))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _is_private(text: str) -> bool:
    return len(text) >= _MIN_LENGTH and not _HARMLESS_TEXT.fullmatch(text)


def _text_pattern(text: str) -> str:
    return re.escape(text) if len(text) <= _PREFIX_LENGTH else rf"{re.escape(text[:_PREFIX_LENGTH])}[^\n]*"


class Redactor:
    """Removes secrets. `secrets`: values that this process was configured with."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Longest first: one secret may be a prefix of another.
        known = sorted({secret for secret in secrets if len(secret) >= _MIN_LENGTH}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None
        self._harmless: set[str] = set()  # short texts in which nothing was found

    def text(self, text: str) -> str:
        """Return `text` without known secrets, and without texts that match the pattern of one."""
        if text in self._harmless:
            return text
        redacted = text
        if self._known is not None:
            redacted = self._known.sub(HIDDEN, redacted)
        if _PATTERN_PARTS.search(redacted):
            for pattern, replacement in _PATTERNS:
                redacted = pattern.sub(replacement, redacted)
        if redacted == text and len(text) <= _MAX_HARMLESS_LENGTH:
            if len(self._harmless) >= _MAX_HARMLESS:
                self._harmless.clear()
            self._harmless.add(text)
        return redacted

    def error_text(self, text: str) -> str:
        """Return `text` without secrets, and without what the current request's user wrote."""
        private = _private.get()
        if private is not None and private.pattern is not None:
            text = private.pattern.sub(HIDDEN, text)
        return self.text(text)

    def fields(self, fields: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
        """Return the fields with secrets hidden; a field with a secret name loses its whole value."""
        return {
            name: HIDDEN
            if value is not None and is_secret(name)
            else self._value(value, depth, is_error=name in _ERROR_FIELDS)
            for name, value in fields.items()
        }

    def _value(self, value: Any, depth: int = 0, *, is_error: bool = False) -> Any:
        if isinstance(value, str):
            return self.error_text(value) if is_error else self.text(str(value))
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth == _MAX_DEPTH:
            return HIDDEN
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(inner, depth + 1) for inner in value]
        if isinstance(value, Mapping):
            return self.fields({str(name): inner for name, inner in value.items()}, depth + 1)
        return self.error_text(str(value)) if is_error else self.text(str(value))


@lru_cache(1024)
def is_secret(name: str) -> bool:
    """Return whether the values of a field with this name are secret."""
    name = name.casefold().replace("-", "_")
    return name not in _HARMLESS_NAMES and _SECRET_NAMES.search(name) is not None
