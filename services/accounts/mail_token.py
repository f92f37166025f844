"""The tokens in mailed links: they work once, not for long, and only their hash is kept."""

from datetime import UTC, datetime, timedelta

from models import MailToken
from models.enum import MailPurpose
from services.accounts.mail import LIVES
from services.accounts.secret_token import hash_token, is_well_formed, new_token
from services.core.error import InvalidInputError, QuotaExceededError
from services.core.message import message

MOST = 3  # mails for one purpose and account within WINDOW
WINDOW = timedelta(hours=1)  # no token is forgotten earlier


def dead_link() -> InvalidInputError:
    """One answer for tokens that are wrong, used, superseded or past their time."""
    return InvalidInputError(message("This link does not work any more. Ask for a new one."), field=("token",))


async def issue(user_id: str, email: str, purpose: MailPurpose) -> str:
    """A fresh token, inside a transaction that holds the account's row; earlier ones for this purpose die.

    Raises:
        QuotaExceededError: enough mails were sent lately.
    """
    now = datetime.now(UTC)
    lately = await MailToken.filter(user_id=user_id, purpose=purpose, created_at__gt=now - WINDOW).order_by(
        "created_at"
    )
    if len(lately) >= MOST:
        text = message("Enough mails were sent. Please look into your mailbox, or try again later.")
        raise QuotaExceededError(text, resets_at=lately[-MOST].created_at + WINDOW)
    await revoke_all(user_id, purpose)
    token = new_token()
    await MailToken.create(
        user_id=user_id, purpose=purpose, email=email, token_hash=hash_token(token), expires_at=now + LIVES[purpose]
    )
    return token


async def find(token: str, purpose: MailPurpose) -> MailToken:
    """The row of a token that works.

    Raises:
        InvalidInputError: it does not.
    """
    row = None
    if is_well_formed(token):
        row = await MailToken.get_or_none(
            token_hash=hash_token(token), purpose=purpose, used_at=None, expires_at__gt=datetime.now(UTC)
        )
    if row is None:
        raise dead_link()
    return row


async def consume(row: MailToken) -> None:
    """Use a token up, inside the transaction that does what it stands for.

    Raises:
        InvalidInputError: somebody was faster; the transaction must end.
    """
    if not await MailToken.filter(id=row.id, used_at=None).update(used_at=datetime.now(UTC)):
        raise dead_link()


async def revoke_all(user_id: str, *purposes: MailPurpose) -> None:
    """Let an account's links die: those for `purposes`, all where none is named."""
    living = MailToken.filter(user_id=user_id, used_at=None)
    await (living.filter(purpose__in=purposes) if purposes else living).update(used_at=datetime.now(UTC))


async def discard(token: str) -> None:
    """Take back a token whose mail did not leave: it counts for nothing."""
    await MailToken.filter(token_hash=hash_token(token)).delete()


async def remove_expired() -> int:
    """Forget tokens that nobody can use any more."""
    return await MailToken.filter(expires_at__lt=datetime.now(UTC)).delete()
