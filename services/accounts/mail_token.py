"""Tokens of mailed links: single-use, short-lived, stored as hashes."""

from datetime import UTC, datetime, timedelta

from models import MailToken
from models.enum import MailPurpose
from services.accounts.mail import LIFETIMES
from services.accounts.secret_token import hash_token, is_well_formed, new_token
from services.core.error import InvalidInputError, QuotaExceededError
from services.core.message import message

MAX_PER_WINDOW = 3  # mails for one purpose and account within WINDOW
WINDOW = timedelta(hours=1)


def invalid_link() -> InvalidInputError:
    """Return the same error for tokens that are wrong, used, superseded or expired."""
    return InvalidInputError(message("This link is invalid or has expired. Request a new one."), field=("token",))


async def issue(user_id: str, email: str, purpose: MailPurpose, new_address: str | None = None) -> str:
    """Create a token, in a transaction that holds the account's lock; revokes earlier ones for the same purpose.

    `email`: the key of the account's address. `new_address`: the one that a change replaces it with.

    Raises:
        QuotaExceededError: MAX_PER_WINDOW mails were sent within WINDOW.
    """
    now = datetime.now(UTC)
    recent = await MailToken.filter(user_id=user_id, purpose=purpose, created_at__gt=now - WINDOW).order_by(
        "created_at"
    )
    if len(recent) >= MAX_PER_WINDOW:
        text = message("Several mails were sent already. Please check your mailbox, or try again later.")
        raise QuotaExceededError(text, resets_at=recent[-MAX_PER_WINDOW].created_at + WINDOW)
    await revoke_all(user_id, purpose)
    token = new_token()
    await MailToken.create(
        user_id=user_id,
        purpose=purpose,
        email=email,
        new_address=new_address,
        token_hash=hash_token(token),
        expires_at=now + LIFETIMES[purpose],
    )
    return token


async def find(token: str, purpose: MailPurpose) -> MailToken:
    """Return the row of a valid token.

    Raises:
        InvalidInputError: the token is invalid.
    """
    row = None
    if is_well_formed(token):
        row = await MailToken.get_or_none(
            token_hash=hash_token(token), purpose=purpose, used_at=None, expires_at__gt=datetime.now(UTC)
        )
    if row is None:
        raise invalid_link()
    return row


async def consume(row: MailToken) -> None:
    """Mark a token as used, in the transaction that acts on it.

    Raises:
        InvalidInputError: a concurrent request used it first; the transaction must be rolled back.
    """
    if not await MailToken.filter(id=row.id, used_at=None).update(used_at=datetime.now(UTC)):
        raise invalid_link()


async def revoke_all(user_id: str, *purposes: MailPurpose) -> None:
    """Invalidate an account's unused links for `purposes`, or all if none is given."""
    unused = MailToken.filter(user_id=user_id, used_at=None)
    await (unused.filter(purpose__in=purposes) if purposes else unused).update(used_at=datetime.now(UTC))


async def discard(token: str) -> None:
    """Delete a token whose mail was not sent, so that it does not count."""
    await MailToken.filter(token_hash=hash_token(token)).delete()


async def remove_expired() -> int:
    """Delete tokens that have expired and no longer count towards MAX_PER_WINDOW, and return their number."""
    now = datetime.now(UTC)
    return await MailToken.filter(expires_at__lt=now, created_at__lt=now - WINDOW).delete()
