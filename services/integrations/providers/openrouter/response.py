"""Reading OpenRouter's answers: one JSON body or a stream of chunks, in every shape that models answer with."""

import math
from dataclasses import dataclass, field
from typing import Any

import orjson

from models.enum import ErrorCode
from services.integrations.providers.openrouter.data_url import decode_picture, is_remote, pictures_in_text
from services.integrations.providers.openrouter.error import Secrets, answered_with_error, error_object
from services.integrations.providers.openrouter.event_stream import EventStream
from services.integrations.providers.protocol import ProviderError

MAX_BODY_BYTES = 24 * 1024 * 1024  # decoded; a 4K PNG in base64 is about 20 MB
_MAX_MARKS = 200_000  # brackets and commas; parsed, "[[],[],…" takes twenty times its own size
_MAX_NAME = 200  # characters of an id or a model name that are worth keeping

# `native_finish_reason` of Gemini, and `finish_reason` of everybody: the picture was made and held back, or never made.
_REJECTED = {
    "content_filter",
    "safety",
    "image_safety",
    "prohibited_content",
    "image_prohibited_content",
    "blocklist",
    "spii",
    "recitation",
    "image_recitation",
}


@dataclass
class Answer:
    """What has been said so far."""

    pictures: list[str] = field(default_factory=list)  # data URLs, base64 or https addresses, in the order they came
    text: list[str] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)  # why the model stopped, in lower case
    refusal: str = ""
    error: dict[str, Any] | None = None
    spoke: bool = False  # there was a choice or a picture, so this is OpenRouter and not somebody else's JSON
    ended: bool = False
    model: str | None = None
    request_id: str | None = None
    cost: float | None = None  # US dollars

    def take(self, body: dict[str, Any]) -> None:
        """Add one chunk, or the whole of a JSON answer."""
        self.error = self.error or error_object(body)
        self.request_id = self.request_id or _name(body.get("id"))
        self.model = _name(body.get("model")) or self.model
        usage = body.get("usage")
        if isinstance(usage, dict):
            self.ended = True
            cost = _amount(usage.get("cost"))
            self.cost = self.cost if cost is None else cost
        for choice in _dicts(body.get("choices")):
            self._take_choice(choice)
        # The images API: {"data": [{"b64_json"}]}, and its events with the picture at the top.
        for picture in (*_dicts(body.get("data")), body):
            self._add_picture(picture.get("b64_json") or (picture.get("url") if picture is not body else None))

    def _take_choice(self, choice: dict[str, Any]) -> None:
        said = choice.get("message") or choice.get("delta")
        said = said if isinstance(said, dict) else {}
        self.spoke = self.spoke or bool(said)
        self.error = self.error or error_object(choice)
        for reason in (choice.get("finish_reason"), choice.get("native_finish_reason")):
            if isinstance(reason, str) and reason:
                self.reasons.add(reason.lower())
                self.ended = True
        refusal = said.get("refusal")
        self.refusal += refusal if isinstance(refusal, str) else ""
        for picture in _list(said.get("images")):
            self._add_picture(picture)
        content = said.get("content")
        if isinstance(content, str):
            self.text.append(content)
        for part in _list(content):
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                self.text.append(part["text"])
            elif isinstance(part, dict):
                self._add_picture(part)

    def _add_picture(self, picture: object) -> None:
        if isinstance(picture, dict):
            inner = picture.get("image_url") or picture.get("b64_json")
            picture = inner.get("url") if isinstance(inner, dict) else inner
        if isinstance(picture, str) and picture and picture not in self.pictures[-1:]:
            self.pictures.append(picture)
            self.spoke = True

    def candidates(self) -> list[str]:
        """Addresses of pictures: those in their own fields, else those that the model wrote into its text."""
        return self.pictures or pictures_in_text("".join(self.text))

    def raise_for_failure(self, secrets: Secrets) -> None:
        """Nothing if the answer may hold a picture.

        Raises:
            ProviderError: it says that it holds none, or it is not a whole answer.
        """
        if self.error is not None:
            raise answered_with_error(self.error, secrets, cost=self.cost, request_id=self.request_id)
        if self.reasons & _REJECTED or (self.refusal and not self.pictures):
            raise self.failed(ErrorCode.CONTENT_REJECTED, f"refused {sorted(self.reasons & _REJECTED)}")
        if "error" in self.reasons:
            raise self.failed(ErrorCode.PROVIDER_UNAVAILABLE, "finish reason error")
        if not self.ended:
            raise self.failed(ErrorCode.PROVIDER_UNAVAILABLE, "the stream was cut")
        if not self.spoke:
            raise self.failed(ErrorCode.PROVIDER_UNAVAILABLE, "foreign body: JSON without a choice")

    def failed(self, code: ErrorCode, detail: str) -> ProviderError:
        """An error that knows what the answer said about its cost and name."""
        return ProviderError(code, detail[:_MAX_NAME], cost=self.cost, request_id=self.request_id)


class AnswerReader:
    """Turns a body's bytes into an Answer while they arrive, never holding more than `max_bytes` of them."""

    def __init__(self, content_type: str, max_bytes: int = MAX_BODY_BYTES) -> None:
        self.answer = Answer()
        self._content_type = content_type.partition(";")[0].strip().lower()
        self._events = EventStream() if self._content_type == "text/event-stream" else None
        self._body = bytearray()
        self._received = 0
        self._max_bytes = max_bytes
        self.done = False  # the stream said that nothing follows; the connection may stay open all the same

    @property
    def data_bytes(self) -> int:
        """Bytes that carry the answer; the comments of a stream are signs of life and nothing else."""
        return len(self._body) if self._events is None else self._events.data_bytes

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next piece; return the early pictures that a later one has replaced.

        Raises:
            ProviderError: GENERATION_FAILED over the cap, PROVIDER_UNAVAILABLE for an event that is not JSON.
        """
        self._received += len(piece)
        if self._received > self._max_bytes:
            raise self.answer.failed(ErrorCode.GENERATION_FAILED, f"the body is over {self._max_bytes} bytes")
        if self._events is None:
            self._body += piece
            return []
        already = len(self.answer.pictures)
        for event in self._events.feed(piece):
            if event == b"[DONE]":
                self.answer.ended = self.done = True
                break
            self.answer.take(self._parse(event))
        replaced = self.answer.pictures[max(already - 1, 0) : -1]
        return [preview for picture in replaced if (preview := decode_picture(picture)) is not None]

    def finish(self, secrets: Secrets) -> Answer:
        """The whole answer, once the body has ended.

        Raises:
            ProviderError: as Answer.raise_for_failure, and PROVIDER_UNAVAILABLE for a body that is not JSON.
        """
        if self._events is None:
            self.answer.take(self._parse(self._body))
            self._body.clear()
            self.answer.ended = True
        self.answer.raise_for_failure(secrets)
        return self.answer

    def picture(self) -> bytes | None:
        """The decoded picture: of a stream the last one, of a body the first that decodes; None if there is none."""
        found = self.answer.candidates()
        for address in found if self._events is None else reversed(found):
            if (data := decode_picture(address)) is not None:
                return data
        return None

    def remote_address(self) -> str | None:
        """Where the picture would have to be fetched from; None if the answer names no such place."""
        return next((address for address in self.answer.candidates() if is_remote(address)), None)

    def _parse(self, body: bytes | bytearray) -> dict[str, Any]:
        parsed = read_object(body)
        if parsed is None:
            kind = self._content_type[:40] or "untyped"
            raise self.answer.failed(ErrorCode.PROVIDER_UNAVAILABLE, f"foreign or cut body: {kind}, {len(body)} bytes")
        return parsed


def read_object(body: bytes | bytearray) -> dict[str, Any] | None:
    """The JSON object in `body`; None for anything else, and for one built to take many times its size in memory."""
    if sum(body.count(mark) for mark in (b"[", b"{", b",")) > _MAX_MARKS:
        return None
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]


def _amount(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _name(value: object) -> str | None:
    return value[:_MAX_NAME] if isinstance(value, str) and value.isprintable() and value else None
