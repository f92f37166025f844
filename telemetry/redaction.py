"""What no log line, metric, trace or report of a crash may tell: secrets, taken out by name, by value and by shape."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any

HIDDEN = "[hidden]"
_SHORTEST = 6  # characters of a secret that is looked for by its value: a shorter one is part of ordinary words
_BEGINNING = 24  # characters by which a longer text is recognised
_MOST = 200  # texts that are looked for; of who sent more than that, nothing is told
_DEEPEST = 6  # levels of a value that are looked through; what lies deeper is left out

# Of a field's name, in any case and with - or _ in it.
_NAMES = re.compile(
    r"passw|token|authorization|cookie|secret|api_?key|signature|credential|\bdsn\b|prompt|e_?mail$|variables$"
)
_HARMLESS_TEXT = re.compile(r"[A-Z_]+|[a-z]{1,8}_[0-9a-hjkmnp-tv-z]{26}")  # words of an enum, and ids
# In a GraphQL document; one that does not end, too: else each of its quotes would be tried as the beginning of another.
_STRING = re.compile(r'"""(?s:.*?)(?:"""|\Z)|"(?:[^"\\\n]|\\.)*+"?')
_ANYTHING = re.compile(r"(?s:.+)")
_ESCAPED = re.compile(r'\\(["\\/])')
_FREE = {"exception", "error", "detail", "problem", "fault"}  # fields that say what somebody else's code said
# Names that only look like it.
_HARMLESS = {"max_tokens", "tokens", "token_count"}
_SHAPES = (
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(?:sk|pk|whsec|polar_[a-z]+|dk|hf|ghp)[-_][A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), HIDDEN),
    (re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"), HIDDEN),  # user:password@ in an address
    (re.compile(r"([?&](?:token|signature|sig|key|X-Amz-[A-Za-z-]+)=)[^\s&#\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(/(?:files|uploads)/)[A-Za-z0-9_.~=-]{16,}"), rf"\1{HIDDEN}"),  # signed links of ours
    # Begun only where a word begins, for each beginning looks as far as the word goes.
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[address]"),
)


@dataclass(frozen=True)
class Document:
    """A GraphQL document, of which the strings are somebody's."""

    text: str


class _Private:
    """What somebody wrote, looked for only when something is told that might repeat it."""

    def __init__(self, found: tuple[object, ...]) -> None:
        self._found = found

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """The long texts by how they begin, for errors quote the beginning; to the end of that line."""
        texts = {text for value in self._found for text in _texts(value) if _is_private(text)}
        if len(texts) > _MOST:
            return _ANYTHING
        forms = {form for text in texts for form in (text, repr(text)[1:-1], text.encode("unicode_escape").decode())}
        ordered = sorted(forms, key=len, reverse=True)
        return re.compile("|".join(map(_like, ordered))) if ordered else None


_private: ContextVar[_Private | None] = ContextVar("private", default=None)


def redact_in_errors(*values: object) -> None:
    """For the rest of this task, what is told of an error repeats no text in `values`; of a document, no string."""
    _private.set(_Private(values))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Document):
        yield from (_ESCAPED.sub(r"\1", text.strip('"')) for text in _STRING.findall(value.text))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _is_private(text: str) -> bool:
    return len(text) >= _SHORTEST and not _HARMLESS_TEXT.fullmatch(text)


def _like(text: str) -> str:
    return re.escape(text) if len(text) <= _BEGINNING else rf"{re.escape(text[:_BEGINNING])}[^\n]*"


class Redactor:
    """Takes out what is secret. `secrets`: values that this process was configured with."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one may be the beginning of another.
        known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        """`text` without known secrets, and without what looks like one."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        return text

    def fields(self, found: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
        """The same fields; those whose name says that they are secret keep only their name."""
        return {
            name: HIDDEN if value is not None and is_secret(name) else self._value(value, depth, free=name in _FREE)
            for name, value in found.items()
        }

    def said(self, text: str) -> str:
        """`text` as `text` has it, and without what somebody wrote who is served right now."""
        private = _private.get()
        if private is not None and private.pattern is not None:
            text = private.pattern.sub(HIDDEN, text)
        return self.text(text)

    def _value(self, value: Any, depth: int = 0, *, free: bool = False) -> Any:
        if isinstance(value, str):
            return self.said(value) if free else self.text(str(value))
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth == _DEEPEST:
            return HIDDEN
        if isinstance(value, Mapping):
            return self.fields({str(name): inner for name, inner in value.items()}, depth + 1)
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(inner, depth + 1) for inner in value]
        return self.said(str(value)) if free else self.text(str(value))


def is_secret(name: str) -> bool:
    """Whether a field of this name is never told."""
    name = name.casefold().replace("-", "_")
    return name not in _HARMLESS and _NAMES.search(name) is not None
