"""Mailer for development: writes mails to the log, links included, instead of sending them."""

import structlog

from services.integrations.mail.protocol import Mail

log = structlog.get_logger(__name__)

MAIL_PRINTED = "mail.printed"  # the only log event that is exempt from redaction


class ConsoleMailer:
    """Writes mails to the log. Never for production: anyone who reads the log could use the links."""

    async def send(self, mail: Mail) -> None:
        """Log the mail."""
        log.info(MAIL_PRINTED, to=mail.to, subject=mail.subject, text=mail.text)
