"""What others may have left on an account whose owner was not proven, removed when a mailed link proves the owner."""

from models import ApiKey, Identity, User, WebhookEndpoint
from services.accounts.identity import identity_table
from services.accounts.mail import MailService, Notice
from services.core.error import UnavailableError


async def remove_unproven_access(user_id: str) -> bool:
    """Remove all access beside passwords, sessions and mailed links, with the account locked; return whether any was.

    Someone else may have signed up with the address, or moved an account of their own to it.
    """
    removed = await identity_table.unlink(Identity.filter(user_id=user_id))
    for owned in (ApiKey, WebhookEndpoint):
        removed += await owned.filter(user_id=user_id).delete()
    return removed > 0


def notify_in_background(mail: MailService, user: User, locale: str) -> None:
    """Say to the proven owner that access was removed, in the account's language or `locale`.

    It may have been the owner's own. The removal is committed: it stays if no mail can be sent.
    """
    try:
        mail.in_background(mail.notify(Notice.ACCESS_REMOVED, user.mailbox, user.locale or locale))
    except UnavailableError:
        return
