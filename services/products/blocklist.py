"""A blocklist: words and phrases that a user's text must not contain, in any language."""

import re
import unicodedata
from collections.abc import Iterable

from services.core.text import UNSEEN

# Scripts that put no space between words: there, a phrase is found anywhere. Thai, Lao, Myanmar, Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_GAP = re.compile(rf"(?<=[{_UNSPACED}]) (?=[{_UNSPACED}])")
_WORD = {"L", "M", "N"}  # general categories: letters, marks, numbers
# Marks on alphabetic letters that have no letter of their own for it, such as a stroke through each.
_STACKED = re.compile(
    "(?<=[a-z\u00c0-\u052f\u1e00-\u1fff])[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_LETTERS = re.compile(r"[^\W\d_]+")
_IS_LATIN, _IS_OTHER = re.compile("[a-z]"), re.compile("[\u0370-\u052f]")
# Greek and Cyrillic letters that look like Latin ones in one of their cases, in lower case.
_LOOKALIKES = str.maketrans(
    "αβεζηικμνορτυχγавекмнорстухіјѕһԁԛԝ",
    "abezhikmvoptuxyabekmhopctyxijshdqw",
)


class Blocklist:
    """Finds its phrases as whole words, whatever the case and the Unicode form, past characters that are not seen."""

    def __init__(self, phrases: Iterable[str] = ()) -> None:
        self._phrases = tuple(dict.fromkeys(filter(None, map(folded, phrases))))

    def __bool__(self) -> bool:
        return bool(self._phrases)

    def is_in(self, text: str) -> bool:
        """Return whether one of the phrases is in a text."""
        if not self._phrases:
            return False
        searched = folded(text)
        return any(_has(searched, phrase) for phrase in self._phrases)


def folded(text: str) -> str:
    """Return a text as it is compared: NFKC, case-folded, without unseen characters, with one space between words.

    Words of Latin letters and others that look like them are of Latin letters only.
    """
    seen = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    plain = unicodedata.normalize("NFKC", UNSEEN.sub("", seen).casefold())
    spaced = " ".join(_LETTERS.sub(_as_latin, _STACKED.sub("", plain)).split())
    return _GAP.sub("", spaced)


def _as_latin(found: re.Match[str]) -> str:
    word = found[0]
    return word.translate(_LOOKALIKES) if _IS_LATIN.search(word) and _IS_OTHER.search(word) else word


def _has(text: str, phrase: str) -> bool:
    start = text.find(phrase)
    while start >= 0:
        end = start + len(phrase)
        if _is_edge(text[start - 1 : start], phrase[0]) and _is_edge(text[end : end + 1], phrase[-1]):
            return True
        start = text.find(phrase, start + 1)
    return False


def _is_edge(outside: str, inside: str) -> bool:
    """Return whether a word ends between two neighbouring characters; `outside` is empty at the end of the text."""
    if not outside or not _is_word(outside) or not _is_word(inside):
        return True
    is_mark = unicodedata.category(outside)[0] == "M"  # belongs to the character before it
    return not is_mark and bool(_IS_UNSPACED.match(outside) or _IS_UNSPACED.match(inside))


def _is_word(char: str) -> bool:
    return unicodedata.category(char)[0] in _WORD
