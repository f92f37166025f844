"""The OpenRouter provider: images by chat completions or by `/images`, as the model has it."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

import httpx2

from models.enum import ErrorCode
from services.integrations.providers.openrouter import chat_request, images_request
from services.integrations.providers.openrouter.connection import READ_SECONDS, Connection
from services.integrations.providers.openrouter.key import ask_about_key
from services.integrations.providers.openrouter.model import ModelCapabilities, capabilities_of, max_reference_bytes
from services.integrations.providers.openrouter.response import ResponseReader
from services.integrations.providers.protocol import (
    FinalImage,
    ImageRequest,
    KeyStatus,
    PartialImage,
    Progress,
    ProviderEvent,
)
from services.integrations.providers.safe_fetch import FetchError, SafeFetch, UnsafeUrlError

_ACCEPT = "text/event-stream, application/json"
_EXPECTED_BYTES = 1_500_000  # of a typical response at 1K; only shapes the progress curve
_PROGRESS_CEILING = 0.95
_PROGRESS_STEP = 0.02
# The path and the body of a request, by ModelCapabilities.api.
_REQUESTS: Mapping[str, tuple[str, Callable[[str, ImageRequest, ModelCapabilities], dict[str, Any]]]] = {
    "chat": (chat_request.PATH, chat_request.body),
    "images": (images_request.PATH, images_request.body),
}

T = TypeVar("T")


class OpenRouterProvider:
    """An ImageProvider that sends one request per `generate` and never retries.

    `fetch`: for models that respond with an https URL; None: such a response is a failure. `models`: what the
    known models can do. `transport` and `read_seconds`: as in Connection.
    """

    name = "openrouter"

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = "https://openrouter.ai/api/v1",
        model: str = "google/gemini-3.1-flash-image",
        app_url: str | None,
        app_title: str = "Darkroom",
        fetch: SafeFetch | None = None,
        models: Mapping[str, ModelCapabilities] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._model = model
        self._fetch = fetch
        self._models = models or {}
        self._connection = Connection(
            api_key,
            base_url=base_url,
            app_url=app_url,
            app_title=app_title,
            transport=transport,
            read_seconds=read_seconds,
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._connection.aclose()

    async def check_key(self) -> KeyStatus | None:
        """Ask OpenRouter about the key, which costs nothing.

        Raises:
            ProviderError: it could not be asked.
        """
        return await ask_about_key(self._connection)

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        """Return how many bytes the reference of this request may have; None: any number."""
        return max_reference_bytes(request, self._capabilities(request).limits)

    def _capabilities(self, request: ImageRequest) -> ModelCapabilities:
        return capabilities_of(request.model or self._model, self._models)

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        """Make one call. Progress rises and stays below 1; only some models stream previews.

        Raises:
            ProviderError: the call ended without an image.
        """
        model = request.model or self._model
        capabilities = self._capabilities(request)
        path, body_of = _REQUESTS[capabilities.api]
        secrets = self._connection.secrets(request.prompt)
        fraction = 0.0
        body = body_of(model, request, capabilities)
        async with self._connection.post(path, body, secrets, accept=_ACCEPT) as response:
            reader = ResponseReader(response.headers)
            try:
                async for chunk in response.aiter_bytes():
                    previews = await _parse(reader, reader.feed, chunk) if b"\n" in chunk else reader.feed(chunk)
                    estimated = _PROGRESS_CEILING * -math.expm1(-reader.data_bytes / _EXPECTED_BYTES)
                    if previews or estimated >= fraction + _PROGRESS_STEP:
                        fraction = max(fraction, estimated)
                        yield Progress(fraction)
                    for preview in previews:
                        yield PartialImage(preview, fraction)
                    if reader.done:
                        break
            except (httpx2.RequestError, OSError):
                if not reader.response.ended:  # a disconnect after the last chunk is no failure
                    raise
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


async def _parse(reader: ResponseReader, work: Callable[..., T], *arguments: object) -> T:
    """Run a method of the reader; in a thread for a large answer, which would stop the event loop for too long."""
    return await asyncio.to_thread(work, *arguments) if reader.is_large else work(*arguments)
