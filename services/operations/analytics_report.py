"""The statistics of a window as plain values, read from the database."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class Bucket:
    """Statistics of generations that share one property."""

    key: str
    count: int
    failed: int
    credits: int  # their cost, without refunded ones


class Interval(StrEnum):
    """The length of a point of a series, aligned to UTC."""

    HOUR = "HOUR"
    DAY = "DAY"

    @property
    def seconds(self) -> int:
        return 3600 if self is Interval.HOUR else 86_400


@dataclass(frozen=True)
class Point:
    """Statistics of the generations that were requested in one interval of a window."""

    start: datetime
    generations: int = 0
    completed: int = 0
    failed: int = 0
    canceled: int = 0
    credits: int = 0  # their cost, without refunded ones
    provider_cost: float = 0.0  # US dollars
    active_users: int = 0


@dataclass(frozen=True)
class AccountUse:
    """Statistics of one account's generations."""

    user_id: str
    count: int
    completed: int
    failed: int
    credits: int
    provider_cost: float


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of the generations requested in a window."""

    generations: int
    completed: int
    failed: int
    canceled: int
    provider_cost: float  # US dollars
    by_style: tuple[Bucket, ...]
    by_provider: tuple[Bucket, ...]
    by_error: tuple[Bucket, ...]

    @property
    def success_rate(self) -> float | None:
        """The share of completed ones among completed and failed, 0 to 1; None if there are none of either."""
        ended = self.completed + self.failed
        return self.completed / ended if ended else None


@dataclass(frozen=True)
class Durations:
    """Seconds from the request to the completion of a window's generations."""

    average: float | None = None
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True)
class Users:
    """Accounts with a generation in a window."""

    active: int
    returning: int


@dataclass(frozen=True)
class Ledger:
    """Credits that moved in a window, all as positive numbers."""

    spent: int
    refunded: int
    purchased: int


@dataclass(frozen=True)
class PlanSales:
    """Sales and use of the passes of one plan."""

    plan: str
    sold: int
    expired: int
    average_images: float | None  # of those that expired
    average_videos: float | None
