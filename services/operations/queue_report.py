"""The queue as an operator sees it: what waits, by account and age, and generations that ended without a result."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.database.connection import as_datetime, rows

_FAILED_SECONDS = 24 * 3600.0  # of failed generations that are listed


@dataclass(frozen=True)
class WaitingAccount:
    """An account's generations that wait."""

    user_id: str
    waiting: int
    in_progress: int
    oldest_seconds: float


@dataclass(frozen=True)
class WaitingGeneration:
    """One generation that waits; `attempts`: claims of it that were given back."""

    id: str
    user_id: str
    media: str
    priority: int
    attempts: int
    waiting_seconds: float


@dataclass(frozen=True)
class FailedGeneration:
    """One generation that has failed."""

    id: str
    user_id: str
    code: str
    attempts: int
    provider_calls: int
    is_refunded: bool
    ended_at: datetime


async def waiting_accounts(limit: int) -> list[WaitingAccount]:
    """Return accounts with waiting generations, that of the oldest first."""
    found = await rows(
        "SELECT user_id, SUM(CASE WHEN status = 'PENDING' THEN 1 ELSE 0 END) AS waiting,"
        " SUM(CASE WHEN status = 'PROCESSING' THEN 1 ELSE 0 END) AS in_progress,"
        " MIN(CASE WHEN status = 'PENDING' THEN created_at END) AS oldest, NOW() AS now"
        " FROM generations WHERE status IN ('PENDING', 'PROCESSING') GROUP BY user_id"
        " HAVING SUM(CASE WHEN status = 'PENDING' THEN 1 ELSE 0 END) > 0 ORDER BY oldest, user_id LIMIT $1",
        limit,
    )
    return [
        WaitingAccount(row["user_id"], int(row["waiting"]), int(row["in_progress"]), _seconds(row, "oldest"))
        for row in found
    ]


async def waiting_generations(limit: int) -> list[WaitingGeneration]:
    """Return waiting generations, the oldest first."""
    found = await rows(
        "SELECT id, user_id, media, priority, attempts, created_at, NOW() AS now FROM generations"
        " WHERE status = 'PENDING' ORDER BY created_at, id LIMIT $1",
        limit,
    )
    return [
        WaitingGeneration(
            row["id"], row["user_id"], row["media"], row["priority"], row["attempts"], _seconds(row, "created_at")
        )
        for row in found
    ]


async def failed_generations(limit: int) -> list[FailedGeneration]:
    """Return generations that failed in the last 24 hours, the newest first."""
    found = await rows(
        "SELECT id, user_id, error_code, attempts, provider_calls, refunded, completed_at FROM generations"
        " WHERE status = 'FAILED' AND completed_at > LATER($1) ORDER BY completed_at DESC, id LIMIT $2",
        -_FAILED_SECONDS,
        limit,
    )
    return [
        FailedGeneration(
            row["id"],
            row["user_id"],
            row["error_code"] or "",
            row["attempts"],
            row["provider_calls"],
            bool(row["refunded"]),
            as_datetime(row["completed_at"]),
        )
        for row in found
    ]


def _seconds(row: dict[str, Any], column: str) -> float:
    return max((as_datetime(row["now"]) - as_datetime(row[column])).total_seconds(), 0.0)
