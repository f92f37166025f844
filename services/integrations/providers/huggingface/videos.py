"""Videos by the inference providers behind Hugging Face's router: a job is ordered, asked about, and its video fetched.

huggingface_hub's AsyncInferenceClient sends the order. It would then wait for the job in a thread, which canceling does
not stop and a crash loses; here its answer, which names the job, is taken instead.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

import httpx2
from huggingface_hub import InferenceTimeoutError

from models.enum import ErrorCode
from services.integrations.providers.http_error import Secrets, connection_error
from services.integrations.providers.huggingface.call_budget import CallBudget
from services.integrations.providers.huggingface.error import status_error
from services.integrations.providers.huggingface.inference_client import Answer, InferenceClient, Received
from services.integrations.providers.huggingface.serving import Serving, ServingProviders
from services.integrations.providers.huggingface.token import is_usable
from services.integrations.providers.huggingface.video_wire import (
    QUEUED,
    WAITING,
    is_path,
    job_of,
    job_state,
    needs_result,
    question_of,
)
from services.integrations.providers.json_body import read_object
from services.integrations.providers.protocol import ImageRequest, ProviderError
from services.integrations.providers.safe_fetch import FetchError, SafeFetch, UnsafeUrlError, UnusableAnswerError
from services.integrations.providers.video import JobDone, JobState, ReadReference, VideoJob

# Where the inference providers keep finished videos.
VIDEO_HOSTS = frozenset(
    {"v2.fal.media", "v3.fal.media", "v3b.fal.media", "fal.media", "replicate.delivery", "pbxt.replicate.delivery"}
)
_ORDER_SECONDS = 180.0  # for the answer to an order; those without a queue answer with the video
_QUESTION_SECONDS = 20.0
_MAX_FRAME_TOGETHER = 44_000  # bytes; Together takes about 60 kB of Base64
# Of a job that exists: it is asked about again, because the video is paid for, and the token may be mended.
_ASK_AGAIN = {401, 402, 403, 404, 408, 409, 425, 429}


class HuggingFaceVideos:
    """A VideoProvider. A model is named "model", for the first provider in the account's settings, or "model:provider".

    `model`: of requests that name none. `fetch`: fetches finished videos. `transport`: replaces the network in tests.
    """

    name = "huggingface"
    keeps_jobs = True

    def __init__(
        self,
        token: str,
        *,
        model: str,
        budget: CallBudget,
        fetch: SafeFetch,
        base_url: str = "https://router.huggingface.co",
        hub_url: str = "https://huggingface.co",
        transport: httpx2.AsyncBaseTransport | None = None,
        read_seconds: float = _ORDER_SECONDS,
    ) -> None:
        self._token = token.strip()
        self._model = model
        self._budget = budget
        self._fetch = fetch
        self._base_url = base_url
        self._client = InferenceClient(self._token, base_url=base_url, read_seconds=read_seconds, transport=transport)
        self._serving = ServingProviders(self._client, hub_url, (*QUEUED, *WAITING))

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.close()
        await self._budget.aclose()

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        """Return how many bytes the first frame may have; None: any number."""
        return _MAX_FRAME_TOGETHER if (request.model or self._model).endswith(":together") else None

    async def submit(self, request: ImageRequest) -> VideoJob:
        """Order one video.

        Raises:
            ProviderError: no job was accepted, or it is not known whether one was.
        """
        if not is_usable(self._token):
            raise ProviderError(ErrorCode.PROVIDER_MISCONFIGURED, "no usable token", request_left=False)
        task = "text-to-video" if request.reference is None else "image-to-video"
        try:
            serving = await self._serving.find(request.model or self._model, task)
        except (httpx2.RequestError, OSError):
            raise ProviderError(
                ErrorCode.PROVIDER_UNAVAILABLE, "the Hub does not answer", may_retry=True, request_left=False
            ) from None
        await self._budget.spend()
        answer = await self._order(serving, request)
        secrets = Secrets(self._token, request.prompt)
        if answer.status not in (200, 201, 202):
            raise status_error(answer.status, answer.headers, answer.body, secrets)
        return job_of(serving.provider, read_object(answer.body) or {})

    async def poll(self, job: VideoJob) -> JobState:
        """Ask for the state of a job.

        Raises:
            ProviderError: the job has ended without a video; with `may_retry`, its state is unknown.
        """
        url = job.url or ""
        if not is_path(url):
            return JobDone(urls=(url,))
        secrets = Secrets(self._token, "")
        answer = await self._ask(question_of(url), secrets)
        if needs_result(url, answer):
            answer = await self._ask(url, secrets)
        return job_state(answer, secrets)

    async def fetch(self, job: VideoJob, done: JobDone, request: ImageRequest, read: ReadReference) -> bytes:
        """Return the video's bytes, from a host that is allowed, and without the token.

        Raises:
            ProviderError: it cannot be fetched; with `may_retry`, not now.
        """
        failure = ProviderError(ErrorCode.GENERATION_FAILED, "the job has no address of a video")
        for url in done.urls:
            try:
                return await self._fetch.get(url, accept="video/*")
            except UnsafeUrlError as error:
                failure = ProviderError(ErrorCode.GENERATION_FAILED, f"the video: {error}")
            except FetchError as error:
                is_refused = error.status is not None and error.status < 500 and error.status not in _ASK_AGAIN
                is_gone = is_refused or isinstance(error, UnusableAnswerError)
                code = ErrorCode.GENERATION_FAILED if is_gone else ErrorCode.PROVIDER_UNAVAILABLE
                failure = ProviderError(code, f"the video: {error}", may_retry=not is_gone)
        raise failure

    async def _order(self, serving: Serving, request: ImageRequest) -> Answer:
        """Send one order, and return the whole response. Raises ProviderError."""
        client = self._client.of_provider(serving.provider)
        seed = (
            int.from_bytes(hashlib.sha256(request.generation_id.encode()).digest()[:4]) >> 1
        )  # of 31 bits, as fal asks
        try:
            if request.reference is None:
                await client.text_to_video(request.prompt, model=serving.model, seed=seed)
            else:
                await client.image_to_video(
                    request.reference.data, model=serving.model, prompt=request.prompt, seed=seed
                )
        except Received as received:
            return received.answer
        # `from None`, here and below: the causes' texts quote header values with the token.
        except InferenceTimeoutError as timeout:
            raise connection_error(timeout.__cause__) from None
        except (httpx2.RequestError, OSError) as connection_lost:
            raise connection_error(connection_lost) from None
        except ValueError as error:
            detail = f"the library refuses the order: {type(error).__name__}"
            raise ProviderError(ErrorCode.PROVIDER_MISCONFIGURED, detail, request_left=False) from None
        raise AssertionError  # every response is raised

    async def _ask(self, path: str, secrets: Secrets) -> Mapping[str, Any]:
        """Ask a question about a job, and return the object in the answer. Raises ProviderError."""
        try:
            async with asyncio.timeout(_QUESTION_SECONDS):
                answer = await self._client.get(f"{self._base_url}{path}")
        except (httpx2.RequestError, OSError, TimeoutError):
            raise ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "no answer about the job", may_retry=True) from None
        if answer.status in (200, 201, 202):
            return read_object(answer.body) or {}
        error = status_error(answer.status, answer.headers, answer.body, secrets)
        error.may_retry = answer.status in _ASK_AGAIN or answer.status >= 500  # a question costs nothing
        raise error
