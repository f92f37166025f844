"""The number of calls in an hour that a deployment allows itself, because the free tier of Hugging Face allows few."""

from models.enum import ErrorCode
from services.integrations.providers.protocol import ProviderError
from services.integrations.rate_limiter import RateLimiter

_KEY = "huggingface-calls"
_HOUR = 3600  # seconds


class CallBudget:
    """Counts calls in windows of an hour, which start with the first call: in Redis for all processes, if it is set.

    `per_hour`: 0 allows any number. Without Redis, and while it is away, each process counts for itself.
    """

    def __init__(self, per_hour: int, redis_url: str | None) -> None:
        self._per_hour = per_hour
        self._limiter = RateLimiter(redis_url) if per_hour else None

    async def spend(self) -> None:
        """Count one call.

        Raises:
            ProviderError: RATE_LIMITED with the seconds until the next window; the call must not be made.
        """
        wait = None if self._limiter is None else await self._limiter.hit(_KEY, self._per_hour, _HOUR)
        if wait is not None:
            raise ProviderError(
                ErrorCode.RATE_LIMITED,
                f"the {self._per_hour} calls of this hour are used up",
                may_retry=True,
                retry_after=wait,
                request_left=False,
            )

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        if self._limiter is not None:
            await self._limiter.aclose()
