"""The interface of video providers: a video is a job, which is submitted once and asked about until it has ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from services.integrations.providers.protocol import ImageRequest, ReferencePhoto

ReadReference = Callable[[], Awaitable[ReferencePhoto | None]]


@dataclass(frozen=True)
class VideoJob:
    """A job as the provider named it when it accepted the request; both texts are stored in the generation's row."""

    id: str  # at most 200 characters
    url: str | None = None  # where its state is, if the provider named an address; at most 500 characters
    ask_after: float | None = None  # seconds until the first question about it is worth while; None: not known


@dataclass(frozen=True)
class JobRunning:
    """The job has not ended."""

    fraction: float | None = None  # from 0 to 1; None: the provider reports none
    ask_after: float | None = None  # seconds until the next question is worth while; None: not known


@dataclass(frozen=True)
class JobDone:
    """The job has ended with a video, which can be fetched."""

    cost: float | None = None  # US dollars as the provider reported
    request_id: str | None = None
    model: str | None = None  # None: as requested
    urls: tuple[str, ...] = ()  # other addresses of the video; untrusted


JobState = JobRunning | JobDone


class VideoProvider(Protocol):
    """Makes videos. Every request is an ImageRequest whose reference, if any, is the first frame.

    `keeps_jobs`: whether a job outlives the process that submitted it, so that any process can ask about it and fetch
    the video. If not, the process that submitted it waits for it, and the job ends with that process.
    """

    name: str
    keeps_jobs: bool

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        """Return how many bytes the reference of this request may have; None: any number."""
        ...

    async def submit(self, request: ImageRequest) -> VideoJob:
        """Submit one job; the implementation never repeats the request.

        Raises:
            ProviderError: no job was accepted. With `may_retry`, the request may be made again.
        """
        ...

    async def poll(self, job: VideoJob) -> JobState:
        """Ask for the state of a job.

        Raises:
            ProviderError: the job has ended without a video; with `may_retry`, its state is unknown: ask again later.
        """
        ...

    async def fetch(self, job: VideoJob, done: JobDone, request: ImageRequest, read: ReadReference) -> bytes:
        """Return the video's bytes, which are untrusted. `request`: without its reference, which `read` returns.

        Raises:
            ProviderError: it cannot be fetched; with `may_retry`, not now.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
