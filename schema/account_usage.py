"""GraphQL types of what an account has made and stores."""

from datetime import datetime
from typing import Self

import strawberry

from services.gallery.user_stats import Stats
from services.media.quota import StorageQuota, StorageUsage


@strawberry.type(description="Statistics of an account; deleted generations are not counted.")
class UserStats:
    total_generations: int = strawberry.field(description="Completed generations.")
    failed_generations: int
    favorites: int
    credits_spent: int = strawberry.field(
        description="Credits: deductions minus refunds, deleted generations included."
    )
    last_generation_at: datetime | None = strawberry.field(
        description="When the newest completed generation was requested."
    )

    @classmethod
    def of(cls, stats: Stats) -> Self:
        return cls(
            total_generations=stats.total_generations,
            failed_generations=stats.failed_generations,
            favorites=stats.favorites,
            credits_spent=stats.credits_spent,
            last_generation_at=stats.last_generation_at,
        )


@strawberry.type(description="What an account stores; a request that would exceed it gets a StorageFullError.")
class UserStorage:
    used_bytes: float = strawberry.field(
        description="Bytes of originals and results, a whole number; thumbnails do not count."
    )
    max_bytes: float | None = strawberry.field(description="Null: unlimited.")
    generations: int = strawberry.field(
        description="Generations in any status; deleting one frees its place and its bytes at once."
    )
    max_generations: int | None = strawberry.field(description="Null: unlimited.")

    @classmethod
    def of(cls, usage: StorageUsage, quota: StorageQuota) -> Self:
        return cls(
            used_bytes=usage.used_bytes,
            max_bytes=quota.max_bytes or None,
            generations=usage.generations,
            max_generations=quota.max_generations or None,
        )
