"""A message to a user, kept untranslated until the reader's locale is known."""

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
    """Mark `text` for translation; the test of the catalogues finds calls of this function by its name."""
    return Message(text, values)
