"""Credits: every change is a line of the append-only ledger, written together with the resulting balance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tortoise.queryset import QuerySet

from models import CreditTransaction, User, ids
from models.database.connection import rows
from models.enum import Quality, TransactionType
from services.billing.grants import grant
from services.core.error import InsufficientCreditsError, NotFoundError
from services.core.pagination import MAX_SIZE, Page, PageRequest, created_between, paginate, replica_page
from services.events.account_change import AccountChange

# A reversed purchase may be spent already, and an admin's decision is final: these lines may overdraw an account.
_MAY_OVERDRAW = (TransactionType.REVERSAL, TransactionType.ADMIN)

MAX_LINE = 1_000_000  # credits of one line

SMALLER = "smaller"  # the reason of a refund in part


@dataclass(frozen=True)
class LedgerLine:
    """A line to be written. `reference` is unique in the whole ledger, so that a line cannot be written twice."""

    type: TransactionType
    amount: int  # credits, negative for a deduction
    reference: str
    generation_id: str | None = None
    metadata: dict[str, Any] | None = None
    api_key_id: str | None = None  # of a deduction: the key that requested it
    price: int | None = None  # minor units: what was paid for a purchase or a month, or refunded for a reversal
    currency: str | None = None  # ISO 4217, lower case; set if and only if there is a price
    expires_at: datetime | None = None  # of credits that are given; None: never
    source: str | None = None  # of credits that are taken: the line whose credits go first, by its id or reference


async def post(user_id: str, lines: Sequence[LedgerLine], *, version_bumped: bool = False) -> AccountChange:
    """Write `lines` and update the balance, inside a transaction; the conditional update comes first.

    Only reversals and adjustments may make the balance negative; the account can spend again once it is above zero.
    `version_bumped`: this transaction has called `bump_version` already, which decided whether the account may be
    deleted.

    Raises:
        InsufficientCreditsError: the lines together exceed the balance; the transaction must be rolled back.
        NotFoundError: there is no such account, or it was deleted.
        IntegrityError: a reference is in the ledger already.
    """
    total = sum(line.amount for line in lines)
    may_overdraw = all(line.type in _MAY_OVERDRAW for line in lines if line.amount < 0)
    found = await rows(
        "UPDATE users SET credits = credits + $2, overdraft_allowed = (credits + $2 < 0),"
        " ledger_sequence = ledger_sequence + $3, version = version + $4, has_grants = has_grants OR $6,"
        " updated_at = NOW()"
        " WHERE id = $1 AND (credits + $2 >= 0 OR $2 >= 0 OR $5) AND ($4 = 0 OR deleted_at IS NULL)"
        " RETURNING credits, version, ledger_sequence, has_grants",
        user_id,
        total,
        len(lines),
        0 if version_bumped else 1,
        may_overdraw,
        any(line.expires_at is not None for line in lines),
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
        row = new_row(user_id, line, datetime.now(UTC))
        row.sequence, row.balance, row.account_version = sequence, balance, version
        written.append(row)
    allocation = await _allocate(user_id, lines, written) if found[0]["has_grants"] else None
    await CreditTransaction.bulk_create(written)
    if allocation is not None:
        await grant.store(user_id, allocation)
    return AccountChange(user_id, credits, version, newest, tuple(written))


async def _allocate(
    user_id: str, lines: Sequence[LedgerLine], written: Sequence[CreditTransaction]
) -> grant.Allocation:
    """Return the account's grants after these lines, and name in each deduction the grants that pay it."""
    refunded = [line.generation_id for line in lines if line.type is TransactionType.REFUND and line.generation_id]
    closes = any(line.type is TransactionType.EXPIRY for line in lines)
    allocation = await grant.load(user_id, refunded, closes=closes)
    for line, row in zip(lines, written, strict=True):
        if line.amount < 0:
            source = line.source
            if source is not None and not ids.is_id(source, ids.TRANSACTION):
                source = await grant.id_of(source)
            taken = allocation.take(-line.amount, row.balance, source)
            if line.type is TransactionType.EXPIRY and source is not None:
                allocation.expire(source, row.balance)
            elif line.type is TransactionType.DEDUCTION and taken:
                paid = [{"transaction": id, "credits": part} for id, part in taken.items()]
                row.metadata = {**(row.metadata or {}), grant.FROM_GRANTS: paid}
        elif line.expires_at is not None:
            allocation.add(row.id, line.type, line.amount, line.expires_at, row.balance)
        elif line.type is TransactionType.REFUND and line.generation_id is not None:
            in_part = (line.metadata or {}).get("reason") == SMALLER
            allocation.give_back(row.id, line.generation_id, line.amount, row.balance, in_part=in_part)
        else:  # a debt may have been paid
            allocation.trim(row.balance)
    return allocation


def new_row(user_id: str, line: LedgerLine, created_at: datetime) -> CreditTransaction:
    """Return the row of a line, not yet written; its sequence, balance and version follow from the account's row."""
    return CreditTransaction(
        user_id=user_id,
        type=line.type,
        amount=line.amount,
        reference=line.reference,
        generation_id=line.generation_id,
        price=line.price,
        currency=line.currency,
        metadata=line.metadata
        if line.expires_at is None
        else {**(line.metadata or {}), grant.EXPIRES: line.expires_at.astimezone(UTC).isoformat(timespec="seconds")},
        api_key_id=line.api_key_id,
        created_at=created_at,
    )


def expires_at(line: CreditTransaction) -> datetime | None:
    """Return when the credits that a line gave expire; None: never, or it took some."""
    moment = (line.metadata or {}).get(grant.EXPIRES)
    return datetime.fromisoformat(moment) if moment is not None else None


def signup_reference(user_id: str) -> str:
    """Return the reference of an account's sign-up bonus."""
    return f"signup:{user_id}"


def guest_reference(user_id: str) -> str:
    """Return the reference of the bonus that an account got as a guest."""
    return f"guest:{user_id}"


def signup_bonus(user_id: str, credits: int, expire_days: int | None = None) -> list[LedgerLine]:
    """Return the line of a sign-up bonus; none if the profile grants no credits."""
    if not credits:
        return []
    reason, expires_at = {"reason": "signup"}, expiry(expire_days)
    line = LedgerLine(TransactionType.BONUS, credits, signup_reference(user_id), metadata=reason, expires_at=expires_at)
    return [line]


def expiry(days: int | None, given_at: datetime | None = None) -> datetime | None:
    """Return when credits that are given then, by default now, expire; None: never."""
    return None if days is None else (given_at or datetime.now(UTC)) + timedelta(days=days)


def deduction(generation_id: str, cost: int, api_key_id: str | None = None) -> list[LedgerLine]:
    """Return the line that pays for a generation; none if it is free. `api_key_id`: the key that requests it."""
    reference = f"deduct:{generation_id}"
    line = LedgerLine(TransactionType.DEDUCTION, -cost, reference, generation_id, api_key_id=api_key_id)
    return [line] if cost else []


def refund(generation_id: str, cost: int) -> list[LedgerLine]:
    """Return the line that refunds a generation; none if it was free."""
    return [LedgerLine(TransactionType.REFUND, cost, f"refund:{generation_id}", generation_id)] if cost else []


def size_refund(generation_id: str, credits: int, ordered: Quality, delivered: Quality) -> LedgerLine:
    """Return the line that returns the difference where an image of a lower quality came than was ordered."""
    reason = {"reason": SMALLER, "ordered": ordered.value, "delivered": delivered.value}
    return LedgerLine(TransactionType.REFUND, credits, f"refund-size:{generation_id}", generation_id, reason)


@dataclass(frozen=True)
class TransactionFilter:
    """Conditions for a list of ledger lines."""

    types: tuple[TransactionType, ...] | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def _filter_types(query: QuerySet[CreditTransaction], wanted: TransactionFilter) -> QuerySet[CreditTransaction]:
    return query if wanted.types is None else query.filter(type__in=wanted.types)


class LedgerService:
    """Reads the ledger."""

    async def transactions(
        self, user_id: str, request: PageRequest[int], wanted: TransactionFilter
    ) -> Page[CreditTransaction, int]:
        """Return a page of an account's lines, newest first."""
        query = _filter_types(CreditTransaction.filter(user_id=user_id), wanted)
        query = created_between(query, wanted.created_after, wanted.created_before)
        return await replica_page(lambda: paginate(query, request, key="sequence", descending=True), user_id)

    async def all_transactions(
        self, request: PageRequest[str], wanted: TransactionFilter
    ) -> Page[CreditTransaction, str]:
        """Return a page of all accounts' lines, newest first, for admins."""
        query = _filter_types(CreditTransaction.all(), wanted)
        query = created_between(query, wanted.created_after, wanted.created_before, prefix=ids.TRANSACTION)
        return await replica_page(lambda: paginate(query, request, key="id", descending=True))

    async def transaction(self, user_id: str, transaction_id: str) -> CreditTransaction:
        """Return one of the account's lines.

        Raises:
            NotFoundError: it does not exist, or belongs to another account.
        """
        found = await CreditTransaction.get_or_none(id=transaction_id, user_id=user_id)
        if found is None:
            raise NotFoundError
        return found

    async def by_ids(self, user_id: str, transaction_ids: list[str]) -> dict[str, CreditTransaction]:
        """Return the account's lines with these ids, by id."""
        found = CreditTransaction.filter(id__in=transaction_ids, user_id=user_id)
        return {line.id: line for line in await found}

    async def all_by_ids(self, transaction_ids: list[str]) -> dict[str, CreditTransaction]:
        """Return the lines with these ids, of any account, by id, for admins."""
        return {line.id: line for line in await CreditTransaction.filter(id__in=transaction_ids)}

    async def since(self, user_id: str, sequence: int, limit: int = MAX_SIZE) -> list[CreditTransaction]:
        """Return at most `limit` lines after `sequence`, oldest first."""
        query = CreditTransaction.filter(user_id=user_id, sequence__gt=sequence)
        return await query.order_by("sequence").limit(limit)
