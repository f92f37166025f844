"""OpenRouter's asynchronous videos: a job is submitted, asked about, and its content fetched with the key."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx2

from models.enum import ErrorCode
from services.integrations.providers.http_client import CONNECT_SECONDS, trusted_certificates
from services.integrations.providers.http_error import Secrets, connection_error
from services.integrations.providers.openrouter.error import error_object, status_error
from services.integrations.providers.openrouter.job_id import is_job_id
from services.integrations.providers.openrouter.model import ModelLimits, max_reference_bytes
from services.integrations.providers.openrouter.video_wire import VideoModel, job_state, request_body
from services.integrations.providers.protocol import ImageRequest, ProviderError
from services.integrations.providers.safe_fetch import FetchError, SafeFetch, UnsafeUrlError, UnusableAnswerError
from services.integrations.providers.video import JobDone, JobState, ReadReference, VideoJob

_ANSWER_SECONDS = 60.0  # for the answer to a submission, which includes sending the first frame
_QUESTION_SECONDS = 20.0  # for the answer to a question about a job
_MAX_ANSWER_BYTES = 256 * 1024  # of a job's description
_MAX_URL = 500  # characters of a polling URL that is kept
# Of a job that exists: it is asked about again, because the video is paid for and the key or the network may be mended.
_ASK_AGAIN = {401, 402, 403, 404, 408, 409, 425, 429}


class OpenRouterVideos:
    """A VideoProvider that makes each request once.

    `models`: what each model can do, the default first; `fetch`: fetches contents, with the API as its origin;
    `callback_url`: where OpenRouter reports the end of a job, None: nowhere. `transport` replaces the network in tests.
    """

    name = "openrouter"
    keeps_jobs = True

    def __init__(
        self,
        api_key: str,
        *,
        models: Mapping[str, VideoModel],
        fetch: SafeFetch,
        base_url: str = "https://openrouter.ai/api/v1",
        callback_url: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._key = api_key.strip()
        self._models = models
        self._fetch = fetch
        self._videos_url = f"{base_url.rstrip('/')}/videos"
        self._callback_url = callback_url
        self._http = httpx2.AsyncClient(
            transport=transport,
            verify=tls or trusted_certificates(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(_ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            # Not reused: a connection that the server has just closed would make it unclear whether a job was accepted.
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=0),
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        """Return how many bytes the reference of this request may have; None: any number."""
        model = self._models.get(self._model_of(request))
        limits = ModelLimits(model.reference_max_bytes, model.request_max_bytes) if model else ModelLimits()
        return max_reference_bytes(request, limits)

    async def submit(self, request: ImageRequest) -> VideoJob:
        """Submit one job.

        Raises:
            ProviderError: no job was accepted, or it is not known whether one was.
        """
        name = self._model_of(request)
        model = self._models.get(name)
        if not self._key.isascii() or not self._key.isprintable() or not self._key or model is None:
            raise ProviderError(ErrorCode.PROVIDER_MISCONFIGURED, "no usable key or model", request_left=False)
        body = request_body(replace(request, model=name), model, self._callback_url)
        answer = await self._call("POST", self._videos_url, request.prompt, body, accepted=(200, 201, 202))
        job_id = answer.get("id")
        if not is_job_id(job_id):
            raise ProviderError(ErrorCode.GENERATION_FAILED, "the answer names no job")
        return VideoJob(job_id, self._polling_url(job_id, answer.get("polling_url")))

    async def poll(self, job: VideoJob) -> JobState:
        """Ask for the state of a job.

        Raises:
            ProviderError: the job has ended without a video; with `may_retry`, its state is unknown.
        """
        url = job.url or self._job_url(job.id)
        try:
            async with asyncio.timeout(_QUESTION_SECONDS):
                answer = await self._call("GET", url, "", accepted=(200,))
        except TimeoutError:
            raise ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "no answer about the job", may_retry=True) from None
        return job_state(answer, Secrets(self._key, ""))

    async def fetch(self, job: VideoJob, done: JobDone, request: ImageRequest, read: ReadReference) -> bytes:
        """Return the video's bytes: from the API with the key, else from an allowed host without it.

        Raises:
            ProviderError: it cannot be fetched; with `may_retry`, not now.
        """
        try:
            return await self._fetch.get(f"{self._job_url(job.id)}/content?index=0", accept="video/*", key=self._key)
        except FetchError as error:
            failure = str(error)
            is_temporary = not isinstance(error, UnusableAnswerError) and _is_temporary(error.status)
        except UnsafeUrlError as error:
            raise _not_fetched(str(error), done, may_retry=False) from None
        for url in done.urls:
            with suppress(UnsafeUrlError, FetchError):
                return await self._fetch.get(url, accept="video/*")
        raise _not_fetched(failure, done, may_retry=is_temporary)

    def _model_of(self, request: ImageRequest) -> str:
        return request.model or next(iter(self._models), "")

    def _job_url(self, job_id: str) -> str:
        return f"{self._videos_url}/{quote(job_id, safe='')}"

    def _polling_url(self, job_id: str, named: object) -> str | None:
        """Return the polling URL that an answer names; None if it is the usual one, or not of the API's own host."""
        if not isinstance(named, str) or not named:
            return None
        try:
            url = urljoin(f"{self._videos_url}/", named)
            own, other = urlsplit(self._videos_url), urlsplit(url)
            is_own = (other.scheme, other.netloc) == (own.scheme, own.netloc)
        except ValueError:
            return None
        return url if is_own and url != self._job_url(job_id) and len(url) <= _MAX_URL and url.isascii() else None

    async def _call(
        self, method: str, url: str, prompt: str, body: Mapping[str, Any] | None = None, *, accepted: tuple[int, ...]
    ) -> dict[str, Any]:
        """Make one request, and return the JSON object of its answer. Raises ProviderError."""
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        secrets, is_question = Secrets(self._key, prompt), method == "GET"
        try:
            async with self._http.stream(method, url, json=body, headers=headers) as response:
                received = bytearray()
                async for chunk in response.aiter_bytes():
                    received += chunk
                    if len(received) > _MAX_ANSWER_BYTES:
                        raise ProviderError(ErrorCode.GENERATION_FAILED, "the answer is too large")
        except (httpx2.RequestError, OSError) as error:
            # `from None`, here and below: the causes' texts may quote header values with the key.
            raise _asked_again(connection_error(error), is_question=is_question) from None
        answer: object = None
        with suppress(ValueError, RecursionError):
            answer = json.loads(received)
        found = answer if isinstance(answer, dict) else {}
        if response.status_code not in accepted:
            refusal = status_error(response.status_code, response.headers, error_object(found), secrets)
            raise _asked_again(refusal, is_question=is_question and _is_temporary(response.status_code))
        return found


def _is_temporary(status: int | None) -> bool:
    return status is None or status in _ASK_AGAIN or status >= 500


def _asked_again(error: ProviderError, *, is_question: bool) -> ProviderError:
    """A question costs nothing, so that it can be asked again, unlike a submission whose fate is unknown."""
    error.may_retry = error.may_retry or is_question
    return error


def _not_fetched(detail: str, done: JobDone, *, may_retry: bool) -> ProviderError:
    code = ErrorCode.PROVIDER_UNAVAILABLE if may_retry else ErrorCode.GENERATION_FAILED
    return ProviderError(code, f"the video: {detail}", may_retry=may_retry, cost=done.cost)
