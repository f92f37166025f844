"""Callbacks of providers at the end of a video's job: they wake a worker up, which asks the provider itself."""

import structlog

from services.events.payload import JOBS_CHANNEL
from services.generations.videos.due_jobs import make_due
from services.integrations.messaging.bus import Bus
from services.integrations.providers.openrouter.video_callback import OpenRouterCallbacks

log = structlog.get_logger(__name__)


class VideoCallbackService:
    """Receives callbacks. Lost, repeated, late or forged for a known job, one changes only when it is asked about."""

    def __init__(self, callbacks: OpenRouterCallbacks, bus: Bus) -> None:
        self._callbacks = callbacks
        self._bus = bus

    async def receive(self, signature: str, body: bytes) -> bool:
        """Make the job that has ended due now; return False if no such job waits.

        Raises:
            InvalidSignatureError, InvalidCallbackError: nothing was done.
        """
        job_id = self._callbacks.job_of(signature, body)
        if job_id is None or not await make_due(self._callbacks.provider, job_id):
            return False
        log.info("video.callback", job=job_id)
        await self._bus.post(JOBS_CHANNEL, {"job": job_id})
        return True
