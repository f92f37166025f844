"""JSON bodies, read by the faster parser where it reads the same as Python's."""

import json
import math

import pytest

from web.body import decode_json

TEXTS = [
    b'{"a": 9223372036854775807}',
    b'{"a": 9223372036854775808}',
    b'{"a": 18446744073709551616}',
    b'{"a": [{"b": -9223372036854775809}]}',
    b'{"a": 1e999}',
    b'{"a": 1.0}',
    b'{"a": 1e5}',
    b'{"a": -0}',
    b'{"a": -0.0}',
    b'{"a": "\\ud800"}',
    b'{"a": "\\ud83d\\ude00"}',
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": 1, "a": 2}',
    b"\xef\xbb\xbf{}",
    '{"a": "\u00e4"}'.encode("utf-16"),
    '{"a": 12345678901234567890123}'.encode("utf-32"),
    b" [null, true, false, {}, []] ",
]
INVALID = [
    b"",
    b"{",
    b"NaN",
    b"[Infinity]",
    b"[-Infinity]",
    b'{"a": "\xff"}',
    b"[01]",
    b"[1.]",
    b"[.5]",
    b"[1] x",
    b'["\x01"]',
    b"{'a': 1}",
    b"[" * 60_000,
    b"[" + b"1" * 5000 + b"]",
]


@pytest.mark.parametrize("text", TEXTS)
def test_valid_json_is_read_as_python_reads_it(text: bytes) -> None:
    expected = json.loads(text)
    found = decode_json(text)
    assert repr(found) == repr(expected)  # 1 is not 1.0 there, nor 0.0 -0.0


@pytest.mark.parametrize("text", INVALID)
def test_invalid_json_has_one_class_of_errors(text: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        decode_json(text)


def test_text_is_read_as_bytes_are() -> None:
    assert decode_json('{"a": [1, 2.5, "\\ud800"]}') == {"a": [1, 2.5, "\ud800"]}
    assert decode_json("[1e999]") == [math.inf]
