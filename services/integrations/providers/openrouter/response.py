"""Parse OpenRouter's responses: one JSON body or a stream of chunks, in every shape that models use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.enum import ErrorCode
from services.integrations.providers.http_error import Secrets
from services.integrations.providers.json_body import amount_of, dicts_of, list_of, name_of, read_object
from services.integrations.providers.openrouter.data_url import decode_image, find_image_urls, is_remote
from services.integrations.providers.openrouter.error import embedded_error, error_object
from services.integrations.providers.openrouter.event_stream import EventStream
from services.integrations.providers.protocol import MAX_ANSWER_BYTES, ProviderError

_LARGE_BYTES = 4_000_000  # parsing more takes tens of milliseconds
_MAX_DETAIL = 200  # characters
# Events of the images API; others ("image_generation.text_chunk": a drawing's source, in pieces) have no image.
_PREVIEW = "image_generation.partial_image"
_COMPLETED = "image_generation.completed"

# Values of Gemini's `native_finish_reason` and of `finish_reason`: the image was withheld or not generated.
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
class ParsedResponse:
    """The content of a response so far."""

    images: list[str] = field(default_factory=list)  # data URLs, base64 or https URLs, in order of arrival
    previews: list[str] = field(default_factory=list)  # of the images API, base64: not an answer
    text: list[str] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)  # why the model stopped, in lower case
    refusal: str = ""
    error: dict[str, Any] | None = None
    has_content: bool = False  # a choice or an image: the JSON is OpenRouter's and not a gateway's
    ended: bool = False
    model: str | None = None
    request_id: str | None = None
    cost: float | None = None  # US dollars

    def add(self, body: dict[str, Any]) -> None:
        """Add one chunk, or a complete JSON body."""
        self.error = self.error or error_object(body)
        self.request_id = self.request_id or name_of(body.get("id"))
        self.model = name_of(body.get("model")) or self.model
        usage = body.get("usage")
        if isinstance(usage, dict):
            self.ended = True
            cost = amount_of(usage.get("cost"))
            self.cost = self.cost if cost is None else cost
        for choice in dicts_of(body.get("choices")):
            self._add_choice(choice)
        self._add_images(body)

    def _add_images(self, body: dict[str, Any]) -> None:
        """Add the images of the images API: {"data": [{"b64_json"}]}, and its events with one at the top level."""
        event, image, data = body.get("type"), body.get("b64_json"), body.get("data")
        if event == _PREVIEW:
            self.has_content = True
            self.previews += [image] if isinstance(image, str) else []
            return
        self.ended = self.ended or event == _COMPLETED
        self.has_content = self.has_content or (isinstance(data, list) and "created" in body)
        self._add_image(image)
        for part in dicts_of(data):
            self._add_image(part.get("b64_json") or part.get("url"))

    def _add_choice(self, choice: dict[str, Any]) -> None:
        message = choice.get("message") or choice.get("delta")
        message = message if isinstance(message, dict) else {}
        self.has_content = self.has_content or bool(message)
        self.error = self.error or error_object(choice)
        for reason in (choice.get("finish_reason"), choice.get("native_finish_reason")):
            if isinstance(reason, str) and reason:
                self.reasons.add(reason.lower())
                self.ended = True
        refusal = message.get("refusal")
        self.refusal += refusal if isinstance(refusal, str) else ""
        for image in list_of(message.get("images")):
            self._add_image(image)
        content = message.get("content")
        if isinstance(content, str):
            self.text.append(content)
        for part in list_of(content):
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                self.text.append(part["text"])
            elif isinstance(part, dict):
                self._add_image(part)

    def _add_image(self, image: object) -> None:
        if isinstance(image, dict):
            inner = image.get("image_url") or image.get("b64_json")
            image = inner.get("url") if isinstance(inner, dict) else inner
        if isinstance(image, str) and image and image not in self.images[-1:]:
            self.images.append(image)
            self.has_content = True

    def candidates(self) -> list[str]:
        """Return image URLs or base64: from the dedicated fields, else from the model's text."""
        return self.images or find_image_urls("".join(self.text))

    def raise_for_failure(self, secrets: Secrets) -> None:
        """Raise if the response cannot contain an image.

        Raises:
            ProviderError: it states an error or a refusal, or it is incomplete.
        """
        if self.error is not None:
            raise embedded_error(self.error, secrets, cost=self.cost, request_id=self.request_id)
        if self.reasons & _REJECTED or (self.refusal and not self.images):
            raise self.failed(ErrorCode.CONTENT_REJECTED, f"refused {sorted(self.reasons & _REJECTED)}")
        if "error" in self.reasons:
            raise self.failed(ErrorCode.PROVIDER_UNAVAILABLE, "finish reason error")
        if not self.ended:
            raise self.failed(ErrorCode.PROVIDER_UNAVAILABLE, "the stream was truncated")
        if not self.has_content:
            raise self.failed(ErrorCode.PROVIDER_UNAVAILABLE, "unexpected body: JSON without a choice")

    def failed(self, code: ErrorCode, detail: str) -> ProviderError:
        """Return an error with the cost and request id of the response."""
        return ProviderError(code, detail[:_MAX_DETAIL], cost=self.cost, request_id=self.request_id)


class ResponseReader:
    """Parses a body into a ParsedResponse while it arrives, holding at most `max_bytes` of it."""

    def __init__(self, headers: Mapping[str, str], max_bytes: int = MAX_ANSWER_BYTES) -> None:
        """Read the headers, whose names are in lower case.

        Raises:
            ProviderError: GENERATION_FAILED if they announce over `max_bytes`, of which nothing is read then.
        """
        # The images API has no id in its body.
        self.response = ParsedResponse(request_id=name_of(headers.get("x-generation-id")))
        self._content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        self._events = EventStream() if self._content_type == "text/event-stream" else None
        self._body = bytearray()
        self._received = 0
        self._max_bytes = max_bytes
        self.done = False  # the stream sent [DONE]; the connection may stay open
        announced = headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:19]) > max_bytes:
            raise self._too_long()

    @property
    def data_bytes(self) -> int:
        """The bytes that carry data; the comments of a stream are only keep-alives."""
        return len(self._body) if self._events is None else self._events.data_bytes

    @property
    def is_large(self) -> bool:
        """Whether what has arrived takes long to parse."""
        return self._received > _LARGE_BYTES

    def _too_long(self) -> ProviderError:
        return self.response.failed(ErrorCode.GENERATION_FAILED, f"the body is over {self._max_bytes} bytes")

    def feed(self, chunk: bytes) -> list[bytes]:
        """Process the next chunk; return the previews in it, and the images that a later image has replaced.

        Raises:
            ProviderError: GENERATION_FAILED over `max_bytes`, PROVIDER_UNAVAILABLE for an event that is not JSON.
        """
        self._received += len(chunk)
        if self._received > self._max_bytes:
            self._body.clear()
            raise self._too_long()
        if self._events is None:
            self._body += chunk
            return []
        known = len(self.response.images)
        for event in self._events.feed(chunk):
            if event == b"[DONE]":
                self.response.ended = self.done = True
                break
            self.response.add(self._parse(event))
        shown = [*self.response.previews, *self.response.images[max(known - 1, 0) : -1]]
        self.response.previews.clear()
        return [preview for image in shown if (preview := decode_image(image)) is not None]

    def finish(self, secrets: Secrets) -> ParsedResponse:
        """Return the complete response, once the body has ended.

        Raises:
            ProviderError: as ParsedResponse.raise_for_failure, and PROVIDER_UNAVAILABLE for a body that is not JSON.
        """
        if self._events is None:
            self.response.add(self._parse(self._body))
            self._body.clear()
            self.response.ended = True
        self.response.raise_for_failure(secrets)
        return self.response

    def image(self) -> bytes | None:
        """Decode the image, the last of a stream or the first of a body that can be decoded; None if there is none."""
        found = self.response.candidates()
        for url in found if self._events is None else reversed(found):
            if (data := decode_image(url)) is not None:
                return data
        return None

    def remote_url(self) -> str | None:
        """Return the URL from which the image would have to be fetched; None if there is none."""
        return next((url for url in self.response.candidates() if is_remote(url)), None)

    def _parse(self, body: bytes | bytearray) -> dict[str, Any]:
        parsed = read_object(body)
        if parsed is None:
            kind = self._content_type[:40] or "untyped"
            raise self.response.failed(ErrorCode.PROVIDER_UNAVAILABLE, f"unexpected body: {kind}, {len(body)} bytes")
        return parsed
