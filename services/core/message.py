"""A sentence for a person, kept untranslated until it is known who reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """An English sentence with `{placeholders}`, which is also its key in locales/.

    A value that is a mapping is a text by its locale; a tuple is a list of values.
    """

    text: str
    values: Mapping[str, object] = field(default_factory=dict)


def message(text: str, **values: object) -> Message:
    """Mark `text` for translation; the catalogue test finds every call of this function by its name."""
    return Message(text, values)
