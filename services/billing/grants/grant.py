"""Grants: credits that expire. Spending takes what expires first, and a refund returns to the grant that paid.

What is left of each grant is a row; a deduction's ledger line says which grants paid it. Everything here runs inside
the transaction that writes the ledger lines, with the account's row locked. Accounts without grants never come here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from models import CreditGrant, CreditTransaction
from models.database.connection import database_time, rows
from models.enum import TransactionType

FROM_GRANTS = "grants"  # in a deduction's metadata: which lines' credits paid, in the order in which they were taken
EXPIRES = "expires"  # in the metadata of a line whose credits expire: when, as ISO 8601 in UTC
REFUND_DAYS = 7  # that refunded credits can be used for if they had expired meanwhile
KEPT_DAYS = 30  # after the expiry of a grant, for which a refund of what it paid is recognized


@dataclass
class Grant:
    """What is left of a grant. `is_open`: it has not expired; `is_new`: its row is not written yet."""

    id: str
    type: TransactionType
    amount: int
    remaining: int
    expires_at: datetime
    is_new: bool = False
    written: int = 0  # what is left according to its row
    is_closed: bool = False  # by one of these lines

    @classmethod
    def of(cls, row: CreditGrant) -> "Grant":
        return cls(row.id, row.type, row.amount, row.remaining, row.expires_at, written=row.remaining)


@dataclass
class Allocation:
    """The grants of one account while lines are written, which change them one after another.

    `deductions`: credits and the paying grants of deductions that a line may refund, by generation.
    """

    grants: list[Grant]
    now: datetime
    deductions: Mapping[str, tuple[int, dict[str, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.grants.sort(key=_order)

    @property
    def remaining(self) -> int:
        """What is left of all grants together."""
        return sum(grant.remaining for grant in self.grants)

    def take(self, credits: int, balance: int, first: str | None = None) -> dict[str, int]:
        """Take credits from the grant `first`, then from what expires first, and return what each grant gave.

        What the grants do not have is taken from the credits that never expire. `balance`: after the line.
        """
        taken: dict[str, int] = {}
        for grant in sorted(self.grants, key=lambda each: each.id != first):
            part = min(grant.remaining, credits)
            if part > 0:
                grant.remaining -= part
                credits -= part
                taken[grant.id] = part
        self.trim(balance)
        return taken

    def expire(self, id: str, balance: int) -> None:
        """Close a grant for good, whose rest a line has taken: a refund makes a grant of its own then."""
        for grant in self.grants:
            if grant.id == id:
                grant.remaining, grant.expires_at, grant.is_closed = 0, min(grant.expires_at, self.now), True
        self.trim(balance)

    def add(self, id: str, type: TransactionType, credits: int, expires_at: datetime, balance: int) -> None:
        """Add a grant. `balance`: after its line; what paid a debt is not left of it."""
        remaining = min(credits, self._room(balance))
        self.grants.append(Grant(id, type, credits, remaining, expires_at, is_new=True))
        self.grants.sort(key=_order)

    def give_back(self, id: str, generation_id: str, credits: int, balance: int, *, in_part: bool) -> None:
        """Return credits to the grants that paid for a generation. `id`: of the refund's line.

        A refund in part returns what was taken last, as if the lower price had been charged. What a grant paid that has
        expired meanwhile becomes a grant of its own for some days.
        """
        cost, paid = self.deductions.get(generation_id, (0, {}))
        from_grants = sum(paid.values())
        if in_part:
            due = max(credits - (cost - from_grants), 0)
        else:  # all that an earlier refund in part has left
            earlier = cost - credits
            due = from_grants - max(earlier - (cost - from_grants), 0)
            paid = _first(paid, due)
        due = min(due, self._room(balance))
        known = {grant.id: grant for grant in self.grants}
        expired = 0
        for grant_id, part in reversed(paid.items()):
            back = min(part, due)
            due -= back
            grant = known.get(grant_id)
            if grant is not None and grant.expires_at > self.now:
                grant.remaining += back
            else:
                expired += back
        if expired:
            self.add(id, TransactionType.REFUND, expired, self.now + timedelta(days=REFUND_DAYS), balance)

    def trim(self, balance: int) -> None:
        """Never keep more than the account has: a server of an earlier release spends without regard to grants."""
        excess = self.remaining - max(balance, 0)
        for grant in self.grants:
            part = min(max(excess, 0), grant.remaining)
            grant.remaining -= part
            excess -= part

    def _room(self, balance: int) -> int:
        return max(max(balance, 0) - self.remaining, 0)


def _order(grant: Grant) -> tuple[datetime, str]:
    return grant.expires_at, grant.id


def _first(paid: Mapping[str, int], credits: int) -> dict[str, int]:
    """Return the first `credits` of what grants paid."""
    kept = {}
    for grant_id, part in paid.items():
        kept[grant_id] = min(part, credits)
        credits -= kept[grant_id]
    return {grant_id: part for grant_id, part in kept.items() if part}


async def load(user_id: str, refunded: Sequence[str], *, closes: bool = False) -> Allocation:
    """Read an account's grants, and the deductions of generations that are refunded. `closes`: a line closes one."""
    grants = [Grant.of(row) for row in await CreditGrant.filter(user_id=user_id, **({} if refunded else _LEFT))]
    deductions = {}
    now = await database_time() if refunded or closes else datetime.now(UTC)
    if refunded:
        lines = CreditTransaction.filter(generation_id__in=list(refunded), type=TransactionType.DEDUCTION)
        for line in await lines:
            paid = {part["transaction"]: part["credits"] for part in (line.metadata or {}).get(FROM_GRANTS, ())}
            deductions[str(line.generation_id)] = (-line.amount, paid)
    return Allocation(grants, now, deductions)


_LEFT = {"remaining__gt": 0}


async def store(user_id: str, allocation: Allocation) -> None:
    """Write what has changed, after the ledger's lines."""
    for grant in allocation.grants:
        if not grant.is_new and (grant.is_closed or grant.remaining != grant.written):
            await CreditGrant.filter(id=grant.id).update(remaining=grant.remaining, expires_at=grant.expires_at)
    new = [grant for grant in allocation.grants if grant.is_new]
    if new:
        await CreditGrant.bulk_create(_row(user_id, grant) for grant in new)


def _row(user_id: str, grant: Grant) -> CreditGrant:
    return CreditGrant(
        id=grant.id,
        user_id=user_id,
        type=grant.type,
        amount=grant.amount,
        remaining=grant.remaining,
        expires_at=grant.expires_at,
    )


async def id_of(reference: str) -> str | None:
    """Return the grant that a ledger line with this reference gave; None if there is no such line."""
    found = await rows("SELECT id FROM credit_transactions WHERE reference = $1", reference)
    return found[0]["id"] if found else None


async def open_grants(user_ids: Iterable[str]) -> dict[str, list[CreditGrant]]:
    """Return the grants of these accounts of which something is left, by account, soonest first."""
    found: dict[str, list[CreditGrant]] = {}
    query = CreditGrant.filter(user_id__in=list(user_ids), **_LEFT).order_by("expires_at", "id")
    for row in await query:
        found.setdefault(row.user_id, []).append(row)
    return found
