"""The monthly refill: free credits up to an amount, once a calendar month, granted when an account is first used.

A refill takes the place of the earlier ones that would expire before it: what is left of them ends with its line. Else
a month's refill would be less by credits that are gone some hours later.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from models import CreditGrant, CreditTransaction, User
from models.database.connection import database_time, is_outage, rows, run_tx
from models.enum import TransactionType
from services.billing import ledger
from services.billing.grants.expiry import expiry_lines
from services.billing.ledger import LedgerLine
from services.billing.mailbox_identity import mailbox_identity
from services.core.error import NotFoundError, Refusal
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher
from services.products.profile import RefillRules

log = structlog.get_logger(__name__)

_KEPT_MONTHS = 2  # of who got a refill


class _NotDueError(Exception):
    """Rolls back what another request has done already."""


class RefillService:
    """Grants refills. `rules`: None if the product has none. `secret`: keys the hash of addresses.

    `requires_verification`: as of the sign-up bonus, only a verified address counts. Guests get none, and of several
    accounts of one mailbox only the first of the month.
    """

    def __init__(
        self,
        rules: RefillRules | None,
        secret: str,
        events: EventPublisher,
        *,
        requires_verification: bool,
        now: Callable[[], Awaitable[datetime]] = database_time,
    ) -> None:
        self._rules = rules
        self._secret = secret.encode()
        self._events = events
        self._requires_verification = requires_verification
        self._now = now

    def is_due(self, user: User) -> bool:
        """Whether an account may get this month's refill, by its row alone."""
        return user.refill_month != _month(datetime.now(UTC)) and self._has_less(user)

    def _has_less(self, user: User) -> bool:
        rules = self._rules
        if rules is None or not 0 <= user.credits < rules.credits:  # a debt is not paid off by free credits
            return False
        return user.may_sign_in and user.has_address and (user.email_verified or not self._requires_verification)

    async def refill(self, user: User) -> User:
        """Grant a refill that may be due, and return the account's row as it is then.

        What fails is tried again with the account's next request: this one goes on without.
        """
        try:
            account = await run_tx(self._refill, user.id)
        except (_NotDueError, NotFoundError):  # a concurrent request was first
            return _as_now(user, await User.get(id=user.id))
        except Exception as error:
            if not (isinstance(error, Refusal) or is_outage(error)):
                log.exception("refill.failed", user=user.id)
            return user
        await self._events.account_changed(account)
        return _as_now(user, await User.get(id=user.id))

    async def _refill(self, user_id: str) -> AccountChange:
        account = await account_change.bump_version(user_id)
        user = await User.get(id=user_id)
        now = await self._now()  # a server's clock may be ahead
        month = _month(now)
        if self._rules is None or user.refill_month == month or not self._has_less(user):
            raise _NotDueError
        await User.filter(id=user_id).update(refill_month=month)
        # A concurrent claim of the same mailbox waits here for the other transaction.
        claimed = await rows(
            "INSERT INTO credit_refills (user_id, identity, month) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
            " RETURNING user_id",
            user_id,
            mailbox_identity(self._secret, user.email),
            month,
        )
        if not claimed:
            return account  # another account of the mailbox has it
        expires_at = ledger.expiry(self._rules.expire_days, now)
        ended, expired = await _ending(user, now, expires_at) if user.has_grants else ([], 0)
        kept = max(user.credits + sum(line.amount for line in ended) - expired, 0)
        line = LedgerLine(
            TransactionType.BONUS,
            self._rules.credits - kept,
            f"{_reference(user_id)}{month}",
            metadata={"reason": "refill", "month": month},
            expires_at=expires_at,
        )
        return await ledger.post(user_id, [*ended, line], version_bumped=True)

    async def forget(self) -> None:
        """Delete who got the refills of earlier months."""
        now = await self._now()
        years, month = divmod(now.year * 12 + now.month - 1 - _KEPT_MONTHS, 12)
        await rows("DELETE FROM credit_refills WHERE month < $1 RETURNING id", f"{years:04}-{month + 1:02}")


async def _ending(user: User, now: datetime, until: datetime | None) -> tuple[list[LedgerLine], int]:
    """Return the lines that end earlier refills, and how many other credits have expired, which a sweep takes soon.

    `until`: of the new refill, which replaces none that lasts longer. None: it never expires.
    """
    found = await CreditGrant.filter(user_id=user.id, remaining__gt=0).order_by("expires_at", "id")
    lines = CreditTransaction.filter(id__in=[row.id for row in found], reference__startswith=_reference(user.id))
    refills = {id for (id,) in await lines.values_list("id")}
    ended = [row for row in found if row.id in refills and (until is None or row.expires_at <= until)]
    expired = sum(row.remaining for row in found if row.id not in refills and row.expires_at <= now)
    return expiry_lines(ended, user.credits), expired


def _reference(user_id: str) -> str:
    """Return how the references of an account's refills begin."""
    return f"refill:{user_id}:"


def _month(moment: datetime) -> str:
    return f"{moment:%Y-%m}"


def _as_now(user: User, now: User) -> User:
    """Return the account as it is now, with what the request has proved."""
    now.acting_key, now.proved_at = user.acting_key, user.proved_at
    return now
