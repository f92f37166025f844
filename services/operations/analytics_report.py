"""What the figures of a window are: plain values, as the database was asked for them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bucket:
    """The generations that have something in common."""

    key: str
    count: int
    failed: int
    credits: int  # that they cost, without those that were refunded


@dataclass(frozen=True)
class Made:
    """What became of the generations of a window."""

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
        """Of those that ended by themselves, how many brought a picture, 0 to 1; None where none did."""
        ended = self.completed + self.failed
        return self.completed / ended if ended else None


@dataclass(frozen=True)
class Waits:
    """How long people waited for the pictures of a window, seconds from the order to the picture."""

    average: float | None = None
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True)
class Users:
    """Accounts that ordered in a window."""

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
    """How the passes of one plan were bought and used."""

    plan: str
    sold: int
    expired: int
    average_images: float | None  # of those that expired
    average_videos: float | None
