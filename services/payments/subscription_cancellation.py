"""Subscriptions of accounts that are gone: ended where they are paid, at once or by the hourly look."""

from datetime import UTC, datetime

import structlog
from tortoise.queryset import QuerySet

from models import Membership
from models.database.connection import run_tx
from models.enum import MembershipStatus
from services.events import account_change
from services.integrations.payments.protocol import PaymentProvider, PaymentProviderError

log = structlog.get_logger(__name__)

_BATCH = 100  # memberships that are looked at together
_FAILURES = 3  # of the provider, after which the rest waits for the next look: each costs its whole deadline


class SubscriptionCancellation:
    """Whoever leaves pays no more. A membership that has not ended says that this is still to be done."""

    def __init__(self, provider: PaymentProvider | None) -> None:
        self._provider = provider

    async def cancel_for_user(self, user_id: str) -> None:
        """Cancel a deleted account's subscriptions; where the provider does not answer, `cancel_all` does it later."""
        await self._end([row async for row in _running().filter(user_id=user_id)])

    async def cancel_all(self) -> None:
        """End what any account that is gone still pays for."""
        last = ""
        while rows := await _running().filter(id__gt=last).order_by("id").limit(_BATCH):
            last = rows[-1].id
            if not await self._end(rows):
                return

    async def _end(self, memberships: list[Membership]) -> bool:
        """Say whether the provider answers."""
        provider, failures = self._provider, 0
        if provider is None:  # nobody here ever took money for them, or nobody can be asked any more
            return False
        for row in memberships:
            try:
                await provider.cancel_subscription(row.subscription_id)
            except PaymentProviderError:
                failures += 1
                log.warning("subscription.not_ended", subscription=row.subscription_id, user=row.user_id)
                if failures == _FAILURES:
                    return False
                continue
            await run_tx(_ended, row)
            log.info("subscription.ended", subscription=row.subscription_id, user=row.user_id)
        return True


def _running() -> QuerySet[Membership]:
    return Membership.filter(user__deleted_at__isnull=False).exclude(status=MembershipStatus.ENDED)


async def _ended(membership: Membership) -> None:
    await account_change.lock_account(membership.user_id, include_deleted=True)
    now = datetime.now(UTC)
    await Membership.filter(id=membership.id).update(
        status=MembershipStatus.ENDED, past_due_at=None, ends_at=now, told_at=now
    )
