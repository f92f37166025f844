"""Mail in development: printed to the log instead of being sent, links included."""

import structlog

from services.integrations.mail.protocol import Mail

log = structlog.get_logger(__name__)

PRINTED = "mail.printed"  # the one event of the log that nothing is hidden in


class ConsoleMailer:
    """Prints. Never for production: whoever reads the log could use the links."""

    async def send(self, mail: Mail) -> None:
        """Print the mail."""
        log.info(PRINTED, to=mail.to, subject=mail.subject, text=mail.text)
