"""OpenRouter: pictures through its chat completions, over the openai SDK, read by ourselves."""

import asyncio
import functools
import math
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx2
import openai
from openai import AsyncOpenAI

from models.enum import ErrorCode
from services.integrations.providers.openrouter.error import (
    Secrets,
    answered_with_status,
    connection_failed,
    error_object,
)
from services.integrations.providers.openrouter.request import image_fields, messages
from services.integrations.providers.openrouter.response import AnswerReader, read_object
from services.integrations.providers.protocol import (
    FinalImage,
    ImageRequest,
    PartialImage,
    Progress,
    ProviderError,
    ProviderEvent,
)
from services.integrations.providers.safe_fetch import FetchError, SafeFetch, UnsafeUrlError

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0  # between two pieces of an answer; the total is the caller's deadline
_ERROR_BODY_BYTES = 64 * 1024
_ERROR_BODY_SECONDS = 2.0
_EXPECTED_BYTES = 1_500_000  # of a usual answer at 1K; only shapes the progress curve
_PROGRESS_CEILING = 0.95
_PROGRESS_STEP = 0.02
# The SDK adds telemetry, and headers from variables such as OPENAI_CUSTOM_HEADERS: neither is OpenRouter's business.
_SENT_HEADERS = {
    "host",
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "user-agent",
    "http-referer",
    "x-openrouter-title",
    "x-title",
    "x-stainless-raw-response",  # the SDK reads it back from the request to know that we read the body ourselves
}


class _RefusedError(Exception):
    """An answer whose status is not 200, carried past the SDK, which would read its body without a limit."""

    def __init__(self, status: int, headers: httpx2.Headers, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Whom TLS trusts; reading them takes longer than all the rest of a client, and once is enough."""
    return httpx2.create_ssl_context(trust_env=False)


class OpenRouterProvider:
    """Asks once per `generate` and never repeats a call.

    `fetch`: for models that answer with an https address; None: such an answer is a failure. `read_seconds`: the
    longest silence within an answer. `transport`: another wire than the network's, for tests.
    """

    name = "openrouter"

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = "https://openrouter.ai/api/v1",
        model: str = "google/gemini-2.5-flash-image",
        app_url: str | None,
        app_title: str = "Darkroom",
        fetch: SafeFetch | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._key = api_key.strip()
        self._model = model
        self._fetch = fetch
        titles = {"HTTP-Referer": app_url or "", "X-OpenRouter-Title": app_title, "X-Title": app_title}
        # Header values are ASCII on the wire: a name in other letters is left out rather than refused.
        self._headers = {name: value for name, value in titles.items() if value and _fits_a_header(value)}
        http = httpx2.AsyncClient(
            transport=transport,
            verify=_authorities(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(read_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            # A connection is never used twice: one that the other side has just closed would cost a paid call,
            # and a handshake is nothing beside the seconds that a picture takes.
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=0),
            event_hooks={"request": [self._set_headers], "response": [_only_success]},
        )
        self._client = AsyncOpenAI(
            api_key="set by _set_headers",
            base_url=base_url,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
        )

    async def aclose(self) -> None:
        """Give back connections."""
        await self._client.close()

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        """One call. Progress grows and stays below 1; previews come only from models that stream them.

        Raises:
            ProviderError: the call ended without a picture.
        """
        if not (self._key and _fits_a_header(self._key)):
            raise ProviderError(ErrorCode.PROVIDER_MISCONFIGURED, "no usable key", request_left=False)
        secrets = Secrets(self._key, request.prompt)
        model = request.model or self._model
        reader: AnswerReader | None = None
        fraction = 0.0
        try:
            async with self._client.chat.completions.with_streaming_response.create(
                model=model,
                messages=messages(request),
                stream=True,
                extra_body=image_fields(request),
                extra_headers={**self._headers, "Accept": "text/event-stream, application/json"},
            ) as response:
                reader = AnswerReader(response.headers.get("content-type", ""))
                async for piece in response.iter_bytes():
                    previews = reader.feed(piece)
                    reached = _PROGRESS_CEILING * -math.expm1(-reader.data_bytes / _EXPECTED_BYTES)
                    if previews or reached >= fraction + _PROGRESS_STEP:
                        fraction = max(fraction, reached)
                        yield Progress(fraction)
                    for preview in previews:
                        yield PartialImage(preview, fraction)
                    if reader.done:
                        break
        except _RefusedError as refused:
            error = error_object(read_object(refused.body))
            # `from None`, here and below: the causes' own texts quote the body, and header values with the key.
            raise answered_with_status(refused.status, refused.headers, error, secrets) from None
        except openai.APIConnectionError as lost:
            raise connection_failed(lost.__cause__) from None
        except (httpx2.RequestError, OSError) as lost:
            if reader is None or not reader.answer.ended:  # once everything was said, a rude goodbye is no failure
                raise connection_failed(lost) from None
        answer = reader.finish(secrets)
        data = reader.picture() or await self._remote_picture(reader)
        yield FinalImage(data, answer.model or model, answer.cost, answer.request_id)

    async def _remote_picture(self, reader: AnswerReader) -> bytes:
        answer = reader.answer
        address = reader.remote_address()
        if address is None:
            detail = "no picture decodes" if answer.candidates() else "no picture, only text"
            raise answer.failed(ErrorCode.GENERATION_FAILED, detail)
        if self._fetch is None:
            raise answer.failed(ErrorCode.GENERATION_FAILED, "the picture is elsewhere and fetching is off")
        try:
            return await self._fetch.get(address)
        except (UnsafeUrlError, FetchError) as error:
            raise answer.failed(ErrorCode.GENERATION_FAILED, f"the picture is elsewhere: {error}") from None

    async def _set_headers(self, request: httpx2.Request) -> None:
        for name in set(request.headers) - _SENT_HEADERS:
            del request.headers[name]
        request.headers["Authorization"] = f"Bearer {self._key}"


async def _only_success(response: httpx2.Response) -> None:
    if response.status_code == 200:
        return
    body = bytearray()
    # The status alone says enough when the body does not come.
    with suppress(httpx2.RequestError, OSError, TimeoutError):
        async with asyncio.timeout(_ERROR_BODY_SECONDS):
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _ERROR_BODY_BYTES:
                    break
    raise _RefusedError(response.status_code, response.headers, bytes(body[:_ERROR_BODY_BYTES]))


def _fits_a_header(value: str) -> bool:
    return value.isascii() and value.isprintable()
