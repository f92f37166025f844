"""Parsing of OpenRouter's responses: every known shape, and malicious ones."""

import base64
import email.utils
import time
from typing import Any

import orjson
import pytest

from models.enum import ErrorCode
from services.integrations.providers.http_error import MAX_RETRY_AFTER, Secrets, retry_after
from services.integrations.providers.openrouter.data_url import decode_image, find_image_urls
from services.integrations.providers.openrouter.error import status_error
from services.integrations.providers.openrouter.event_stream import EventStream
from services.integrations.providers.openrouter.picture_shape import closest_aspect_ratio
from services.integrations.providers.openrouter.response import ResponseReader
from services.integrations.providers.protocol import ProviderError
from tests.support.fakes.openrouter_response import COST, data_url, good_picture

PNG = good_picture()
B64 = base64.b64encode(PNG).decode()
SECRETS = Secrets("sk-or-v1-secret", "a fox in a red raincoat")


def chat(**message: object) -> dict[str, Any]:
    return {"id": "gen-1", "choices": [{"finish_reason": "stop", "message": {"role": "assistant", **message}}]}


def part(url: object) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


SHAPES: dict[str, dict[str, Any]] = {
    "images": chat(images=[part(data_url(PNG))]),
    "images without type": chat(images=[{"image_url": {"url": data_url(PNG)}}]),
    "image_url as a string": chat(images=[{"image_url": data_url(PNG)}]),
    "images as strings": chat(images=[data_url(PNG)]),
    "images with b64_json": chat(images=[{"b64_json": B64}]),
    "content parts": chat(content=[{"type": "text", "text": "Look:"}, part(data_url(PNG))]),
    "output_image part": chat(content=[{"type": "output_image", "b64_json": B64}]),
    "markdown": chat(content=f"Here: ![x]({data_url(PNG)}) Enjoy!"),
    "markdown with line breaks": chat(content=f"![x](data:image/png;base64,{B64[:76]}\n{B64[76:]})"),
    "data URL in prose": chat(content=f"Here it is: {data_url(PNG)} Enjoy!"),
    "data URL in a text part": chat(content=[{"type": "text", "text": f"![]({data_url(PNG)})"}]),
    "images API": {"created": 0, "data": [{"b64_json": B64}], "usage": {"cost": 0.01}},
    "without ;base64": chat(images=[part(f"data:image/png,{B64}")]),
    "with parameters": chat(images=[part(f"data:image/png;name=a.png;base64,{B64}")]),
    "white space": chat(images=[part(f"data:image/png;base64, {B64[:40]}\r\n {B64[40:]}\n")]),
    "no padding": chat(images=[part(f"data:image/png;base64,{B64.rstrip('=')}")]),
    "URL-safe alphabet": chat(images=[part("data:image/png;base64," + base64.urlsafe_b64encode(PNG).decode())]),
    "percent signs": chat(images=[part("data:image/png;base64," + B64.replace("+", "%2B").replace("=", "%3D"))]),
    "upper case": chat(images=[part(f"DATA:IMAGE/PNG;BASE64,{B64}")]),
    "a broken one, then a good one": chat(images=[part("data:image/png;base64,@@@"), part(data_url(PNG))]),
    "a web page, then a picture": chat(images=[part("data:text/html;base64,PGI+"), part(data_url(PNG))]),
    "a URL, then an image": chat(images=[part("https://example.com/a.png"), part(data_url(PNG))]),
    "two choices": {"choices": [{"message": {"content": "no"}}, *chat(images=[part(data_url(PNG))])["choices"]]},
}


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES.keys())
def test_image_is_found_in_a_json_body(body: dict[str, Any]) -> None:
    reader = ResponseReader({"content-type": "application/json; charset=utf-8"})
    reader.feed(orjson.dumps(body))
    reader.finish(SECRETS)
    assert reader.image() == PNG


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES.keys())
def test_image_is_found_in_a_stream(body: dict[str, Any]) -> None:
    chunk = orjson.loads(orjson.dumps(body).replace(b'"message"', b'"delta"'))
    reader = ResponseReader({"content-type": "text/event-stream"})
    reader.feed(b"data: " + orjson.dumps(chunk) + b"\n\ndata: [DONE]\n\n")
    reader.finish(SECRETS)
    assert reader.image() == PNG


def test_base64_longer_than_one_piece_is_decoded_with_white_space_at_any_place() -> None:
    data = bytes(range(256)) * 9000  # three pieces
    text = base64.b64encode(data).decode()
    for width in (76, 1_000_003, len(text)):
        lines = "\r\n".join(text[at : at + width] for at in range(0, len(text), width))
        assert decode_image(f"data:image/png;base64,{lines}\n") == data, width
    for wrong in (f"{text[:8]}={text}", f"{text[:1_500_000]}={text}", text + "@"):
        assert decode_image(f"data:image/png;base64,{wrong}") is None


def test_percent_encoded_image_without_base64_is_decoded() -> None:
    assert decode_image("data:image/svg+xml,%3Csvg%2F%3E") == b"<svg/>"


@pytest.mark.parametrize(
    "address", ["", "data:", "data:image/png;base64,", "data:text/plain;base64,QUJD", "Ünïcode", "A"]
)
def test_text_without_an_image_decodes_to_none(address: str) -> None:
    assert decode_image(address) is None


def test_image_split_over_text_deltas_is_joined() -> None:
    reader = ResponseReader({"content-type": "text/event-stream"})
    for text in (f"![](data:image/png;base64,{B64[:30]}", B64[30:], ")"):
        reader.feed(b"data: " + orjson.dumps({"choices": [{"delta": {"content": text}}]}) + b"\n\n")
    reader.feed(b"data: [DONE]\n\n")
    reader.finish(SECRETS)
    assert reader.image() == PNG


def test_stream_is_parsed_byte_by_byte_with_any_line_end() -> None:
    events = EventStream()
    wire = (
        b': OPENROUTER PROCESSING\r\n\r\nevent: x\r\ndata: {"a":\r\ndata:1}\r\n\r\n: again\n\ndata: [DONE]\n\ndata: cut'
    )
    found = [event for at in range(len(wire)) for event in events.feed(wire[at : at + 1])]
    assert found == [b'{"a":\n1}', b"[DONE]"]


def test_comments_do_not_count_as_data() -> None:
    events = EventStream()
    events.feed(b": OPENROUTER PROCESSING\n\n" * 100 + b": half a comm")
    assert events.data_bytes == 0
    events.feed(b"ent\n\ndata: half an eve")
    assert events.data_bytes > 0


def test_last_image_of_a_stream_is_the_result_and_earlier_ones_are_previews() -> None:
    first, second, third = (good_picture(tint=tint) for tint in (10, 20, 30))
    reader = ResponseReader({"content-type": "text/event-stream"})
    previews: list[bytes] = []
    for image in (first, second, third, third):
        chunk = {"choices": [{"delta": {"images": [part(data_url(image))]}}]}
        previews += reader.feed(b"data: " + orjson.dumps(chunk) + b"\n\n")
    reader.feed(b"data: [DONE]\n\n")
    reader.finish(SECRETS)
    assert previews == [first, second]
    assert reader.image() == third


def test_events_of_the_images_api_are_parsed() -> None:
    preview = good_picture(tint=10)
    reader = ResponseReader({"content-type": "text/event-stream"})
    partial = {"type": "image_generation.partial_image", "b64_json": base64.b64encode(preview).decode()}
    final = {"type": "image_generation.completed", "b64_json": B64, "usage": {"cost": COST}}
    previews = reader.feed(b"data: %b\n\ndata: %b\n\n" % (orjson.dumps(partial), orjson.dumps(final)))
    assert previews == [preview]
    assert reader.finish(SECRETS).cost == COST
    assert reader.image() == PNG


@pytest.mark.parametrize("cost", [-1, True, "0.1", None, []])
def test_invalid_cost_is_ignored(cost: object) -> None:
    reader = ResponseReader({"content-type": "application/json"})
    reader.feed(orjson.dumps({**chat(images=[part(data_url(PNG))]), "usage": {"cost": cost}}))
    assert reader.finish(SECRETS).cost is None


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        orjson.dumps(SHAPES["images"])[:-1] + b',"x":[' + b"[]," * 500_000 + b"[]]}",
        b'{"choices":' + b"9" * 5000 + b"}",
        b'{"a":"\xff"}',
        b"null",
        b'"text"',
        b"[]",
        b'{"choices":null}',
        b'{"choices":[]}',
        b'{"choices":[{"message":null}]}',
        b'{"choices":[1,null,"x"]}',
        b'{"choices":{"message":{}}}',
    ],
    ids=["deep", "wide", "number", "utf-8", "null", "text", "list", "null2", "empty", "no message", "odd", "object"],
)
def test_json_of_another_kind_is_provider_unavailable(body: bytes) -> None:
    reader = ResponseReader({"content-type": "application/json"})
    reader.feed(body)
    with pytest.raises(ProviderError) as caught:
        reader.finish(SECRETS)
    assert caught.value.code is ErrorCode.PROVIDER_UNAVAILABLE


def test_body_over_max_bytes_fails_in_json_and_stream() -> None:
    for kind in ("application/json", "text/event-stream"):
        reader = ResponseReader({"content-type": kind}, max_bytes=1000)
        reader.feed(b"x" * 1000)
        with pytest.raises(ProviderError) as caught:
            reader.feed(b"x")
        assert caught.value.code is ErrorCode.GENERATION_FAILED


@pytest.mark.parametrize("text", ["(data:image/" * 400_000, "![" * 2_000_000, "](https://" * 400_000], ids=range(3))
def test_malicious_text_is_searched_in_linear_time(text: str) -> None:
    started = time.process_time()
    find_image_urls(text)
    assert time.process_time() - started < 2  # seconds; a quadratic search would take hours


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("0", 0.0),
        ("99999999", MAX_RETRY_AFTER),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("٣", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 9999 07:28:00 GMT", MAX_RETRY_AFTER),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_parsed_or_ignored(value: str | None, seconds: float | None) -> None:
    assert retry_after(value) == seconds


def test_retry_after_accepts_a_future_date() -> None:
    wait = retry_after(email.utils.formatdate(time.time() + 30, usegmt=True))
    assert wait is not None
    assert 25 < wait <= 30


def test_retry_after_falls_back_to_the_body() -> None:
    assert status_error(429, {}, {"availability": {"retry_after": 9}}, SECRETS).retry_after == 9
    assert status_error(429, {"retry-after": "0"}, {"availability": {"retry_after": 9}}, SECRETS).retry_after == 0
    assert status_error(429, {}, {"availability": {"retry_after": "x"}}, SECRETS).retry_after is None


def test_excerpt_contains_no_key_prompt_data_or_control_characters() -> None:
    text = (
        f"Key {SECRETS.key} or sk-or-v1-other, \x1b[31mprompt: A Fox in a RED raincoat, {data_url(PNG)} end. "
        + "x " * 500
    )
    excerpt = SECRETS.clean(text)
    assert "sk-or" not in excerpt
    assert "raincoat" not in excerpt.lower()
    assert B64[:20] not in excerpt
    assert excerpt.isprintable()
    assert len(excerpt) <= 160
    assert excerpt.startswith("Key [key] or [key]")


def test_excerpt_keeps_harmless_text() -> None:
    assert Secrets("key", "").clean("Model is overloaded") == "Model is overloaded"


@pytest.mark.parametrize(
    ("wanted", "ratio"),
    [
        (1.0, "1:1"),
        (1.5, "3:2"),
        (0.66, "2:3"),
        (1.78, "16:9"),
        (4.0, "21:9"),
        (0.1, "9:16"),
        (0.8, "4:5"),
        (1.3, "4:3"),
    ],
)
def test_closest_supported_ratio_is_requested(wanted: float, ratio: str) -> None:
    assert closest_aspect_ratio(wanted) == ratio
