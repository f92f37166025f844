"""Refusals: the exceptions with which a service declines a request.

Each class is small, carries its data, and names the ErrorCode that a client sees. A refusal is an
expected outcome, not a crash: it is never logged with a traceback.
"""

from collections.abc import Sequence
from datetime import datetime

from models.enum import ErrorCode
from services.core.message import Message, message


class Refusal(Exception):  # noqa: N818 - the project's term for an expected outcome; `...Error` types are what a client sees
    """Base class of all refusals.

    `field` is the path within the input, in the API's spelling (`("variables", "costumeColor")`). `is_outage`: one
    is the cause, which the code alone does not say: it counts as a failure, not as the user's mistake.
    """

    code = ErrorCode.INTERNAL
    is_outage = False

    def __init__(self, text: Message, field: tuple[str, ...] | None = None) -> None:
        super().__init__(text.text)
        self.message = text
        self.field = field


class RefusalGroup(Exception):  # noqa: N818 - as Refusal
    """Several refusals of one request."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("\n".join(str(refusal) for refusal in refusals))
        self.refusals = refusals


class InvalidInputError(Refusal):
    code = ErrorCode.INVALID_INPUT


class ContentRejectedError(Refusal):
    """A text goes against the content rules; nothing was charged or stored."""

    code = ErrorCode.CONTENT_REJECTED

    def __init__(self, field: tuple[str, ...]) -> None:
        super().__init__(message("This goes against our content rules. Please word it differently."), field)


class UploadFailedError(Refusal):
    """Storing the picture failed; nothing was charged."""

    code = ErrorCode.UPLOAD_FAILED


class ConflictError(Refusal):
    code = ErrorCode.CONFLICT


class LastSignInError(ConflictError):
    """It would leave the account without a way to sign in."""

    def __init__(self, field: tuple[str, ...]) -> None:
        text = message("This is the only way to sign in to this account. Confirm an address or link another one.")
        super().__init__(text, field)


class UnauthenticatedError(Refusal):
    code = ErrorCode.UNAUTHENTICATED

    def __init__(self, text: Message | None = None) -> None:
        super().__init__(text or message("Please sign in."))


class SessionEndedError(UnauthenticatedError):
    """It needs an account, and the session of the browser's cookie has ended."""

    def __init__(self) -> None:
        super().__init__(message("Your session has ended. Please sign in again."))


class InvalidCredentialError(UnauthenticatedError):
    """A credential was sent and does not work. `text`: what is wrong with it, never the credential itself."""

    def __init__(self, text: Message | None = None) -> None:
        super().__init__(text or message("This token is not valid, or its session has ended. Please sign in again."))


class ForbiddenError(Refusal):
    code = ErrorCode.FORBIDDEN

    def __init__(self, field: tuple[str, ...] | None = None, text: Message | None = None) -> None:
        super().__init__(text or message("You are not allowed to do this."), field)


class GuestError(Refusal):
    """It needs an account with an address."""

    code = ErrorCode.FORBIDDEN

    def __init__(self) -> None:
        super().__init__(message("Guests cannot do this. Please sign up first: you keep your pictures and credits."))


class KeyScopeError(Refusal):
    """The request is authenticated by an API key with a narrower scope."""

    code = ErrorCode.FORBIDDEN

    def __init__(self) -> None:
        super().__init__(message("The scope of this API key does not allow this."))


class SuspendedError(Refusal):
    """The account is suspended. Shown only after the correct password, so that it is not revealed to others."""

    code = ErrorCode.FORBIDDEN

    def __init__(self) -> None:
        super().__init__(message("This account is suspended."))


class UnverifiedEmailError(Refusal):
    """It needs a verified address, because the user who signed up with it may not be its owner."""

    code = ErrorCode.FORBIDDEN

    def __init__(self) -> None:
        super().__init__(message("Please confirm your e-mail address first: open the link that was mailed to you."))


class SecondFactorError(Refusal):
    """It needs the second factor of the account: set up, or proved by this session. `text`: which, and how."""

    code = ErrorCode.SECOND_FACTOR_REQUIRED


class NotFoundError(Refusal):
    """It does not exist, or belongs to another user: one response for both."""

    code = ErrorCode.NOT_FOUND

    def __init__(self, field: tuple[str, ...] | None = None, text: Message | None = None) -> None:
        super().__init__(text or message("This does not exist."), field)


class InsufficientCreditsError(Refusal):
    code = ErrorCode.INSUFFICIENT_CREDITS

    def __init__(self, required: int, balance: int) -> None:
        super().__init__(
            message("This needs {required} credits; you have {balance}.", required=required, balance=balance)
        )
        self.required = required
        self.balance = balance


class MembershipRequiredError(Refusal):
    code = ErrorCode.MEMBERSHIP_REQUIRED

    def __init__(self, field: tuple[str, ...] | None = None, text: Message | None = None) -> None:
        super().__init__(text or message("This style is for members."), field)


class QuotaExceededError(Refusal):
    """The quota is used up; it has room again at `resets_at`."""

    code = ErrorCode.QUOTA_EXCEEDED

    def __init__(self, text: Message, resets_at: datetime) -> None:
        super().__init__(text)
        self.resets_at = resets_at


class StorageFullError(Refusal):
    """The account stores as much as it may; deleting generations makes room. A maximum of 0 is none."""

    code = ErrorCode.QUOTA_EXCEEDED

    def __init__(
        self, text: Message, *, used_bytes: int, max_bytes: int, generations: int, max_generations: int
    ) -> None:
        super().__init__(text)
        self.used_bytes = used_bytes
        self.max_bytes = max_bytes
        self.generations = generations
        self.max_generations = max_generations


class RateLimitedError(Refusal):
    """Too many requests; `retry_after`: seconds until the next one is allowed."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, retry_after: float, text: Message | None = None) -> None:
        attempts = message("Too many attempts. Please try again in {seconds} seconds.", seconds=round(retry_after))
        super().__init__(text or attempts)
        self.retry_after = retry_after


class TooManySubscriptionsError(Refusal):
    """The account has `limit` subscriptions open."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, limit: int) -> None:
        super().__init__(message("At most {limit} subscriptions of an account can be open at once.", limit=limit))


class PaymentsUnavailableError(Refusal):
    """No payment provider is configured, or it does not respond (`is_outage`); nothing was charged."""

    code = ErrorCode.PAYMENTS_UNAVAILABLE

    def __init__(self, *, is_outage: bool = False) -> None:
        super().__init__(message("Payments are unavailable right now. Please try again later."))
        self.is_outage = is_outage


class UnavailableError(Refusal):
    """An outage or maintenance on our side; nothing was charged."""

    code = ErrorCode.UNAVAILABLE

    def __init__(self, text: Message | None = None) -> None:
        super().__init__(text or message("The service is unavailable right now. Please try again later."))


class ExportFailedError(UnavailableError):
    """Every attempt to make a data export failed; another can be requested after this number of `minutes`."""

    def __init__(self, minutes: int) -> None:
        if minutes == 1:
            text = message("Your export could not be made: several attempts have failed. Please try again in a minute.")
        else:
            text = message(
                "Your export could not be made: several attempts have failed. Please try again in {minutes} minutes.",
                minutes=minutes,
            )
        super().__init__(text)
