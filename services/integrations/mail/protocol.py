"""The interface of mailers."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Mail:
    """A plain-text mail to one recipient."""

    to: str  # the bare address
    subject: str
    text: str
    unsubscribe: str | None = None  # the link that ends such mails by one POST request (RFC 8058)


class MailError(Exception):
    """The mail was not sent, or it is unknown whether it was."""


class Mailer(Protocol):
    """Delivers mail."""

    async def send(self, mail: Mail) -> None:
        """Send the mail within a bounded time.

        Raises:
            MailError: the mail was not accepted.
        """
