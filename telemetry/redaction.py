"""What no log line, metric, trace or report of a crash may tell: secrets, taken out by name, by value and by shape."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[hidden]"
_SHORTEST = 6  # characters of a secret that is looked for by its value: a shorter one is part of ordinary words
_DEEPEST = 6  # levels of a value that are looked through; what lies deeper is left out

# Of a field's name, in any case and with - or _ in it.
_NAMES = re.compile(
    r"passw|token|authorization|cookie|secret|api_?key|signature|credential|\bdsn\b|prompt|e_?mail$|variables$"
)
# Names that only look like it.
_HARMLESS = {"max_tokens", "tokens", "token_count"}
_SHAPES = (
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(?:sk|pk|whsec|polar_[a-z]+|dk|hf|ghp)[-_][A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), HIDDEN),
    (re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"), HIDDEN),  # user:password@ in an address
    (re.compile(r"([?&](?:token|signature|sig|key|X-Amz-[A-Za-z-]+)=)[^\s&#\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(/(?:files|uploads)/)[A-Za-z0-9_.~=-]{16,}"), rf"\1{HIDDEN}"),  # signed links of ours
    (re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[address]"),
)


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
            name: HIDDEN if value is not None and is_secret(name) else self._value(value, depth)
            for name, value in found.items()
        }

    def _value(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return self.text(str(value))
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth == _DEEPEST:
            return HIDDEN
        if isinstance(value, Mapping):
            return self.fields({str(name): inner for name, inner in value.items()}, depth + 1)
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(inner, depth + 1) for inner in value]
        return self.text(str(value))


def is_secret(name: str) -> bool:
    """Whether a field of this name is never told."""
    name = name.casefold().replace("-", "_")
    return name not in _HARMLESS and _NAMES.search(name) is not None
