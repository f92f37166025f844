"""The expiry of grants: a ledger line takes what is left, once; and what a plan's next month keeps."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from models import CreditGrant, Plan, User
from models.database.connection import database_time, rows, run_tx
from models.enum import TransactionType
from services.billing import ledger
from services.billing.grants import grant
from services.billing.ledger import LedgerLine
from services.core.error import NotFoundError
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

_MONTHS = (TransactionType.SUBSCRIPTION, TransactionType.ROLLOVER)


class _NothingDueError(Exception):
    """Rolls back what another worker has done already."""


class GrantExpiryService:
    """Expires grants, and forgets those that expired long ago. Any number of workers may do this at once.

    `now`: the database's time, so that a worker whose clock is ahead takes no credits before their time.
    """

    def __init__(self, events: EventPublisher, now: Callable[[], Awaitable[datetime]] = database_time) -> None:
        self._events = events
        self._now = now

    async def due(self, limit: int) -> list[str]:
        """Return grants that have expired, of which something is left."""
        found = (
            CreditGrant.filter(expires_at__lte=await self._now(), remaining__gt=0).order_by("expires_at").limit(limit)
        )
        return [id for (id,) in await found.values_list("id")]

    async def expire(self, grant_id: str) -> bool:
        """Take what is left of an expired grant from its account, by one ledger line. Returns True."""
        row = await CreditGrant.get_or_none(id=grant_id)
        if row is None:
            return True
        try:
            account = await run_tx(self._expire, row.user_id, grant_id)
        except (_NothingDueError, NotFoundError):
            return True
        await self._events.account_changed(account)
        return True

    async def _expire(self, user_id: str, grant_id: str) -> AccountChange:
        account = await account_change.bump_version(user_id)
        row = await CreditGrant.get_or_none(id=grant_id, user_id=user_id)
        if row is None or row.remaining == 0 or row.expires_at > await self._now():
            raise _NothingDueError
        left = min(row.remaining, max(account.credits, 0))
        if left:
            account = await ledger.post(user_id, [_line(row, left)], version_bumped=True)
        else:  # a server of an earlier release has spent it
            await CreditGrant.filter(id=grant_id).update(remaining=0)
        return account

    async def forgettable(self, limit: int) -> list[str]:
        """Return accounts with grants that expired so long ago that nothing refers to them any more."""
        before = await self._now() - timedelta(days=grant.KEPT_DAYS)
        found = CreditGrant.filter(expires_at__lte=before, remaining=0).order_by("expires_at").limit(limit)
        return list(dict.fromkeys([user_id for (user_id,) in await found.values_list("user_id")]))

    async def forget(self, user_id: str) -> bool:
        """Delete such grants of an account; without any other, its orders are accepted as before. Returns True."""
        await run_tx(self._forget, user_id)
        return True

    async def _forget(self, user_id: str) -> None:
        await account_change.lock_account(user_id, include_deleted=True)
        before = await self._now() - timedelta(days=grant.KEPT_DAYS)
        await CreditGrant.filter(user_id=user_id, expires_at__lte=before, remaining=0).delete()
        await User.filter(id=user_id).update(has_grants=await CreditGrant.exists(user_id=user_id))


async def rollover(user_id: str, plan: Plan, month: str, expires_at: datetime) -> list[LedgerLine]:
    """Return the lines by which a plan's next month keeps what is left of earlier ones, up to the plan's limit.

    Inside the transaction that writes them, with the account's row locked. `month`: the reference of the month's line.
    """
    earlier = CreditGrant.filter(user_id=user_id, type__in=_MONTHS, remaining__gt=0).order_by("expires_at", "id")
    found = await earlier
    lines = [_line(row, row.remaining) for row in found]
    kept = min(sum(row.remaining for row in found), plan.rollover or 0)
    if kept:
        reason = {"plan": plan.slug}
        line = LedgerLine(TransactionType.ROLLOVER, kept, f"rollover:{month}", metadata=reason, expires_at=expires_at)
        lines.append(line)
    return lines


def expiry_lines(grants: Sequence[CreditGrant], balance: int) -> list[LedgerLine]:
    """Return the lines that end these grants before their time, of an account with this balance, whose row is locked.

    Together they take at most the balance: a server of an earlier release spends without regard to grants.
    """
    lines = []
    for row in grants:
        left = min(row.remaining, max(balance, 0))
        balance -= left
        if left:
            lines.append(_line(row, left))
    return lines


def _line(row: CreditGrant, credits: int) -> LedgerLine:
    metadata = {"transaction": row.id}
    return LedgerLine(TransactionType.EXPIRY, -credits, f"expire:{row.id}", metadata=metadata, source=row.id)


async def lost(reference: str) -> int:
    """Return how many credits have expired of those that the line with this reference gave.

    What a plan's next month kept, when they expired, is not lost, whichever earlier month it came from.
    """
    found = await rows(
        "SELECT e.amount AS expired, (SELECT SUM(k.amount) FROM credit_transactions k WHERE k.user_id = e.user_id"
        " AND k.sequence > e.sequence AND k.account_version = e.account_version AND k.type = 'ROLLOVER') AS kept"
        " FROM credit_transactions g JOIN credit_transactions e ON e.reference = 'expire:' || g.id"
        " WHERE g.reference = $1",
        reference,
    )
    return max(-int(found[0]["expired"]) - int(found[0]["kept"] or 0), 0) if found else 0


async def move(guest_id: str, user_id: str, credits: int, bonus: int) -> None:
    """Move a guest's grants to the account that it is merged into, both locked, before the lines of the transfer.

    `credits` are moved and `bonus` credits are not: these are taken from bonuses first, then from what expires first.
    """
    found = await CreditGrant.filter(user_id=guest_id)
    if not found:
        return
    excess = max(sum(row.remaining for row in found) - credits, 0)
    stays = min(bonus, sum(row.remaining for row in found if row.type is TransactionType.BONUS))
    excess = max(excess, stays)
    for row in sorted(found, key=lambda row: (row.type is not TransactionType.BONUS, row.expires_at, row.id)):
        part = min(row.remaining, excess)
        row.remaining -= part
        excess -= part
    await CreditGrant.bulk_update(found, fields=["remaining"])
    await CreditGrant.filter(user_id=guest_id).update(user_id=user_id)
    await User.filter(id=guest_id).update(has_grants=False)
    await User.filter(id=user_id).update(has_grants=True)


async def discard(user_id: str) -> None:
    """Delete the grants of an account that is deleted; its credits are lost with it."""
    await rows("DELETE FROM credit_grants WHERE user_id = $1 RETURNING id", user_id)
