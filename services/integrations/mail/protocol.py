"""Mail: the border to whatever delivers it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Mail:
    """One plain-text mail to one person."""

    to: str  # an address, nothing around it
    subject: str
    text: str


class MailError(Exception):
    """The mail did not leave, or nobody knows whether it did."""


class Mailer(Protocol):
    """Something that delivers mail."""

    async def send(self, mail: Mail) -> None:
        """Hand the mail over within a bounded time.

        Raises:
            MailError: it was not taken.
        """
