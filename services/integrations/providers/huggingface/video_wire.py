"""The wire formats of the inference providers' videos: the job in the answer to an order, and the state of a job.

Source: huggingface_hub's `inference/_providers`, which waits for each job with blocking calls in a thread.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from huggingface_hub.inference._providers import PROVIDER_T

from models.enum import ErrorCode
from services.integrations.providers.http_error import Secrets
from services.integrations.providers.huggingface.error import REJECTED
from services.integrations.providers.protocol import ProviderError
from services.integrations.providers.video import JobDone, JobRunning, JobState, VideoJob

# Those that answer at once with a job, and those that answer with the finished video.
QUEUED: tuple[PROVIDER_T, ...] = ("fal-ai", "wavespeed", "together")
WAITING: tuple[PROVIDER_T, ...] = ("novita", "replicate")
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,12}")
_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_QUERY = "?_subdomain=queue"  # selects fal's queue at the router
_MAX_URL = 500  # characters of an address that is kept
_RUNNING = {"IN_QUEUE", "IN_PROGRESS", "created", "queued", "processing", "in_progress", "pending"}


def job_of(provider: str, answer: Mapping[str, Any]) -> VideoJob:
    """Return the job that an inference provider accepted.

    Its `url` is the path below the router where its state is, or the address of the finished video.

    Raises:
        ProviderError: the answer names no job, and no video.
    """
    match provider:
        case "fal-ai":
            job_id, path = answer.get("request_id"), _path_of(answer.get("response_url"))
            url = f"/fal-ai{path}{_QUERY}" if path else None
        case "wavespeed":
            data = _object(answer.get("data"))
            job_id, path = data.get("id"), _path_of(_object(data.get("urls")).get("get"))
            url = f"/wavespeed{path}" if path else None
        case "together":
            job_id = answer.get("id")
            url = f"/together/v2/videos/{job_id}"
        case "novita":
            url = _video_address(_object(answer.get("video")).get("video_url"))
            job_id = answer.get("task_id") or "finished"
        case _:
            output = answer.get("output")
            url = _video_address(output[0] if isinstance(output, list) and output else output)
            job_id = answer.get("id")
    if not isinstance(job_id, str) or not _ID.fullmatch(job_id) or url is None or len(url) > _MAX_URL:
        raise ProviderError(ErrorCode.GENERATION_FAILED, f"{provider} names neither a job nor a video")
    return VideoJob(job_id, url)


def is_path(url: str) -> bool:
    """Return whether the `url` of a job is a path below the router; otherwise it is the address of the video."""
    return url.startswith("/")


def question_of(path: str) -> str:
    """Return the path of the question about a job: fal's queue answers the job's own path only after its end."""
    return path.replace(_QUERY, f"/status{_QUERY}") if path.endswith(_QUERY) else path


def needs_result(path: str, answer: Mapping[str, Any]) -> bool:
    """Return whether the job has ended, and its own path has the result."""
    return path.endswith(_QUERY) and answer.get("status") == "COMPLETED"


def job_state(answer: Mapping[str, Any], secrets: Secrets) -> JobState:
    """Return the state of a job by the answer to a question about it.

    Raises:
        ProviderError: it has ended without a video; with `may_retry`, the answer says nothing about it.
    """
    found = _object(answer.get("data")) or answer  # wavespeed's envelope
    status = found.get("status")
    urls = [_video_address(_object(found.get("video")).get("url"))]  # fal
    urls.append(_video_address(_object(found.get("outputs")).get("video_url")))  # together
    urls += map(_video_address, found["outputs"]) if isinstance(found.get("outputs"), list) else []  # wavespeed
    videos = tuple(url for url in urls if url is not None)
    if videos and status not in _RUNNING:
        return JobDone(urls=videos)
    if status in _RUNNING:
        return JobRunning()
    error = found.get("error")
    text = str(_object(error).get("message") or error or found.get("detail") or "")
    if status in ("failed", "FAILED", "cancelled", "ERROR") or text:
        code = ErrorCode.CONTENT_REJECTED if REJECTED.search(text[:4000]) else ErrorCode.GENERATION_FAILED
        raise ProviderError(code, f"the job failed: {secrets.clean(text)}")
    if status in ("completed", "COMPLETED"):
        raise ProviderError(ErrorCode.GENERATION_FAILED, "the job has ended without a video")
    raise ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "the answer has no known status", may_retry=True)


def _path_of(url: object) -> str | None:
    """Return the path of an address, which is asked for at the router; None if it is not a plain one."""
    try:
        path = urlsplit(url).path if isinstance(url, str) else ""
    except ValueError:
        return None
    return path if _PATH.fullmatch(path) else None


def _video_address(url: object) -> str | None:
    """Return an absolute address; whether it is allowed is decided where it is fetched."""
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) and url.isascii() else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
