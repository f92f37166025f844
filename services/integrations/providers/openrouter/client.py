"""The OpenRouter provider: images by chat completions, sent with the openai SDK, responses parsed here."""

import asyncio
import functools
import math
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import TypeVar

import httpx2
import openai
from openai import AsyncOpenAI

from models.enum import ErrorCode
from services.integrations.providers.openrouter.error import (
    Secrets,
    connection_error,
    error_object,
    status_error,
)
from services.integrations.providers.openrouter.model import ModelLimits, limits_of, max_reference_bytes
from services.integrations.providers.openrouter.request import image_fields, messages
from services.integrations.providers.openrouter.response import ResponseReader, read_object
from services.integrations.providers.protocol import (
    FinalImage,
    ImageRequest,
    PartialImage,
    Progress,
    ProviderError,
    ProviderEvent,
)
from services.integrations.providers.safe_fetch import FetchError, SafeFetch, UnsafeUrlError

CONNECT_SECONDS = 5.0  # to establish a connection
READ_SECONDS = 60.0  # between two chunks of a response; the caller's deadline limits the total
_ERROR_BODY_BYTES = 64 * 1024
_ERROR_BODY_SECONDS = 2.0
_EXPECTED_BYTES = 1_500_000  # of a typical response at 1K; only shapes the progress curve
_PROGRESS_CEILING = 0.95
_PROGRESS_STEP = 0.02
# The SDK adds telemetry, and headers from variables such as OPENAI_CUSTOM_HEADERS; OpenRouter gets neither.
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
    "x-stainless-raw-response",  # read back by the SDK from the request: the caller parses the body
}


T = TypeVar("T")


class _StatusError(Exception):
    """A response with a status other than 200; raised past the SDK, which would read its body without a limit."""

    def __init__(self, status: int, headers: httpx2.Headers, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


@functools.cache
def _trusted_certificates() -> ssl.SSLContext:
    """Return the trusted certificates; cached, because loading them takes longer than the rest of a client."""
    return httpx2.create_ssl_context(trust_env=False)


class OpenRouterProvider:
    """An ImageProvider that sends one request per `generate` and never retries.

    `fetch`: for models that respond with an https URL; None: such a response is a failure. `limits`: of models that
    differ from ModelLimits' defaults. `read_seconds`: the longest pause within a response. `transport`: replaces the
    network in tests.
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
        limits: Mapping[str, ModelLimits] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._key = api_key.strip()
        self._model = model
        self._fetch = fetch
        self._limits = limits or {}
        titles = {"HTTP-Referer": app_url or "", "X-OpenRouter-Title": app_title, "X-Title": app_title}
        # Header values are ASCII: a title in other letters is omitted rather than refused.
        self._headers = {name: value for name, value in titles.items() if value and _is_header_value(value)}
        http = httpx2.AsyncClient(
            transport=transport,
            verify=_trusted_certificates(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(read_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            # Connections are not reused: one that the server has just closed would lose a paid call, and a handshake
            # takes little time compared with a generation.
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=0),
            event_hooks={"request": [self._set_headers], "response": [_raise_for_status]},
        )
        self._client = AsyncOpenAI(
            api_key="set by _set_headers",
            base_url=base_url,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.close()

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        """Return how many bytes the reference of this request may have; None: any number."""
        return max_reference_bytes(request, limits_of(request.model or self._model, self._limits))

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        """Make one call. Progress rises and stays below 1; only some models stream previews.

        Raises:
            ProviderError: the call ended without an image.
        """
        if not (self._key and _is_header_value(self._key)):
            raise ProviderError(ErrorCode.PROVIDER_MISCONFIGURED, "no usable key", request_left=False)
        secrets = Secrets(self._key, request.prompt)
        model = request.model or self._model
        reader: ResponseReader | None = None
        fraction = 0.0
        try:
            async with self._client.chat.completions.with_streaming_response.create(
                model=model,
                messages=messages(request),
                stream=True,
                extra_body=image_fields(request),
                extra_headers={**self._headers, "Accept": "text/event-stream, application/json"},
            ) as response:
                reader = ResponseReader(response.headers.get("content-type", ""))
                reader.expect(response.headers.get("content-length", ""))
                async for chunk in response.iter_bytes():
                    previews = await _parse(reader, reader.feed, chunk) if b"\n" in chunk else reader.feed(chunk)
                    estimated = _PROGRESS_CEILING * -math.expm1(-reader.data_bytes / _EXPECTED_BYTES)
                    if previews or estimated >= fraction + _PROGRESS_STEP:
                        fraction = max(fraction, estimated)
                        yield Progress(fraction)
                    for preview in previews:
                        yield PartialImage(preview, fraction)
                    if reader.done:
                        break
        except _StatusError as error_response:
            error = error_object(read_object(error_response.body))
            # `from None`, here and below: the causes' texts quote the body, and header values with the key.
            raise status_error(error_response.status, error_response.headers, error, secrets) from None
        except openai.APIConnectionError as connection_lost:
            raise connection_error(connection_lost.__cause__) from None
        except (httpx2.RequestError, OSError) as connection_lost:
            if reader is None or not reader.response.ended:  # a disconnect after the last chunk is no failure
                raise connection_error(connection_lost) from None
        parsed = await _parse(reader, reader.finish, secrets)
        data = await _parse(reader, reader.image) or await self._fetch_remote_image(reader)
        yield FinalImage(data, parsed.model or model, parsed.cost, parsed.request_id)

    async def _fetch_remote_image(self, reader: ResponseReader) -> bytes:
        parsed = reader.response
        url = reader.remote_url()
        if url is None:
            detail = "no image can be decoded" if parsed.candidates() else "no image, only text"
            raise parsed.failed(ErrorCode.GENERATION_FAILED, detail)
        if self._fetch is None:
            raise parsed.failed(ErrorCode.GENERATION_FAILED, "the image is a URL and fetching is off")
        try:
            return await self._fetch.get(url)
        except (UnsafeUrlError, FetchError) as error:
            raise parsed.failed(ErrorCode.GENERATION_FAILED, f"the image is a URL: {error}") from None

    async def _set_headers(self, request: httpx2.Request) -> None:
        for name in set(request.headers) - _SENT_HEADERS:
            del request.headers[name]
        request.headers["Authorization"] = f"Bearer {self._key}"


async def _parse(reader: ResponseReader, work: Callable[..., T], *arguments: object) -> T:
    """Run a method of the reader; in a thread for a large answer, which would stop the event loop for too long."""
    return await asyncio.to_thread(work, *arguments) if reader.is_large else work(*arguments)


async def _raise_for_status(response: httpx2.Response) -> None:
    if response.status_code == 200:
        return
    body = bytearray()
    # Without a body, the status alone is enough.
    with suppress(httpx2.RequestError, OSError, TimeoutError):
        async with asyncio.timeout(_ERROR_BODY_SECONDS):
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _ERROR_BODY_BYTES:
                    break
    raise _StatusError(response.status_code, response.headers, bytes(body[:_ERROR_BODY_BYTES]))


def _is_header_value(value: str) -> bool:
    return value.isascii() and value.isprintable()
