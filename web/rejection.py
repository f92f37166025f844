"""Responses of the server itself to requests that it does not pass to the application."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

_RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True)
class Rejection:
    """The response to a request that is not passed to the application, and the label of its metric."""

    status: HTTPStatus
    text: str
    reason: str

    def response(self, headers: Mapping[str, str]) -> bytes:
        """Return the bytes of the response, with `headers` added to those that it needs."""
        body = self.text.encode() + b"\n"
        lines = [
            f"HTTP/1.1 {self.status} {self.status.phrase}",
            *(f"{name}: {value}" for name, value in headers.items()),
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            lines.append(f"Retry-After: {_RETRY_AFTER_SECONDS}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


NOT_HTTP = Rejection(HTTPStatus.BAD_REQUEST, "Invalid HTTP request received.", "not_http")
URL_TOO_LONG = Rejection(HTTPStatus.REQUEST_URI_TOO_LONG, "The URL is too long.", "url_size")
HEAD_TOO_LARGE = Rejection(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers of the request are too large.", "head_size"
)
TOO_MANY_HEADERS = Rejection(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request has too many headers.", "head_size"
)
HEAD_TOO_SLOW = Rejection(HTTPStatus.REQUEST_TIMEOUT, "The request took too long.", "head_time")
BODY_TOO_SLOW = Rejection(HTTPStatus.REQUEST_TIMEOUT, "The request took too long.", "body_time")
TINY_CHUNKS = Rejection(HTTPStatus.BAD_REQUEST, "The chunks of the body are too small.", "body_chunks")
TOO_MANY_REQUESTS = Rejection(HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests on one connection.", "pipelined")
TOO_MANY_CONNECTIONS = Rejection(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.", "connections")
