"""The Hugging Face provider: images by huggingface_hub's AsyncInferenceClient from models that Hugging Face serves."""

import asyncio
import hashlib
import math
import time
from collections.abc import AsyncIterator, Mapping

import httpx2
from huggingface_hub import InferenceTimeoutError

from models.enum import ErrorCode
from services.integrations.providers.http_error import Secrets, connection_error
from services.integrations.providers.huggingface.call_budget import CallBudget
from services.integrations.providers.huggingface.error import (
    loading_seconds,
    request_id,
    status_error,
    unexpected_body,
)
from services.integrations.providers.huggingface.inference_client import Answer, InferenceClient, Received
from services.integrations.providers.huggingface.size import PictureModel, size_of
from services.integrations.providers.huggingface.token import is_usable
from services.integrations.providers.protocol import (
    FinalImage,
    ImageRequest,
    KeyStatus,
    Progress,
    ProviderError,
    ProviderEvent,
)

DEFAULT_MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"
READ_SECONDS = 120.0  # between two chunks of a response, the first included; the caller's deadline limits the total
_KEY_SECONDS = 10.0  # for what the Hub says about the token
_RESERVED = 5.0  # seconds of the patience that are left for the image, once the model is loaded
_SHORTEST_PAUSE = 0.5  # seconds before a loading model is asked for again
_LONGEST_PAUSE = 10.0  # so that a model that is ready earlier than estimated is used
_TICK = 0.5  # seconds between two reports of progress
_LOADED = 0.4  # progress that a loading model approaches
_CEILING = 0.95  # progress that an image approaches
_TYPICAL_SECONDS = 5.0  # of one image; only shapes the progress curve


class HuggingFaceProvider:
    """An ImageProvider that makes each image with one call, and waits for models that Hugging Face is loading.

    A response that says so is no failed call: nothing has been computed. The model is asked for again for `patience`
    seconds, the estimated ones between two requests. `models`: what each takes, where it differs from PictureModel's
    defaults. `read_seconds`: the longest pause within a response. `transport`: replaces the network in tests.
    """

    name = "huggingface"

    def __init__(
        self,
        token: str,
        *,
        budget: CallBudget,
        base_url: str = "https://router.huggingface.co",
        hub_url: str = "https://huggingface.co",
        model: str = DEFAULT_MODEL,
        patience: float = 60.0,
        models: Mapping[str, PictureModel] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._token = token.strip()
        self._budget = budget
        self._base_url = base_url
        self._hub_url = hub_url
        self._model = model
        self._patience = patience
        self._models = models or {}
        self._client = InferenceClient(self._token, base_url=base_url, read_seconds=read_seconds, transport=transport)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.close()
        await self._budget.aclose()

    async def check_key(self) -> KeyStatus | None:
        """Ask the Hub about the token, which costs nothing. What is left of the credits is unknown.

        Raises:
            ProviderError: it could not be asked.
        """
        if not is_usable(self._token):
            return KeyStatus(is_valid=False)
        try:
            async with asyncio.timeout(_KEY_SECONDS):
                answer = await self._client.get(f"{self._hub_url}/api/whoami-v2")
        except (httpx2.RequestError, OSError) as error:  # also a TimeoutError, which is an OSError
            raise connection_error(error) from None
        if answer.status not in (200, 401, 403):
            raise status_error(answer.status, answer.headers, answer.body, Secrets(self._token, ""))
        return KeyStatus(is_valid=answer.status == 200)

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        """Return how many bytes the reference of this request may have; None: any number."""
        return self._model_of(request).reference_max_bytes

    async def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        """Make one call. Progress rises and stays below 1; there are no previews.

        Raises:
            ProviderError: the call ended without an image.
        """
        if not is_usable(self._token):
            raise ProviderError(ErrorCode.PROVIDER_MISCONFIGURED, "no usable token", request_left=False)
        await self._budget.spend()
        secrets = Secrets(self._token, request.prompt)
        started, fraction = time.monotonic(), 0.0
        while True:
            called, first = time.monotonic(), fraction
            call = asyncio.create_task(self._call(request))
            try:
                while not (await asyncio.wait((call,), timeout=_TICK))[0]:
                    seconds = time.monotonic() - called
                    fraction = first + (_CEILING - first) * -math.expm1(-seconds / _TYPICAL_SECONDS)
                    yield Progress(fraction)
            finally:
                await _stop(call)
            answer = call.result()
            loading = loading_seconds(answer.status, answer.body)
            if loading is None:
                yield _image_of(answer, request.model or self._model, secrets)
                return
            pause = min(max(loading, _SHORTEST_PAUSE), _LONGEST_PAUSE)
            if time.monotonic() - started + pause > self._patience - _RESERVED:
                raise status_error(answer.status, answer.headers, answer.body, secrets)
            async for loaded in _progress_while_loading(pause, fraction):
                fraction = loaded
                yield Progress(fraction, is_loading=True)

    def _model_of(self, request: ImageRequest) -> PictureModel:
        return self._models.get(request.model or self._model) or PictureModel()

    async def _call(self, request: ImageRequest) -> Answer:
        """Send one request, and return the whole response.

        Raises:
            ProviderError: there is none, or it is too large.
        """
        # An address: for a name, the library would first ask the Hub about the model, with a blocking call.
        model = request.model or self._model
        url = f"{self._base_url}/hf-inference/models/{model}"
        try:
            if request.reference is not None:
                await self._client.image_to_image(request.reference.data, request.prompt, model=url)
            else:
                width, height = size_of(request.aspect_ratio, self._model_of(request).side)
                await self._client.text_to_image(
                    request.prompt, model=url, width=width, height=height, seed=_seed(request.generation_id)
                )
        except Received as received:
            return received.answer
        # `from None`, here and below: the causes' texts quote header values with the token.
        except InferenceTimeoutError as timeout:
            raise connection_error(timeout.__cause__) from None
        except (httpx2.RequestError, OSError) as connection_lost:
            raise connection_error(connection_lost) from None
        raise AssertionError  # every response is raised


def _image_of(answer: Answer, model: str, secrets: Secrets) -> FinalImage:
    if answer.status != 200:
        raise status_error(answer.status, answer.headers, answer.body, secrets)
    if not answer.content_type.startswith("image/"):
        raise unexpected_body(answer.content_type, answer.body, answer.headers, secrets)
    return FinalImage(answer.body, model, cost=None, request_id=request_id(answer.headers))


async def _progress_while_loading(pause: float, fraction: float) -> AsyncIterator[float]:
    """Sleep for `pause` seconds, and yield the progress meanwhile, which approaches _LOADED from `fraction`."""
    ends = time.monotonic() + pause
    while (left := ends - time.monotonic()) > 0:
        await asyncio.sleep(min(left, _TICK))
        fraction += max(_LOADED - fraction, 0.0) * 0.05
        yield fraction


async def _stop(call: asyncio.Task[Answer]) -> None:
    """Cancel a call that has not ended, and wait for its end."""
    if not call.done():
        call.cancel()
        await asyncio.wait((call,))


def _seed(generation_id: str) -> int:
    """Return the random seed of a generation: the same prompt makes another image for another generation."""
    return int.from_bytes(hashlib.sha256(generation_id.encode()).digest()[:4])
