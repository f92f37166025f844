"""The demo provider's videos: jobs that need no service, for use without an API key."""

import re
import time
from collections.abc import Callable
from dataclasses import replace

from models.enum import ErrorCode
from services.integrations.providers.demo.filming import make_clip
from services.integrations.providers.protocol import ImageRequest, ProviderError
from services.integrations.providers.video import JobDone, JobRunning, JobState, ReadReference, VideoJob

_MODEL = "demo-video"
_SECONDS = 3  # of a clip for which no duration was ordered
_JOB = re.compile(r"demo-([0-9]{1,16})-\S+")


class DemoVideos:
    """A VideoProvider that moves a camera over the user's photo, or over a drawn scene if there is no photo.

    A job is its id, which holds the time of its submission: the clip is drawn when it is fetched, by whichever process
    does so, and again if that one dies. `seconds` is how long one job takes.
    """

    name = "demo"
    keeps_jobs = True

    def __init__(self, seconds: float = 2.0, *, clock: Callable[[], float] = time.time) -> None:
        self._seconds = seconds
        self._clock = clock

    def max_reference_bytes(self, request: ImageRequest) -> None:
        """None: nothing is sent anywhere."""
        return

    async def submit(self, request: ImageRequest) -> VideoJob:
        """Return a new job."""
        return VideoJob(f"demo-{round(self._clock() * 1000)}-{request.generation_id}", ask_after=self._seconds)

    async def poll(self, job: VideoJob) -> JobState:
        """Return whether the job's time is over.

        Raises:
            ProviderError: GENERATION_FAILED if it is no job of this provider.
        """
        found = _JOB.fullmatch(job.id)
        if found is None:
            raise ProviderError(ErrorCode.GENERATION_FAILED, "no demo job")
        elapsed = self._clock() - int(found[1]) / 1000
        if elapsed >= self._seconds:
            return JobDone(model=_MODEL)
        return JobRunning(elapsed / self._seconds, ask_after=self._seconds - elapsed)

    async def fetch(self, job: VideoJob, done: JobDone, request: ImageRequest, read: ReadReference) -> bytes:
        """Draw the clip.

        Raises:
            ProviderError: the reference photo cannot be read, or the clip cannot be made.
        """
        return await make_clip(replace(request, reference=await read()), float(request.seconds or _SECONDS))

    async def aclose(self) -> None:
        """Do nothing: a clip that is being drawn ends with the call that fetches it."""
