"""The wire format of OpenRouter's videos: the request, and the state of a job.

Source: OpenRouter's video generation guide and its OpenAPI document (VideoGenerationRequest, VideoGenerationResponse).
"""

import base64
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.enum import ErrorCode, Quality
from services.integrations.providers.http_error import Secrets
from services.integrations.providers.openrouter.error import embedded_error, error_object
from services.integrations.providers.openrouter.job_id import is_job_id
from services.integrations.providers.protocol import ImageRequest, ProviderError
from services.integrations.providers.video import JobDone, JobRunning, JobState

_RATIO = re.compile(r"([1-9][0-9]{0,5}):([1-9][0-9]{0,5})")
_RUNNING = {"pending", "queued", "in_progress", "processing"}
_MAX_URLS = 4


@dataclass(frozen=True)
class VideoModel:
    """What a video model can do."""

    qualities: tuple[Quality, ...]  # that it can make
    resolutions: tuple[str, ...]  # the n-th is that of the n-th quality; empty: the model's own
    durations: tuple[int, ...]  # seconds; the first by default
    aspect_ratios: tuple[str, ...]  # empty: any
    reference_max_bytes: int | None = 7_000_000  # of the first frame
    request_max_bytes: int | None = 20_000_000  # with it, as Base64


def request_body(request: ImageRequest, model: VideoModel, callback_url: str | None) -> dict[str, Any]:
    """Return the body of a submission, with the reference as the first frame and a data URL, never as a link."""
    body: dict[str, Any] = {"model": request.model, "prompt": request.prompt}
    if model.durations:
        body["duration"] = request.seconds if request.seconds in model.durations else model.durations[0]
    if model.resolutions:
        number = model.qualities.index(request.quality) if request.quality in model.qualities else 0
        body["resolution"] = model.resolutions[min(number, len(model.resolutions) - 1)]
    if (ratio := _aspect_ratio(request, model.aspect_ratios)) is not None:
        body["aspect_ratio"] = ratio
    if request.reference is not None:
        data = base64.b64encode(request.reference.data).decode("ascii")
        url = f"data:{request.reference.content_type};base64,{data}"
        body["frame_images"] = [{"type": "image_url", "image_url": {"url": url}, "frame_type": "first_frame"}]
    if callback_url is not None:
        body["callback_url"] = callback_url
    return body


def _aspect_ratio(request: ImageRequest, offered: Sequence[str]) -> str | None:
    """Return the offered ratio nearest to the ordered one, else to the first frame's; None: the model's own."""
    wanted = _ratio(request.aspect_ratio)
    if wanted is None and request.reference is not None:
        wanted = _ratio(f"{request.reference.width}:{request.reference.height}")
    known = {name: ratio for name in offered if (ratio := _ratio(name)) is not None}
    if wanted is None:
        return None
    return min(known, key=lambda name: abs(math.log(known[name] / wanted))) if known else request.aspect_ratio


def _ratio(text: str | None) -> float | None:
    found = _RATIO.fullmatch(text or "")
    return int(found[1]) / int(found[2]) if found else None


def job_state(answer: Mapping[str, Any], secrets: Secrets) -> JobState:
    """Return the state of a job.

    Raises:
        ProviderError: it has ended without a video; with `may_retry`, the answer says nothing about it.
    """
    status = answer.get("status")
    usage = answer.get("usage")
    cost = _cost(usage.get("cost")) if isinstance(usage, dict) else None
    generation_id = answer.get("generation_id")
    request_id = generation_id if is_job_id(generation_id) else None
    match status:
        case "completed":
            urls = answer.get("unsigned_urls")
            found = [url for url in urls if isinstance(url, str)] if isinstance(urls, list) else []
            return JobDone(cost, request_id, _model(answer.get("model")), tuple(found[:_MAX_URLS]))
        case "failed":
            error = error_object(answer) or {}
            failure = embedded_error(error, secrets, cost=cost, request_id=request_id)
            if failure.code is ErrorCode.PROVIDER_UNAVAILABLE and not error.keys() & {"code", "metadata"}:
                failure.code = ErrorCode.GENERATION_FAILED  # a text alone says nothing about the provider
            raise failure
        case "cancelled":
            raise ProviderError(
                ErrorCode.PROVIDER_UNAVAILABLE, "the job was cancelled", cost=cost, request_id=request_id
            )
        case "expired":
            raise ProviderError(ErrorCode.GENERATION_TIMEOUT, "the job expired", cost=cost, request_id=request_id)
        case str() if status in _RUNNING:
            return JobRunning()
    raise ProviderError(ErrorCode.GENERATION_FAILED, "the answer has no known status", may_retry=True)


def _cost(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e6 else None  # type: ignore[operator,arg-type]  # a number


def _model(value: object) -> str | None:
    return value if is_job_id(value) else None
