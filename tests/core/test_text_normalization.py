"""Texts in NFC: the same as Python's, without sorting all accents of a text at once."""

import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.text import nfc

# Letters that compose, marks of several classes and none, Hangul and its parts, and what Unicode always takes apart.
CHARACTERS = "aeAÅéệ\u0301\u0327\u0323\u0308\u0315\u034f\u093c가\u1100\u1161\u11a8\u212b\u0958\u0344\U0001d15e "


@given(st.text(alphabet=CHARACTERS, max_size=20) | st.text(max_size=20))
def test_text_is_the_same_as_pythons(text: str) -> None:
    assert nfc(text) == unicodedata.normalize("NFC", text)


def test_accents_are_in_order_before_python_composes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    original = unicodedata.normalize

    def normalize(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
        seen.append(text)
        return original(form, text)

    monkeypatch.setattr(unicodedata, "normalize", normalize)
    marks = "a" + "\u0301\u0327" * 500
    nfc(marks)
    classes = [[unicodedata.combining(character) for character in text] for text in seen]
    assert max(map(len, classes)) == len(marks)
    assert all(found == sorted(found) for found in classes), "others are sorted in quadratic time"
