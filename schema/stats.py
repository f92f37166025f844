"""Figures of an account, as its owner sees them."""

from datetime import datetime
from typing import Self

import strawberry

from services.gallery.user_stats import Stats


@strawberry.type(description="What an account has made and spent; deleted generations are not counted.")
class UserStats:
    total_generations: int = strawberry.field(description="Completed.")
    failed_generations: int
    favorites: int
    credits_spent: int = strawberry.field(description="Deductions less refunds, deleted generations included.")
    last_generation_at: datetime | None

    @classmethod
    def of(cls, stats: Stats) -> Self:
        return cls(
            total_generations=stats.total_generations,
            failed_generations=stats.failed_generations,
            favorites=stats.favorites,
            credits_spent=stats.credits_spent,
            last_generation_at=stats.last_generation_at,
        )
