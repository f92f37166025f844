"""How often is too often: guesses of passwords and links, new accounts, mails, pictures."""

import hashlib
from dataclasses import dataclass

import structlog

from services.core.error import RateLimitedError
from services.integrations.rate_limiter import RateLimiter

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Limit:
    """At most `times` of something within `seconds`."""

    name: str
    times: int
    seconds: int


# A person mistypes a few times; an office behind one address has many persons.
ACCOUNT_FAILURES = Limit("sign-in-account", 10, 15 * 60)  # failed sign-ins for one account's address
CLIENT_FAILURES = Limit("sign-in-client", 100, 15 * 60)  # failed sign-ins from one place
LINKS = Limit("link", 60, 15 * 60)  # mailed links that one place tries
SIGN_UPS = Limit("sign-up", 20, 3600)  # accounts that one place asks for
RESETS = Limit("password-reset", 20, 3600)  # mails that one place lets us send to others
CHECKOUTS = Limit("checkout", 30, 3600)  # visits of one account to the till


class RateLimits:
    """Says no to who asks too often. `client` is where a request comes from; no limiter: nothing is limited.

    `generations_per_minute`: pictures that one account may order; None or 0: any number.
    """

    def __init__(self, limiter: RateLimiter | None, generations_per_minute: int | None) -> None:
        self._limiter = limiter
        self._generations = Limit("generations", generations_per_minute, 60) if generations_per_minute else None

    async def check_sign_in(self, email: str, client: str) -> None:
        """Raises RateLimitedError after too many failures, whether there is such an account or not."""
        await self._look(ACCOUNT_FAILURES, email)
        await self._look(CLIENT_FAILURES, client)

    async def hit_sign_in_failure(self, email: str, client: str) -> None:
        """Count a failure. Raises RateLimitedError where others, at the same time, were enough already."""
        await self._hit(ACCOUNT_FAILURES, email)
        await self._hit(CLIENT_FAILURES, client)

    async def confirm_sign_in(self, email: str) -> None:
        """Whoever knows the password did not guess: forget the account's failures.

        Raises:
            RateLimitedError: as many failures as are allowed came while this password was being checked.
        """
        await self._look(ACCOUNT_FAILURES, email)
        await self.reset_sign_in_failures(email)

    async def reset_sign_in_failures(self, email: str) -> None:
        """Forget an account's failures: it was proved otherwise whose it is."""
        if self._limiter is not None:
            await self._limiter.reset(_key(ACCOUNT_FAILURES, email), ACCOUNT_FAILURES.times, ACCOUNT_FAILURES.seconds)

    async def hit_sign_up(self, client: str) -> None:
        """Count an attempt to make an account. Raises RateLimitedError."""
        await self._hit(SIGN_UPS, client)

    async def hit_email_link(self, client: str) -> None:
        """Count a try of a mailed link. Raises RateLimitedError."""
        await self._hit(LINKS, client)

    async def hit_password_reset(self, client: str) -> None:
        """Count a mail that somebody wants sent to an account. Raises RateLimitedError."""
        await self._hit(RESETS, client)

    async def hit_checkout(self, user_id: str) -> None:
        """Count a visit to the till. Raises RateLimitedError."""
        await self._hit(CHECKOUTS, user_id)

    async def hit_generations(self, user_id: str, count: int) -> None:
        """Count pictures that an account orders; more than a minute's at once take a whole minute.

        Raises:
            RateLimitedError: nothing is counted.
        """
        if self._generations is not None:
            await self._hit(self._generations, user_id, count)

    async def _hit(self, limit: Limit, subject: str, cost: int = 1) -> None:
        if self._limiter is not None:
            wait = await self._limiter.hit(_key(limit, subject), limit.times, limit.seconds, cost)
            _refuse(limit, wait)

    async def _look(self, limit: Limit, subject: str) -> None:
        if self._limiter is not None:
            _refuse(limit, await self._limiter.peek(_key(limit, subject), limit.times, limit.seconds))


def _refuse(limit: Limit, wait: float | None) -> None:
    if wait is not None:
        log.info("rate_limit.refused", limit=limit.name, retry_after=wait)
        raise RateLimitedError(wait)


def _key(limit: Limit, subject: str) -> str:
    # Hashed, so that any text is a key of bounded length and no address of a person lies about in Redis.
    return f"{limit.name}:{hashlib.sha256(subject.encode(errors='surrogatepass')).hexdigest()}"
