"""huggingface_hub's AsyncInferenceClient on an HTTP client of our own, which returns the bytes that were received."""

import copy
from contextlib import suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import AsyncInferenceClient
from huggingface_hub.constants import INFERENCE_PROXY_TEMPLATE
from huggingface_hub.inference._providers import PROVIDER_T

from models.enum import ErrorCode
from services.integrations.providers.http_client import CONNECT_SECONDS, trusted_certificates
from services.integrations.providers.protocol import MAX_ANSWER_BYTES, ProviderError

_ERROR_BODY_BYTES = 256 * 1024
_QUESTION_BYTES = 1024 * 1024  # of the answer to a question, which brings no image and no video
_MAX_BYTES = "darkroom.max_bytes"  # of a request's extensions: the longest body of a 200
_ROUTER = urlsplit(INFERENCE_PROXY_TEMPLATE).hostname  # which the library sends orders to
# The library adds its version, that of Python, and what environment variables say about the program.
_SENT_HEADERS = {
    "host",
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "prefer",
    "x-use-cache",
}


@dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: int
    headers: httpx2.Headers
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Received(Exception):  # noqa: N818 - no error: it carries the response past the library
    """A response. Raised past the library, which would decode the image in this process, with Pillow.

    It would also read a body of any length, follow redirects and quote the body in the texts of its errors.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class InferenceClient(AsyncInferenceClient):
    """Every call of the library's methods raises Received, or what went wrong with the connection.

    `base_url`: the router's address. `read_seconds`: the longest pause within a response. `transport`: replaces the
    network in tests.
    """

    def __init__(
        self,
        token: str,
        *,
        base_url: str,
        read_seconds: float,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        # The provider's name keeps the library from asking the Hub which providers serve a model, with a blocking call.
        super().__init__(provider="hf-inference", token=token, headers={"X-Use-Cache": "false"})
        self._router = httpx2.URL(base_url)
        self._timeouts = httpx2.Timeout(read_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS).as_dict()
        self._http = httpx2.AsyncClient(
            transport=transport,
            verify=trusted_certificates(),
            trust_env=False,
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=0),
            event_hooks={"request": [self._prepare], "response": [_receive]},
        )

    def of_provider(self, provider: PROVIDER_T) -> Self:
        """Return a client for the models of one inference provider, with the same connections."""
        found = copy.copy(self)
        found.provider = provider
        return found

    async def get(self, url: str) -> Answer:
        """Send a question with the token, and return the whole response.

        Raises:
            ProviderError: it is too large.
            httpx2.RequestError, OSError: there is none.
        """
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
            await self._http.get(url, headers=headers, extensions={_MAX_BYTES: _QUESTION_BYTES})
        except Received as received:
            return received.answer
        raise AssertionError  # every response is raised

    async def close(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def _get_async_client(self) -> httpx2.AsyncClient:
        """Return the client that the library sends with; by default, one that is shared in the whole process."""
        return self._http

    async def _prepare(self, request: httpx2.Request) -> None:
        for name in set(request.headers) - _SENT_HEADERS:
            del request.headers[name]
        if request.url.host == _ROUTER != self._router.host:
            request.url = self._router.copy_with(raw_path=self._router.raw_path.rstrip(b"/") + request.url.raw_path)
            request.headers["Host"] = self._router.netloc.decode("ascii")
        request.headers["User-Agent"] = "darkroom"
        request.headers["Accept-Encoding"] = "identity"
        request.extensions["timeout"] = self._timeouts  # the library passes one number for everything


async def _receive(response: httpx2.Response) -> None:
    if response.status_code == 200:
        max_bytes = response.request.extensions.get(_MAX_BYTES, MAX_ANSWER_BYTES)
        raise Received(Answer(200, response.headers, await _read_body(response, max_bytes)))
    body = bytearray()
    with suppress(httpx2.RequestError, OSError):  # without a body, the status alone is enough
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > _ERROR_BODY_BYTES:
                break
    raise Received(Answer(response.status_code, response.headers, bytes(body[:_ERROR_BODY_BYTES])))


async def _read_body(response: httpx2.Response, max_bytes: int) -> bytes:
    """Return the body of a 200. Raises ProviderError if it is too long, or compressed, which was not asked for."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProviderError(ErrorCode.GENERATION_FAILED, "the body is compressed")
    announced = response.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:19]) > max_bytes:
        raise _too_long(max_bytes)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise _too_long(max_bytes)
    return bytes(body)


def _too_long(max_bytes: int) -> ProviderError:
    return ProviderError(ErrorCode.GENERATION_FAILED, f"the body is over {max_bytes} bytes")
