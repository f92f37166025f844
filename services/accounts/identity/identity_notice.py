"""Notices to an account's address about sign-ins that were added to it or removed from it."""

from models import User
from services.accounts.mail import MailService, Notice
from services.core.error import UnavailableError


class IdentityNotices:
    """Mails the notices in the background, to verified addresses only: another one may be someone else's."""

    def __init__(self, mail: MailService) -> None:
        self._mail = mail

    def changed(self, user: User, issuer: str, locale: str, *, linked: bool) -> None:
        """Say that an identity of `issuer` was linked or unlinked, in the account's language or `locale`.

        The change is committed: it stays if no mail can be sent.
        """
        if not (self._mail.is_enabled and user.has_address and user.email_verified):
            return
        notice = Notice.IDENTITY_LINKED if linked else Notice.IDENTITY_UNLINKED
        try:
            self._mail.in_background(self._mail.notify(notice, user.mailbox, user.locale or locale, url=issuer))
        except UnavailableError:
            return
