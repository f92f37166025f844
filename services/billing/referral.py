"""Referrals: who invited whom, and the bonus that both get once the invited user has paid for something."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from tortoise.exceptions import IntegrityError

from models import Purchase, User
from models.accounts import new_referral_code
from models.database.connection import placeholders, rows, run_tx
from models.enum import PurchaseStatus, TransactionType
from services.billing import ledger
from services.billing.ledger import LedgerLine
from services.billing.mailbox_identity import mailbox, mailbox_identity
from services.core.error import InvalidInputError, NotFoundError
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher
from services.products.profile import ReferralRules

log = structlog.get_logger(__name__)

_MAX_CODE = 16  # characters; longer codes do not exist
_MAX_REFERRAL_CHAIN = 20  # referrers that are checked, from one to the next
_BATCH = 100  # accounts read at once
_COUNTS = """
SELECT invited.referred_by_id, SUM(CASE WHEN invited.deleted_at IS NULL THEN 1 ELSE 0 END) AS signed_up,
    SUM(CASE WHEN line.id IS NULL THEN 0 ELSE 1 END) AS rewarded
FROM users invited
LEFT JOIN credit_transactions line ON line.reference = 'referral:' || invited.id || ':from'
WHERE invited.referred_by_id IN ({}) GROUP BY invited.referred_by_id
"""


class _NothingToPayError(Exception):
    """Rolls back a transaction that would change nothing."""


@dataclass(frozen=True)
class ReferralCounts:
    """How many accounts signed up with an account's code."""

    signed_up: int  # those that still exist
    rewarded: int  # those that brought the bonus


class ReferralService:
    """Finds referrers and pays the bonuses. `rules`: None if the product pays none.

    `expire_days`: after which they expire, None: never.
    """

    def __init__(
        self, rules: ReferralRules | None, secret: str, events: EventPublisher, *, expire_days: int | None = None
    ) -> None:
        self._rules = rules
        self._expire_days = expire_days
        self._secret = secret.encode()
        self._events = events

    async def referrer(self, code: str, email: str) -> str:
        """Return the id of the account whose code a new user with this address signs up with.

        Raises:
            InvalidInputError: the code does not exist, or its chain of referrers leads back to the same mailbox.
        """
        found = await self.find(code)
        ancestor: User | None = found
        for _ in range(_MAX_REFERRAL_CHAIN):
            if ancestor is None:
                break
            if mailbox(ancestor.email) == mailbox(email):
                text = message("This code is for new users only.")
                raise InvalidInputError(text, field=("referralCode",))
            ancestor = await User.get_or_none(id=ancestor.referred_by_id) if ancestor.referred_by_id else None
        return found.id

    @staticmethod
    async def find(code: str) -> User:
        """Return the account with this code. Raises InvalidInputError if it does not exist, or is a guest's.

        A guest has no mailbox to compare, and would invite itself, or the account that its own user signs up with.
        """
        code = code.strip().lower()
        usable = len(code) <= _MAX_CODE and code.isprintable()
        found = await User.get_or_none(referral_code=code) if usable else None
        if found is None or found.is_guest or not found.may_sign_in:
            raise InvalidInputError(message("This code does not exist."), field=("referralCode",))
        return found

    async def code_of(self, user: User) -> str:
        """Return an account's code, created now if a server of the previous release created the account."""
        while user.referral_code is None:
            with contextlib.suppress(IntegrityError):  # another account has it
                await User.filter(id=user.id, referral_code=None).update(referral_code=new_referral_code())
            user = await User.get(id=user.id)
        return user.referral_code

    @staticmethod
    async def counts(user_ids: Sequence[str]) -> dict[str, ReferralCounts]:
        """Return the counts of several accounts, by account; those whose code was never used are left out."""
        found = await rows(_COUNTS.format(placeholders(user_ids)), *user_ids)
        return {row["referred_by_id"]: ReferralCounts(int(row["signed_up"]), int(row["rewarded"])) for row in found}

    async def settle(self, user_id: str) -> bool:
        """Pay the bonuses of an invited account once it has a paid order and a verified address; return whether it did.

        Called outside of transactions, after either event. It raises nothing: `settle_all` retries what failed.
        """
        try:
            accounts = await self._settle(user_id)
        except Exception:  # the order, or the verification, is committed already
            log.warning("referral.settle_failed", user=user_id, exc_info=True)
            return False
        for account in accounts:
            await self._events.account_changed(account)
        return bool(accounts)

    async def settle_all(self) -> int:
        """Pay all bonuses that are due, such as those of a process that died; return for how many accounts."""
        if self._rules is None:
            return 0
        paid, last = 0, ""
        while due := await rows(
            "SELECT id FROM users WHERE id > $1 AND referred_by_id IS NOT NULL AND referral_paid_at IS NULL"
            " AND referred_by_id <> id AND email_verified AND deleted_at IS NULL AND EXISTS"
            " (SELECT 1 FROM purchases WHERE user_id = users.id AND status = 'PAID' AND net_amount > 0)"
            " ORDER BY id LIMIT $2",
            last,
            _BATCH,
        ):
            for row in due:
                last = row["id"]
                paid += await self.settle(last)
        return paid

    async def _settle(self, user_id: str) -> list[AccountChange]:
        user = await User.get_or_none(id=user_id)
        if self._rules is None or user is None or user.referral_paid_at is not None:
            return []
        if user.referred_by_id in (None, user.id):  # earlier releases let a guest sign up with its own code
            return []
        # A refunded order, or one that a discount made free, does not count: that would create credits from nothing.
        paid = Purchase.filter(user_id=user_id, status=PurchaseStatus.PAID, net_amount__gt=0)
        if not user.email_verified or not await paid.exists():
            return []
        identity = mailbox_identity(self._secret, user.email)
        try:
            return await run_tx(self._pay, self._rules, user.id, user.referred_by_id, identity)
        except (_NothingToPayError, NotFoundError):
            return []
        except IntegrityError:
            log.info("referral.already_paid", user=user_id)
            return []

    async def _pay(self, rules: ReferralRules, user_id: str, referrer_id: str, identity: str) -> list[AccountChange]:
        """Write both lines or none, in one transaction, because the cap is counted with the referrer's row locked.

        The two rows are locked in the order of their ids. Nothing else locks two accounts, so there is no deadlock.
        """
        present = [id for id in sorted((user_id, referrer_id)) if await _lock_and_bump(id)]
        if user_id not in present:
            raise NotFoundError
        now = datetime.now(UTC)
        unpaid = User.filter(id=user_id, referral_paid_at=None)
        if not await unpaid.update(referral_paid_at=now, referral_identity=identity):
            raise _NothingToPayError  # a concurrent duplicate paid it first
        if await User.filter(referred_by_id=referrer_id, referral_paid_at__isnull=False).count() > rules.cap:
            raise _NothingToPayError
        accounts = []
        for id in present:
            reference = f"referral:{user_id}:{'to' if id == user_id else 'from'}"
            line = LedgerLine(
                TransactionType.BONUS,
                rules.bonus,
                reference,
                metadata={"reason": "referral"},
                expires_at=ledger.expiry(self._expire_days),
            )
            accounts.append(await ledger.post(id, [line], version_bumped=True))
        return accounts


async def _lock_and_bump(user_id: str) -> bool:
    """Lock an account's row and bump its version; return False if the account was deleted."""
    try:
        await account_change.bump_version(user_id)
    except NotFoundError:
        return False
    return True
