"""The blocklist: whole words in every script, whatever the case and the Unicode form."""

import time

import pytest

from services.products.blocklist import Blocklist

FOUND = [
    ("bomb", "A bomb."),
    ("bomb", "bomb"),
    ("bomb", "A BOMB, please"),
    ("bomb", "ｂｏｍｂ in full width"),
    ("bomb", "b\u00adomb with a soft hyphen"),
    ("bomb", "bo\u200bmb with a space of no width"),
    ("bomb", "bo\u034fmb with a joiner of graphemes"),
    ("bomb", "bo\ufe0fmb with a variation selector"),
    ("bomb", "bo\U000e0100mb with another one"),
    ("bomb", "bo\u180bmb with a Mongolian one"),
    ("bomb", "bo\u3164mb with a filler, which is a letter"),
    ("bomb", "bo\u115fmb"),
    ("bomb", "bo\u17b4mb"),
    ("bomb", "b\u0336o\u0336m\u0336b\u0336 with a stroke through it"),
    ("bomb", "b\u20ddomb in a circle"),
    ("bomb", "a b\u043emb with a Cyrillic letter"),
    ("bomb", "A B\u039f\u041cB with a Greek and a Cyrillic one"),
    ("b\u043emb", "bomb"),
    ("ẹ́bùn", "Ẹ́BÙN"),
    ("bomb", "画一个bomb吧"),  # Chinese characters around it are no part of the word
    ("straße", "Die STRASSE"),
    ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ("café", "cafe\u0301"),
    ("blood bath", "a blood\n\t bath"),
    ("c++", "in C++!"),
    ("炸弹", "一颗大炸弹爆炸了"),
    ("炸弹", "炸 弹"),
    ("ナイフ", "ﾅｲﾌを持つ"),
    ("ระเบิด", "ภาพระเบิดใหญ่"),
    ("नमक", "थोड़ा नमक दो"),
    ("бомба", "БОМБА!"),
]
NOT_FOUND = [
    ("bomb", "bombastic"),
    ("bomb", "abombs"),
    ("bomb", "bomb2"),
    ("bomb", "bombé"),
    ("bomb", "bombe\u0301"),
    ("bomb", "a cat"),
    ("bomb", ""),
    ("blood bath", "bloodbath"),
    ("炸弹", "炸鸡和子弹"),
    ("नम", "नमक"),
    ("कि", "किताब"),
    ("бомба", "бомбардир"),
    ("bop", "вор"),  # a word of another alphabet
    ("ano", "año"),
    ("cafe", "café"),
]


@pytest.mark.parametrize(("phrase", "text"), FOUND)
def test_phrase_is_found_as_a_whole_word(phrase: str, text: str) -> None:
    assert Blocklist([phrase]).is_in(text)


@pytest.mark.parametrize(("phrase", "text"), NOT_FOUND)
def test_phrase_is_not_found_within_another_word(phrase: str, text: str) -> None:
    assert not Blocklist([phrase]).is_in(text)


def test_second_occurrence_is_found_after_one_within_a_word() -> None:
    assert Blocklist(["bomb"]).is_in("A bombastic bomb")


def test_blocklist_without_a_phrase_is_false_and_finds_nothing() -> None:
    assert not Blocklist([])
    assert not Blocklist(["\u200b"])
    assert not Blocklist([]).is_in("bomb")


def test_ten_thousand_phrases_are_searched_quickly_in_the_longest_text() -> None:
    blocklist = Blocklist(f"phrase {number}" for number in range(10_000))
    started = time.process_time()
    assert not blocklist.is_in("phrase " * 1500)
    assert time.process_time() - started < 1
