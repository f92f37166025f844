"""The connection to OpenRouter: requests by the openai SDK, whose retries, telemetry and parsing are off."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI

from models.enum import ErrorCode
from services.integrations.providers.http_client import CONNECT_SECONDS, trusted_certificates
from services.integrations.providers.http_error import Secrets, connection_error
from services.integrations.providers.json_body import read_object
from services.integrations.providers.openrouter.error import error_object, status_error
from services.integrations.providers.protocol import ProviderError

READ_SECONDS = 60.0  # between two chunks of a response; the caller's deadline limits the total
_SMALL_BODY_BYTES = 64 * 1024  # of an error, or of what is said about the key; more is not read
_ERROR_BODY_SECONDS = 2.0
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
    "x-stainless-raw-response",  # read back by the SDK from the request: it leaves the body to the caller
}


class _StatusError(Exception):
    """A response with a status other than 200; raised past the SDK, which would read its body without a limit."""

    def __init__(self, status: int, headers: httpx2.Headers, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


class Connection:
    """Sends requests with the account's key; each is sent once.

    `app_url`, `app_title`: shown in OpenRouter's own statistics. `transport`: replaces the network in tests.
    `read_seconds`: the longest pause within a response.
    """

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str,
        app_url: str | None,
        app_title: str = "Darkroom",
        transport: httpx2.AsyncBaseTransport | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._key = api_key.strip()
        titles = {"HTTP-Referer": app_url or "", "X-OpenRouter-Title": app_title, "X-Title": app_title}
        # Header values are ASCII: a title in other letters is omitted rather than refused.
        self._headers = {name: value for name, value in titles.items() if value and _is_header_value(value)}
        self._base_url = base_url
        self._http = http = httpx2.AsyncClient(
            transport=transport,
            verify=trusted_certificates(),
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

    def secrets(self, prompt: str) -> Secrets:
        """Return what an error text about a request with this prompt must not contain."""
        return Secrets(self._key, prompt)

    @contextlib.asynccontextmanager
    async def post(
        self, path: str, body: Mapping[str, Any], secrets: Secrets, *, accept: str = "application/json"
    ) -> AsyncIterator[httpx2.Response]:
        """Post a JSON body, and give the response with status 200, whose body is still to be read.

        `httpx2.RequestError` and `OSError` that occur while the body of the `with` reads it become ProviderErrors, too.

        Raises:
            ProviderError: no usable key, no connection, another status, or a connection that was lost.
        """
        if not self.has_key:
            raise ProviderError(ErrorCode.PROVIDER_MISCONFIGURED, "no usable key", request_left=False)
        try:
            response = await self._client.post(
                path,
                cast_to=httpx2.Response,
                body=body,
                options={"headers": {**self._headers, "Accept": accept, "X-Stainless-Raw-Response": "stream"}},
            )
            async with contextlib.aclosing(response):
                yield response
        except _StatusError as error_response:
            error = error_object(read_object(error_response.body))
            # `from None`, here and below: the causes' texts quote the body, and header values with the key.
            raise status_error(error_response.status, error_response.headers, error, secrets) from None
        except openai.APIConnectionError as connection_lost:
            raise connection_error(connection_lost.__cause__) from None
        except (httpx2.RequestError, OSError) as connection_lost:
            raise connection_error(connection_lost) from None

    @property
    def has_key(self) -> bool:
        """Whether there is a key that can be sent."""
        return bool(self._key) and _is_header_value(self._key)

    async def get(self, path: str, *, seconds: float) -> tuple[int, httpx2.Headers, bytes]:
        """Return the status, the headers and the body of a GET, of a long body only the beginning.

        Raises:
            ProviderError: no connection, or no answer within `seconds`.
        """
        try:
            async with asyncio.timeout(seconds), self._http.stream("GET", f"{self._base_url}{path}") as response:
                body = await _read_beginning(response, bytearray())
                return response.status_code, response.headers, bytes(body)
        except _StatusError as answer:
            return answer.status, answer.headers, answer.body
        except (httpx2.RequestError, OSError) as error:  # also a TimeoutError, which is an OSError
            raise connection_error(error) from None

    async def _set_headers(self, request: httpx2.Request) -> None:
        for name in set(request.headers) - _SENT_HEADERS:
            del request.headers[name]
        request.headers["Authorization"] = f"Bearer {self._key}"


async def _raise_for_status(response: httpx2.Response) -> None:
    if response.status_code == 200:
        return
    body = bytearray()
    # Without a body, the status alone is enough.
    with contextlib.suppress(httpx2.RequestError, OSError, TimeoutError):
        async with asyncio.timeout(_ERROR_BODY_SECONDS):
            await _read_beginning(response, body)
    raise _StatusError(response.status_code, response.headers, bytes(body))


async def _read_beginning(response: httpx2.Response, body: bytearray) -> bytearray:
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _SMALL_BODY_BYTES:
            del body[_SMALL_BODY_BYTES:]
            break
    return body


def _is_header_value(value: str) -> bool:
    return value.isascii() and value.isprintable()
