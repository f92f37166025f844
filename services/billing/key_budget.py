"""The monthly cap of an API key on the credits that it spends, checked in the transaction of the charge."""

from collections.abc import Sequence

from models.accounts import ActingKey
from models.database.connection import database_time, placeholders, rows
from services.core.error import QuotaExceededError
from services.core.message import message
from services.core.month import month_of, next_month

# What the generations that a key has requested since a moment cost now: refunds of theirs count for the month of the
# request. The index of the ledger by key finds the deductions, that by generation the refunds.
_SPENT = (
    "SELECT charged.api_key_id, -SUM(line.amount) AS spent FROM credit_transactions AS charged"
    " JOIN credit_transactions AS line ON line.generation_id = charged.generation_id"
    " AND line.type IN ('DEDUCTION', 'REFUND')"
    " WHERE charged.api_key_id IN ({}) AND charged.created_at >= THIS_MONTH() GROUP BY charged.api_key_id"
)


async def spent_by(key_ids: Sequence[str]) -> dict[str, int]:
    """Return the credits that keys have spent in this month, without refunds; those that spent none are left out."""
    found = await rows(_SPENT.format(placeholders(key_ids)), *key_ids)
    return {row["api_key_id"]: int(row["spent"]) for row in found}


async def check(key: ActingKey | None, credits: int) -> None:
    """Check that a key may spend `credits` more in this month; 0 in a transaction that has written the deductions.

    That transaction holds the lock of the account, so that no other charge of the key is between this and its commit.

    Raises:
        QuotaExceededError: it may not.
    """
    if key is None or key.monthly_credits is None:
        return
    spent = (await spent_by([key.id])).get(key.id, 0)
    if spent + credits > key.monthly_credits:
        text = message("This API key may spend {limit} credits in a month.", limit=key.monthly_credits)
        raise QuotaExceededError(text, next_month(month_of(await database_time())))
