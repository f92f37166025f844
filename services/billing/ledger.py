"""Credits: every movement is a line of the append-only ledger, written together with the balance it makes."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tortoise.exceptions import IntegrityError
from tortoise.queryset import QuerySet

from models import CreditTransaction, User, ids
from models.database.connection import rows, run_tx
from models.enum import TransactionType
from services.core.error import InsufficientCreditsError, NotFoundError
from services.core.pagination import MAX_SIZE, Page, PageRequest, created_between, paginate
from services.events.account_change import AccountChange

# What is taken back of a purchase may be spent already, and an admin decides alone: these lines pass below zero.
_MAY_OVERDRAW = (TransactionType.REVERSAL, TransactionType.ADMIN)


@dataclass(frozen=True)
class LedgerLine:
    """A line to be written. `reference` is unique in the whole ledger: the same line cannot be written twice."""

    type: TransactionType
    amount: int  # credits, negative when they leave
    reference: str
    generation_id: str | None = None
    metadata: dict[str, Any] | None = None
    price: int | None = None  # minor units: what was paid for a purchase or a month, or given back for a reversal
    currency: str | None = None  # ISO 4217, lower case; exactly where there is a price


async def post(user_id: str, lines: Sequence[LedgerLine], *, version_bumped: bool = False) -> AccountChange:
    """Write `lines` and move the balance, inside a transaction; the conditional update comes first.

    Only reversals and what admins take may leave less than nothing; such an account spends again from zero up.
    `touched`: this transaction has moved the account's version already, and `touch` has said whether it may be gone.

    Raises:
        InsufficientCreditsError: the lines together spend more than there is; the caller's transaction must end.
        NotFoundError: there is no such account, or it is gone.
        IntegrityError: a reference is in the ledger already.
    """
    total = sum(line.amount for line in lines)
    may_overdraw = all(line.type in _MAY_OVERDRAW for line in lines if line.amount < 0)
    found = await rows(
        "UPDATE users SET credits = credits + $2, overdraft_allowed = (credits + $2 < 0),"
        " ledger_sequence = ledger_sequence + $3, version = version + $4, updated_at = NOW()"
        " WHERE id = $1 AND (credits + $2 >= 0 OR $2 >= 0 OR $5) AND ($4 = 0 OR deleted_at IS NULL)"
        " RETURNING credits, version, ledger_sequence",
        user_id,
        total,
        len(lines),
        0 if version_bumped else 1,
        may_overdraw,
    )
    if not found:
        user = await User.get_or_none(id=user_id)
        if user is None or (user.deleted_at is not None and not version_bumped):
            raise NotFoundError
        raise InsufficientCreditsError(required=-total, balance=user.credits)
    credits, version, newest = (int(found[0][name]) for name in ("credits", "version", "ledger_sequence"))
    balance = credits - total
    first = newest - len(lines) + 1
    written = []
    for sequence, line in enumerate(lines, first):
        balance += line.amount
        written.append(
            CreditTransaction(
                user_id=user_id,
                sequence=sequence,
                type=line.type,
                amount=line.amount,
                balance=balance,
                account_version=version,
                reference=line.reference,
                generation_id=line.generation_id,
                price=line.price,
                currency=line.currency,
                metadata=line.metadata,
                created_at=datetime.now(UTC),
            )
        )
    await CreditTransaction.bulk_create(written)
    return AccountChange(user_id, credits, version, newest, tuple(written))


def signup_bonus(user_id: str, credits: int) -> list[LedgerLine]:
    """The line a new account starts with; none where the profile gives nothing."""
    return (
        [LedgerLine(TransactionType.BONUS, credits, f"signup:{user_id}", metadata={"reason": "signup"})]
        if credits
        else []
    )


def deduction(generation_id: str, cost: int) -> list[LedgerLine]:
    """The line that pays for a generation; a free one needs none."""
    return [LedgerLine(TransactionType.DEDUCTION, -cost, f"deduct:{generation_id}", generation_id)] if cost else []


def refund(generation_id: str, cost: int) -> list[LedgerLine]:
    """The line that gives a generation's credits back."""
    return [LedgerLine(TransactionType.REFUND, cost, f"refund:{generation_id}", generation_id)] if cost else []


@dataclass(frozen=True)
class TransactionFilter:
    """Which lines of a ledger to show."""

    types: tuple[TransactionType, ...] | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def _of_types(query: QuerySet[CreditTransaction], wanted: TransactionFilter) -> QuerySet[CreditTransaction]:
    return query if wanted.types is None else query.filter(type__in=wanted.types)


class LedgerService:
    """Reads of the ledger, and grants that stand alone."""

    async def grant_missing_signup_bonuses(self, credits: int) -> int:
        """Pay accounts that never got their sign-up line, and say how many there were."""
        if not credits:
            return 0
        missing = await rows(
            "SELECT id FROM users WHERE deleted_at IS NULL AND NOT EXISTS"
            " (SELECT 1 FROM credit_transactions WHERE reference = 'signup:' || users.id) ORDER BY id"
        )
        paid = 0
        for row in missing:
            with contextlib.suppress(IntegrityError, NotFoundError):  # another process was faster, or its owner
                await run_tx(post, row["id"], signup_bonus(row["id"], credits))
                paid += 1
        return paid

    async def transactions(
        self, user_id: str, request: PageRequest[int], wanted: TransactionFilter
    ) -> Page[CreditTransaction, int]:
        """An account's lines, newest first."""
        query = _of_types(CreditTransaction.filter(user_id=user_id), wanted)
        query = created_between(query, wanted.created_after, wanted.created_before)
        return await paginate(query, request, key="sequence", descending=True)

    async def all_transactions(
        self, request: PageRequest[str], wanted: TransactionFilter
    ) -> Page[CreditTransaction, str]:
        """The lines of all accounts, newest first, for admins."""
        query = _of_types(CreditTransaction.all(), wanted)
        query = created_between(query, wanted.created_after, wanted.created_before, prefix=ids.TRANSACTION)
        return await paginate(query, request, key="id", descending=True)

    async def transaction(self, user_id: str, transaction_id: str) -> CreditTransaction:
        """One line of one's own.

        Raises:
            NotFoundError: not there, or not this account's.
        """
        found = await CreditTransaction.get_or_none(id=transaction_id, user_id=user_id)
        if found is None:
            raise NotFoundError
        return found

    async def by_ids(self, user_id: str, transaction_ids: list[str]) -> dict[str, CreditTransaction]:
        """Those of these lines that are the account's own."""
        found = CreditTransaction.filter(id__in=transaction_ids, user_id=user_id)
        return {line.id: line for line in await found}

    async def all_by_ids(self, transaction_ids: list[str]) -> dict[str, CreditTransaction]:
        """Those of these lines that there are, for admins."""
        return {line.id: line for line in await CreditTransaction.filter(id__in=transaction_ids)}

    async def since(self, user_id: str, sequence: int, limit: int = MAX_SIZE) -> list[CreditTransaction]:
        """The lines after `sequence`, oldest first, `limit` at most."""
        query = CreditTransaction.filter(user_id=user_id, sequence__gt=sequence)
        return await query.order_by("sequence").limit(limit)
