"""Locales: the supported ones, choosing one for a user or a request, and translating messages."""

import functools
import gettext
import re
from collections.abc import Mapping
from pathlib import Path

from services.core.message import Message
from services.core.text import cut

DEFAULT = "en"  # the language the messages are written in
SUPPORTED = ("en", "zh-CN")  # BCP 47, as the API spells them
_COMMAS = {"en": ", ", "zh-CN": "、"}  # between the parts of a list
_TAG = re.compile(r"([A-Za-z]{2,8}|[xi]-[A-Za-z0-9]{1,8})([-_][A-Za-z0-9]{1,8}){0,10}")
_MAX_HEADER = 500  # characters of an Accept-Language header that are read


def match(wanted: str) -> str | None:
    """Return the supported locale for a tag such as `zh`, `zh_CN` or `en-GB`, or None."""
    tag = wanted.strip().replace("_", "-").casefold()
    for known in SUPPORTED:
        if tag == known.casefold() or tag.split("-")[0] == known.split("-")[0]:
            return known
    return None


def is_tag(wanted: str) -> bool:
    """Whether a text has the form of a language tag (BCP 47), of whatever language."""
    return _TAG.fullmatch(wanted.strip()) is not None


def from_header(accept_language: str) -> str | None:
    """Return the best supported locale of an Accept-Language header (RFC 9110, 12.5.4), or None."""
    return _best(accept_language[:_MAX_HEADER]) if accept_language else None


@functools.lru_cache(256)
def _best(accept_language: str) -> str | None:
    wanted: list[tuple[float, str]] = []
    for part in accept_language.split(","):
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
    """Return the text for `locale` from a text in several languages, else English, else any."""
    return texts.get(locale) or texts.get(locale.split("-")[0]) or texts.get(DEFAULT) or next(iter(texts.values()), "")


class Translator:
    """Translates messages with the compiled catalogues of locales/ (`make messages` compiles them), read once."""

    def __init__(self, folder: Path) -> None:
        self._catalogues: dict[str, gettext.GNUTranslations] = {}
        for locale in SUPPORTED:
            path = folder / locale.replace("-", "_") / "LC_MESSAGES" / "messages.mo"
            if locale != DEFAULT:
                with path.open("rb") as file:
                    self._catalogues[locale] = gettext.GNUTranslations(file)

    def translate(self, text: Message, locale: str) -> str:
        """Return the message in `locale` with its values filled in; in English if the catalogue lacks it."""
        catalogue = self._catalogues.get(locale)
        template = catalogue.gettext(text.text) if catalogue else text.text
        if not text.values:
            return template
        return template.format_map({name: _localized(value, locale) for name, value in text.values.items()})


def _localized(value: object, locale: str) -> object:
    """Return a message's value for `locale`."""
    if isinstance(value, tuple):
        return _COMMAS[locale].join(str(_localized(one, locale)) for one in value)
    if isinstance(value, Mapping):
        return choose(value, locale)
    return cut(value) if isinstance(value, str) else value  # it may be a client's text
