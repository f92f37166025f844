"""Mails to owners of webhook endpoints that were disabled because they failed."""

from collections.abc import Sequence

import structlog

from models import User, WebhookEndpoint
from models.database.connection import rows
from models.enum import DisabledReason
from services.accounts.mail import MailService, Notice
from services.core.error import UnavailableError
from services.core.locale import DEFAULT

log = structlog.get_logger(__name__)


class DisabledNotices:
    """Writes to each owner once; a mail that cannot be sent is tried again by the next sweep."""

    def __init__(self, mail: MailService) -> None:
        self._mail = mail

    async def find(self, limit: int) -> Sequence[str]:
        """Return ids of endpoints that were disabled and whose owners do not know yet."""
        found = await rows(
            "SELECT id FROM webhook_endpoints WHERE disabled_at IS NOT NULL AND notified_at IS NULL"
            " AND disabled_reason <> $1 AND user_id IS NOT NULL ORDER BY disabled_at LIMIT $2",
            DisabledReason.OWNER.value,
            limit,
        )
        return [row["id"] for row in found]

    async def send(self, endpoint_id: str) -> bool:
        """Write to the owner of an endpoint; return False if the mail could not be sent."""
        claimed = await rows(
            "UPDATE webhook_endpoints SET notified_at = NOW() WHERE id = $1 AND notified_at IS NULL"
            " AND disabled_at IS NOT NULL RETURNING id",
            endpoint_id,
        )
        if not claimed or not self._mail.is_enabled:
            return True
        endpoint = await WebhookEndpoint.get(id=endpoint_id)
        user = await User.get(id=endpoint.user_id)
        if not user.has_address or user.deleted_at is not None:
            return True
        try:
            await self._mail.notify(Notice.WEBHOOK_DISABLED, user.mailbox, user.locale or DEFAULT, url=endpoint.url)
        except UnavailableError:
            await rows("UPDATE webhook_endpoints SET notified_at = NULL WHERE id = $1 RETURNING id", endpoint_id)
            return False
        log.info("webhooks.owner_notified", endpoint=endpoint_id)
        return True
