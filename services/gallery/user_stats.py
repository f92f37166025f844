"""Statistics of an account: completed and failed generations, favorites, credits spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.database import replica
from models.database.connection import placeholders, rows

# Each value is read from an index of its own, in which an account's rows are adjacent.
_STATS = """
SELECT id,
    (SELECT COUNT(*) FROM generations WHERE user_id = users.id AND deleted_at IS NULL AND status = 'COMPLETED')
        AS completed,
    (SELECT COUNT(*) FROM generations WHERE user_id = users.id AND deleted_at IS NULL AND status = 'FAILED') AS failed,
    (SELECT COUNT(*) FROM generations WHERE user_id = users.id AND deleted_at IS NULL AND is_favorite) AS favorites,
    (SELECT COALESCE(-SUM(amount), 0) FROM credit_transactions
        WHERE user_id = users.id AND type IN ('DEDUCTION', 'REFUND')) AS spent,
    (SELECT generations.created_at FROM generations WHERE user_id = users.id AND deleted_at IS NULL
        AND status = 'COMPLETED' ORDER BY generations.id DESC LIMIT 1) AS newest
FROM users WHERE id IN ({ids})
"""


@dataclass(frozen=True)
class Stats:
    """Statistics of one account. Deleted generations are not counted, but their cost stays in `credits_spent`."""

    total_generations: int = 0  # completed
    failed_generations: int = 0
    favorites: int = 0
    credits_spent: int = 0  # deductions less refunds
    last_generation_at: datetime | None = None  # creation time of the newest completed one


class StatsService:
    """Computes accounts' statistics."""

    async def by_users(self, user_ids: Sequence[str]) -> dict[str, Stats]:
        """Return the statistics of the given accounts that exist, by account."""
        distinct = list(dict.fromkeys(user_ids))
        sql = _STATS.format(ids=placeholders(distinct))
        (owner,) = distinct if len(distinct) == 1 else (None,)  # statistics of many accounts may be out of date
        found = await replica.read(lambda: rows(sql, *distinct), owner)
        return {row["id"]: _stats(row) for row in found}


def _stats(row: dict[str, Any]) -> Stats:
    newest = row["newest"]
    return Stats(
        total_generations=int(row["completed"]),
        failed_generations=int(row["failed"]),
        favorites=int(row["favorites"]),
        # Earlier releases returned to an account what a guest had spent before it was merged.
        credits_spent=max(int(row["spent"]), 0),
        last_generation_at=datetime.fromisoformat(newest) if isinstance(newest, str) else newest,
    )
