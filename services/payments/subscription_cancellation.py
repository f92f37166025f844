"""Cancel the provider's subscriptions of deleted accounts: at once, or in the hourly run."""

from datetime import UTC, datetime

import structlog
from tortoise.queryset import QuerySet

from models import Membership
from models.billing import GRANTED
from models.database.connection import run_tx
from models.enum import MembershipStatus
from services.events import account_change
from services.integrations.payments.protocol import PaymentProvider, PaymentProviderError

log = structlog.get_logger(__name__)

_BATCH = 100  # memberships read at once
_MAX_FAILURES = 3  # of the provider, after which the rest waits for the next run: each takes the whole deadline


class SubscriptionCancellation:
    """A deleted account pays no more. A membership of it that has not ended is one that is still to be canceled."""

    def __init__(self, provider: PaymentProvider | None) -> None:
        self._provider = provider

    async def cancel_for_user(self, user_id: str) -> None:
        """Cancel a deleted account's subscriptions; where the provider does not answer, `cancel_all` does it later."""
        await self._cancel([row async for row in _running().filter(user_id=user_id)])

    async def cancel_all(self) -> None:
        """Cancel the remaining subscriptions of all deleted accounts."""
        last = ""
        while rows := await _running().filter(id__gt=last).order_by("id").limit(_BATCH):
            last = rows[-1].id
            if not await self._cancel(rows):
                return

    async def _cancel(self, memberships: list[Membership]) -> bool:
        """Return whether the provider answers."""
        provider, failures = self._provider, 0
        if provider is None:  # payments were never on, or are no longer
            return False
        for row in memberships:
            try:
                await provider.cancel_subscription(row.subscription_id)
            except PaymentProviderError:
                failures += 1
                log.warning("subscription.cancel_failed", subscription=row.subscription_id, user=row.user_id)
                if failures == _MAX_FAILURES:
                    return False
                continue
            await run_tx(_end_membership, row)
            log.info("subscription.canceled", subscription=row.subscription_id, user=row.user_id)
        return True


def _running() -> QuerySet[Membership]:
    found = Membership.filter(user__deleted_at__isnull=False).exclude(status=MembershipStatus.ENDED)
    return found.exclude(subscription_id__startswith=GRANTED)  # the provider does not know those


async def _end_membership(membership: Membership) -> None:
    await account_change.lock_account(membership.user_id, include_deleted=True)
    now = datetime.now(UTC)
    await Membership.filter(id=membership.id).update(
        status=MembershipStatus.ENDED, past_due_at=None, ends_at=now, told_at=now
    )
