"""Typed errors of mutation payloads."""

from datetime import datetime

import strawberry

from models import enum
from schema.runtime.context import Context
from schema.runtime.enum import ErrorCode
from schema.runtime.instrumentation import count_error
from services.core import error
from services.core.rate_limit import note_retry
from services.core.text import cut


@strawberry.interface(description="A refusal that the user or the client can fix.")
class UserError:
    code: ErrorCode
    message: str = strawberry.field(description="In the viewer's language.")
    field: list[str] | None = strawberry.field(
        description="The path within the input; null where no single field is the cause."
    )


@strawberry.type(description="An input that was refused.")
class InputError(UserError):
    pass


@strawberry.type(description="The account has fewer credits than this needs.")
class InsufficientCreditsError(UserError):
    required: int
    balance: int


@strawberry.type(description="Too many requests of this kind in too short a time.")
class RateLimitedError(UserError):
    retry_after: float = strawberry.field(description="Seconds until the next attempt is accepted.")


@strawberry.type(description="The quota is used up.")
class QuotaExceededError(UserError):
    resets_at: datetime = strawberry.field(description="When the quota resets.")


@strawberry.type(description="The account stores as much as it may; deleting generations makes room.")
class StorageFullError(UserError):
    used_bytes: float = strawberry.field(description="Bytes of originals and results.")
    max_bytes: float | None = strawberry.field(description="Null: unlimited.")
    generations: int = strawberry.field(description="Generations in any status that are not deleted.")
    max_generations: int | None = strawberry.field(description="Null: unlimited.")


# The types of `errors`, which no field names.
REFUSALS = (InputError, InsufficientCreditsError, QuotaExceededError, RateLimitedError, StorageFullError)


def user_errors(refusal: error.Refusal | error.RefusalGroup, context: Context) -> list[UserError]:
    """Return the entries of a payload's `errors` for what was refused, in the viewer's language."""
    refusals = refusal.refusals if isinstance(refusal, error.RefusalGroup) else (refusal,)
    return [_user_error(one, context) for one in refusals]


def _user_error(refusal: error.Refusal, context: Context) -> UserError:
    code: enum.ErrorCode = refusal.code
    count_error(code, is_outage=refusal.is_outage)
    message = context.translate(refusal.message)
    field = [cut(part) for part in refusal.field] if refusal.field else None
    if isinstance(refusal, error.InsufficientCreditsError):
        return InsufficientCreditsError(
            code=code, message=message, field=field, required=refusal.required, balance=refusal.balance
        )
    if isinstance(refusal, error.RateLimitedError):
        note_retry(refusal.retry_after)
        return RateLimitedError(code=code, message=message, field=field, retry_after=refusal.retry_after)
    if isinstance(refusal, error.QuotaExceededError):
        return QuotaExceededError(code=code, message=message, field=field, resets_at=refusal.resets_at)
    if isinstance(refusal, error.StorageFullError):
        return StorageFullError(
            code=code,
            message=message,
            field=field,
            used_bytes=refusal.used_bytes,
            max_bytes=refusal.max_bytes or None,
            generations=refusal.generations,
            max_generations=refusal.max_generations or None,
        )
    return InputError(code=code, message=message, field=field)
