"""Languages: which are offered, which one a person wants, and a message's words in it."""

import functools
import io
from collections.abc import Mapping
from pathlib import Path

from babel.messages.pofile import read_po

from services.core.message import Message

DEFAULT = "en"  # the language the messages are written in
SUPPORTED = ("en", "zh-CN")  # BCP 47, as the API spells them
_COMMAS = {"en": ", ", "zh-CN": "、"}  # between the parts of a list
_LONGEST_HEADER = 500  # characters of an Accept-Language worth reading


def match(wanted: str) -> str | None:
    """The offered language for a tag such as `zh`, `zh_CN` or `en-GB`; None when there is none."""
    tag = wanted.strip().replace("_", "-").casefold()
    for known in SUPPORTED:
        if tag == known.casefold() or tag.split("-")[0] == known.split("-")[0]:
            return known
    return None


def from_header(accept_language: str) -> str | None:
    """The best offered language of an Accept-Language header (RFC 9110, 12.5.4), None when it names none of ours."""
    wanted: list[tuple[float, str]] = []
    for part in accept_language[:_LONGEST_HEADER].split(","):
        tag, _, parameter = part.partition(";")
        try:
            weight = float(parameter.strip().casefold().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        known = match(tag)
        if known and 0 < weight <= 1:
            wanted.append((weight, known))
    return max(wanted, key=lambda item: item[0])[1] if wanted else None


def choose(texts: Mapping[str, str], locale: str) -> str:
    """Of a text in several languages, the one for `locale`, else English, else any."""
    return texts.get(locale) or texts.get(locale.split("-")[0]) or texts.get(DEFAULT) or next(iter(texts.values()), "")


class Translator:
    """The catalogues of locales/, read once."""

    def __init__(self, folder: Path) -> None:
        self._catalogues: dict[str, Mapping[str, str]] = {}
        for locale in SUPPORTED:
            path = folder / locale.replace("-", "_") / "LC_MESSAGES" / "messages.po"
            if locale != DEFAULT:
                self._catalogues[locale] = _words(path.read_bytes())

    def translate(self, text: Message, locale: str) -> str:
        """The sentence in `locale`, values filled in; English where a catalogue has no words for it."""
        words = self._catalogues.get(locale, {}).get(text.text) or text.text
        if not text.values:
            return words
        return words.format_map({name: _in_words(value, locale) for name, value in text.values.items()})


def _in_words(value: object, locale: str) -> object:
    """A message's value as it is read in `locale`."""
    if isinstance(value, tuple):
        return _COMMAS[locale].join(str(_in_words(one, locale)) for one in value)
    return choose(value, locale) if isinstance(value, Mapping) else value


@functools.cache
def _words(catalogue: bytes) -> Mapping[str, str]:
    """Each message of a catalogue and its words; read once for all who translate, it takes 15 ms."""
    return {str(entry.id): str(entry.string) for entry in read_po(io.BytesIO(catalogue)) if entry.id}
