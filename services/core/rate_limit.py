"""Rate limits: password and link guesses, new accounts, mails, checkouts, generations and refused pictures."""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

import structlog

from services.core.error import RateLimitedError
from services.integrations.rate_limiter import RateLimiter, Usage

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Limit:
    """At most `times` of something within `seconds`.

    `is_shown`: answers say how much of it is left. Not where it also counts what others do: a client that tries one
    password of an account must not learn how many others were tried.
    """

    name: str
    times: int
    seconds: int
    is_shown: bool = False


@dataclass(slots=True)
class LimitUsage:
    """The limits that one request has used, and the longest time to wait of its refusals, in seconds."""

    limits: dict[str, tuple[Limit, Usage]] = field(default_factory=dict)
    retry_after: float | None = None

    def __bool__(self) -> bool:
        return bool(self.limits) or self.retry_after is not None


# Set by a transport whose responses have headers, for the task of the request.
limit_usage: ContextVar[LimitUsage | None] = ContextVar("limit_usage", default=None)


def note_usage(limit: Limit, usage: Usage) -> None:
    """Let the response say how much of the limit is left."""
    if (found := limit_usage.get()) is not None:
        found.limits[limit.name] = (limit, usage)


def note_retry(seconds: float) -> None:
    """Let the response say when to try again."""
    if (found := limit_usage.get()) is not None:
        found.retry_after = max(found.retry_after or 0.0, seconds)


# A user mistypes a few times; an office behind one address has many users.
ACCOUNT_FAILURES = Limit(
    "sign-in-account", 10, 15 * 60
)  # wrong passwords for one email address, wherever they are sent
DEVICE_FAILURES = Limit("sign-in-device", 10, 15 * 60)  # wrong passwords from one known device for its account
CLIENT_FAILURES = Limit("sign-in-client", 100, 15 * 60)  # wrong passwords from one client
# A correct password costs a hash, too, and a sign-in a row; a program needs one sign-in a month.
ACCOUNT_SUCCESSES = Limit("signed-in-account", 60, 15 * 60)  # correct passwords for one email address
CLIENT_SUCCESSES = Limit("signed-in-client", 600, 15 * 60)  # correct passwords from one client
# Six digits, of which three at a time are right: 50 guesses a day find one in 18 years on average.
FACTOR_CODES = Limit("factor-code", 5, 15 * 60)  # codes of the second factor of one account, since the last right one
FACTOR_CODES_DAILY = Limit("factor-code-day", 50, 24 * 3600)
LINKS = Limit("link", 60, 15 * 60)  # mailed links tried by one client
SIGN_UPS = Limit("sign-up", 20, 3600)  # sign-ups from one client
GUESTS = Limit("guest", 20, 3600)  # guest accounts from one client
GUEST_BONUSES = Limit("guest-bonus", 3, 24 * 3600)  # of these, those with a bonus
MERGES = Limit("merge", 20, 3600)  # guests that one account merges, or tries to
VERIFICATIONS_TO = Limit("verification-to", 6, 3600)  # mails that verify an address of one mailbox, in any spelling
RESETS = Limit("password-reset", 20, 3600)  # reset mails requested by one client
SIGN_IN_LINKS = Limit("sign-in-link", 20, 3600)  # mailed links to sign in by that one client requests
SIGN_IN_LINKS_TO = Limit("sign-in-link-to", 6, 3600)  # the same to one mailbox, in any spelling of its address
EMAIL_CHANGES = Limit("email-change", 20, 3600)  # changes of an address requested by one client
EMAIL_CHANGES_TO = Limit("email-change-to", 5, 3600)  # changes to one mailbox, which gets a mail for each
CHECKOUTS = Limit("checkout", 30, 3600, is_shown=True)  # checkouts of one account
REJECTED_TEXTS = Limit("rejected-texts", 20, 15 * 60)  # texts of one account that went against the content rules
STYLE_TEXTS = Limit("style-texts", 60, 3600, is_shown=True)  # custom styles of one account, new or checked
WEBHOOKS = Limit("webhooks", 60, 3600, is_shown=True)  # test events and replays that one account requests
ARCHIVES = Limit("archives", 30, 3600, is_shown=True)  # downloads of several pictures that one account requests

DOCUMENTS = Limit("documents", 500, 15 * 60)  # that one client registers by their hash; an app has some hundred

ACCOUNT_IN_FLIGHT = 16  # passwords of one account that one process checks at once, those that wait included
CLIENT_IN_FLIGHT = 32  # passwords of one client that one process checks or hashes at once
_IN_FLIGHT_RETRY = 1.0  # seconds; that many passwords take less
PICTURES_IN_FLIGHT = 4  # pictures of one account in one process: one is decoded, the others wait for it
_PICTURE_RETRY = 5.0  # seconds; that many ordinary pictures take less
REFUSED_PICTURES_SECONDS = 15 * 60


class RateLimits:
    """Refuses requests that exceed a limit. `client`: the network address of a request; no limiter: no limits.

    `generations_per_minute`: generations of one account; 0: unlimited. `refused_pictures`: those of one account
    in 15 minutes; 0: unlimited.
    """

    def __init__(self, limiter: RateLimiter | None, generations_per_minute: int, refused_pictures: int) -> None:
        self._limiter = limiter
        self._in_flight: Counter[tuple[str, str]] = Counter()
        self._generations = (
            Limit("generations", generations_per_minute, 60, is_shown=True) if generations_per_minute else None
        )
        self._refused_pictures = (
            Limit("refused-pictures", refused_pictures, REFUSED_PICTURES_SECONDS) if refused_pictures else None
        )

    @contextlib.contextmanager
    def hashing(self, client: str, email: str | None = None) -> Iterator[None]:
        """Count a password that is being checked or hashed, for its client and, if given, for its account.

        Raises:
            RateLimitedError: as many are in flight already.
        """
        subjects = [("password-in-flight-client", client, CLIENT_IN_FLIGHT)]
        if email is not None:
            subjects.append(("password-in-flight-account", email, ACCOUNT_IN_FLIGHT))
        with self._counted(subjects, _IN_FLIGHT_RETRY):
            yield

    @contextlib.contextmanager
    def decoding(self, user_id: str) -> Iterator[None]:
        """Count a picture of an account that is being decoded, or waits for that.

        Raises:
            RateLimitedError: as many are in flight already.
        """
        with self._counted([("pictures-in-flight", user_id, PICTURES_IN_FLIGHT)], _PICTURE_RETRY):
            yield

    @contextlib.contextmanager
    def _counted(self, subjects: list[tuple[str, str, int]], retry_after: float) -> Iterator[None]:
        """Count one more in flight for each (limit, subject, maximum). Raises RateLimitedError."""
        if self._limiter is None:
            yield
            return
        for limit, subject, most in subjects:
            if self._in_flight[limit, subject] >= most:
                log.info("rate_limit.refused", limit=limit, retry_after=retry_after)
                raise RateLimitedError(retry_after)
        for limit, subject, _ in subjects:
            self._in_flight[limit, subject] += 1
        try:
            yield
        finally:
            for limit, subject, _ in subjects:
                self._in_flight[limit, subject] -= 1
                if not self._in_flight[limit, subject]:
                    del self._in_flight[limit, subject]

    async def check_password(self, email: str, client: str, device: str | None = None) -> None:
        """Raises RateLimitedError after too many wrong or correct passwords, whether the account exists or not.

        `device`: the account's known device that sends it, if any: then only wrong passwords of this device count.
        """
        if device is not None:
            await self._check(DEVICE_FAILURES, device)
        else:
            await self._check(ACCOUNT_FAILURES, email)
            await self._check(CLIENT_FAILURES, client)
        await self._check(ACCOUNT_SUCCESSES, email)
        await self._check(CLIENT_SUCCESSES, client)

    async def hit_wrong_password(self, email: str, client: str, device: str | None = None) -> None:
        """Count a wrong password. Raises RateLimitedError if concurrent ones have reached the limit already."""
        if device is not None:
            await self._hit(DEVICE_FAILURES, device)
            return
        await self._hit(ACCOUNT_FAILURES, email)
        await self._hit(CLIENT_FAILURES, client)

    async def hit_correct_password(self, email: str, client: str, device: str | None = None) -> None:
        """Accept a correct password: check the limits again, count it, and reset the failures.

        A known device resets its own failures only: otherwise each of its sign-ins would allow others new guesses.

        Raises:
            RateLimitedError: a limit was reached while this password was being verified.
        """
        failures, subject = (ACCOUNT_FAILURES, email) if device is None else (DEVICE_FAILURES, device)
        await self._check(failures, subject)
        await self._hit(ACCOUNT_SUCCESSES, email)
        await self._hit(CLIENT_SUCCESSES, client)
        await self._reset(failures, subject)

    async def reset_sign_in_failures(self, email: str) -> None:
        """Reset an account's wrong passwords: its owner has proved the identity otherwise."""
        await self._reset(ACCOUNT_FAILURES, email)

    async def hit_factor_code(self, user_id: str) -> None:
        """Count a code of an account's second factor before it is checked. Raises RateLimitedError."""
        await self._hit(FACTOR_CODES, user_id)
        await self._hit(FACTOR_CODES_DAILY, user_id)

    async def reset_factor_codes(self, user_id: str) -> None:
        """Forget the codes of an account, of which the last was right."""
        await self._reset(FACTOR_CODES, user_id)
        await self._reset(FACTOR_CODES_DAILY, user_id)

    async def hit_sign_up(self, client: str) -> None:
        """Count an attempt to create an account. Raises RateLimitedError."""
        await self._hit(SIGN_UPS, client)

    async def hit_guest(self, client: str) -> None:
        """Count a guest account. Raises RateLimitedError."""
        await self._hit(GUESTS, client)

    async def hit_guest_bonus(self, client: str) -> None:
        """Count the bonus of a guest account. Raises RateLimitedError."""
        await self._hit(GUEST_BONUSES, client)

    async def hit_merge(self, user_id: str) -> None:
        """Count a guest that an account merges. Raises RateLimitedError."""
        await self._hit(MERGES, user_id)

    async def hit_email_link(self, client: str) -> None:
        """Count an attempt to use a mailed link. Raises RateLimitedError."""
        await self._hit(LINKS, client)

    async def hit_password_reset(self, client: str) -> None:
        """Count a request for a password reset mail. Raises RateLimitedError."""
        await self._hit(RESETS, client)

    async def hit_sign_in_link(self, client: str, mailbox: str) -> None:
        """Count a request for a link to sign in by, which is mailed to `mailbox`. Raises RateLimitedError."""
        await self._hit(SIGN_IN_LINKS, client)
        await self._hit(SIGN_IN_LINKS_TO, mailbox)

    async def hit_verification(self, mailbox: str) -> None:
        """Count a mail that verifies an address of `mailbox`. Raises RateLimitedError."""
        await self._hit(VERIFICATIONS_TO, mailbox)

    async def hit_email_change(self, client: str, mailbox: str) -> None:
        """Count a request to change an account's address to that of `mailbox`. Raises RateLimitedError."""
        await self._hit(EMAIL_CHANGES, client)
        await self._hit(EMAIL_CHANGES_TO, mailbox)

    async def hit_checkout(self, user_id: str) -> None:
        """Count a checkout. Raises RateLimitedError."""
        await self._hit(CHECKOUTS, user_id)

    async def hit_generations(self, user_id: str, count: int) -> None:
        """Count generations of an account; a batch larger than the limit of a minute uses all of a minute.

        Raises:
            RateLimitedError: nothing is counted.
        """
        if self._generations is not None:
            await self._hit(self._generations, user_id, count)

    async def check_generations(self, user_id: str, count: int) -> None:
        """As `hit_generations`, without counting: before what may still refuse the request."""
        limit = self._generations
        if limit is None or self._limiter is None:
            return
        if await self._limiter.peek(_key(limit, user_id), limit.times, limit.seconds, count) is not None:
            await self._hit(limit, user_id, count)  # refuses, and shows what is left

    async def check_refused_pictures(self, user_id: str) -> None:
        """Raises RateLimitedError after too many refused pictures of the account."""
        if self._refused_pictures is not None:
            await self._check(self._refused_pictures, user_id)

    async def hit_refused_picture(self, user_id: str) -> None:
        """Count a picture that was refused."""
        if self._refused_pictures is not None:
            with contextlib.suppress(RateLimitedError):  # concurrent ones have reached the limit already
                await self._hit(self._refused_pictures, user_id)

    async def check_rejected_texts(self, user_id: str) -> None:
        """Raises RateLimitedError after too many rejected texts of the account."""
        await self._check(REJECTED_TEXTS, user_id)

    async def hit_rejected_text(self, user_id: str) -> None:
        """Count a text that was rejected."""
        with contextlib.suppress(RateLimitedError):  # concurrent ones have reached the limit already
            await self._hit(REJECTED_TEXTS, user_id)

    async def admits_document(self, client: str) -> bool:
        """Count a document that a client registers, and return whether it may be kept."""
        if self._limiter is None:
            return True
        return await self._limiter.hit(_key(DOCUMENTS, client), DOCUMENTS.times, DOCUMENTS.seconds) is None

    async def hit_style_texts(self, user_id: str) -> None:
        """Count a custom style that is created, or whose texts are to be checked. Raises RateLimitedError."""
        await self._hit(STYLE_TEXTS, user_id)

    async def hit_archives(self, user_id: str) -> None:
        """Count a download of several pictures. Raises RateLimitedError."""
        await self._hit(ARCHIVES, user_id)

    async def hit_webhooks(self, user_id: str) -> None:
        """Count a test event or a replay. Raises RateLimitedError."""
        await self._hit(WEBHOOKS, user_id)

    async def _hit(self, limit: Limit, subject: str, cost: int = 1) -> None:
        if self._limiter is None:
            return
        key = _key(limit, subject)
        if limit.is_shown:
            usage = await self._limiter.use(key, limit.times, limit.seconds, cost)
            note_usage(limit, usage)
            _refuse(limit, usage.wait)
        else:
            _refuse(limit, await self._limiter.hit(key, limit.times, limit.seconds, cost))

    async def _reset(self, limit: Limit, subject: str) -> None:
        if self._limiter is not None:
            await self._limiter.reset(_key(limit, subject), limit.times, limit.seconds)

    async def _check(self, limit: Limit, subject: str) -> None:
        if self._limiter is not None:
            _refuse(limit, await self._limiter.peek(_key(limit, subject), limit.times, limit.seconds))


def _refuse(limit: Limit, wait: float | None) -> None:
    if wait is not None:
        log.info("rate_limit.refused", limit=limit.name, retry_after=wait)
        if not limit.is_shown:
            note_usage(limit, Usage(0, wait, wait))
        raise RateLimitedError(wait)


def _key(limit: Limit, subject: str) -> str:
    # Hashed, so that keys have a bounded length and Redis holds no user's address in plain text.
    return f"{limit.name}:{hashlib.sha256(subject.encode(errors='surrogatepass')).hexdigest()}"
