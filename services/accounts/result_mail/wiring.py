"""Builds what mails users about results."""

from dataclasses import dataclass

from services.accounts.mail import MailService
from services.accounts.result_mail.presence import Presence
from services.accounts.result_mail.result_mail import ResultMails
from services.accounts.result_mail.unsubscription import Unsubscription
from services.core.chore import Chore, Lane, chore_for_each
from services.events.publisher import EventPublisher
from services.media.file import FileService


@dataclass(frozen=True)
class ResultMailOptions:
    """Settings of mails about results."""

    secret: str  # SECRET_KEY, by which links that end them are signed
    address: str  # of this server
    app_address: str  # of the app's pages
    per_hour: int  # mails of one account at most
    seconds: float  # after the last result of a batch


@dataclass(frozen=True)
class ResultMail:
    """Mails about results, who is connected, and the links that end them."""

    mails: ResultMails
    presence: Presence
    unsubscription: Unsubscription

    @property
    def chores(self) -> tuple[Chore, ...]:
        return (
            chore_for_each("result_mail", Lane.MAIL, self.mails.due, self.mails.send),
            Chore(Lane.CLEAN_UP, self.mails.forget),
            Chore(Lane.CLEAN_UP, self.presence.forget),
        )


def build_result_mail(
    mail: MailService, files: FileService, events: EventPublisher, options: ResultMailOptions
) -> ResultMail:
    """Build the part."""
    unsubscription = Unsubscription(options.secret, options.address, events)
    mails = ResultMails(
        mail, files, unsubscription, options.app_address, per_hour=options.per_hour, delay=options.seconds
    )
    return ResultMail(mails, Presence(is_needed=mail.is_enabled), unsubscription)
