"""Passes, and their allowances: how many generations an account may make in each hour of a pass.

Every change locks the account's row first, so what is read in such a transaction does not change until its end. The
clock is the database's: a pass begins and ends for every server at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from models import Pass, Plan
from models.database.connection import as_datetime, database_time, placeholders, rows
from models.enum import MediaKind, Quality
from services.events import account_change
from services.events.account_change import AccountChange

HOUR = timedelta(hours=1)

# Only the newest hour of a pass can be the current one. `now` is read once, so that the hour computed from it is one in
# which the pass was still running.
_ACTIVE = """
SELECT p.id, p.user_id, p.plan_id, p.started_at, p.expires_at, p.images_per_hour, p.videos_per_hour,
    p.images_used, p.videos_used, p.quality AS highest_quality, p.collections, t.now, h.hour, h.images, h.videos
FROM (SELECT NOW() AS now) AS t
JOIN passes p ON p.started_at <= t.now AND p.expires_at > t.now AND p.revoked_at IS NULL
LEFT JOIN pass_hours h ON h.holder_id = p.id AND h.hour = (SELECT MAX(hour) FROM pass_hours WHERE holder_id = p.id)
WHERE p.user_id IN ({}) ORDER BY p.started_at
"""

_FOLLOWING = """
SELECT user_id, plan_id, started_at, expires_at, images_per_hour, videos_per_hour FROM passes
WHERE user_id IN ({}) AND revoked_at IS NULL AND started_at > NOW() ORDER BY started_at
"""


@dataclass(frozen=True)
class Allowance:
    """The allowance of a pass for one medium, and its usage."""

    per_hour: int
    used: int  # in the current hour
    used_in_total: int  # in all its hours
    resets_at: datetime

    @property
    def remaining(self) -> int:
        """Return how many more may be made in the current hour."""
        return max(self.per_hour - self.used, 0)


@dataclass(frozen=True)
class FollowingPass:
    """A pass that has been paid for and has not begun."""

    plan_id: str
    starts_at: datetime
    expires_at: datetime
    images_per_hour: int
    videos_per_hour: int


@dataclass(frozen=True)
class ActivePass:
    """A running pass with its usage in the current hour. Hours are counted from 0."""

    id: str
    plan_id: str
    started_at: datetime
    expires_at: datetime
    hour: int
    images: Allowance
    videos: Allowance
    quality: Quality | None = None  # the highest that it pays for; None: any
    collections: tuple[str, ...] | None = None  # slugs of those that it pays for; None: all

    def of(self, media: MediaKind) -> Allowance:
        return self.images if media is MediaKind.IMAGE else self.videos


async def following_of(user_ids: Sequence[str]) -> dict[str, list[FollowingPass]]:
    """Return the passes of several accounts that have been paid for and have not begun, by account, the next first."""
    found: dict[str, list[FollowingPass]] = {}
    for row in await rows(_FOLLOWING.format(placeholders(user_ids)), *user_ids):
        one = FollowingPass(
            plan_id=row["plan_id"],
            starts_at=as_datetime(row["started_at"]),
            expires_at=as_datetime(row["expires_at"]),
            images_per_hour=row["images_per_hour"],
            videos_per_hour=row["videos_per_hour"],
        )
        found.setdefault(row["user_id"], []).append(one)
    return found


async def active(user_id: str) -> ActivePass | None:
    """Return the account's active pass, or None. A pass that follows it is not active yet."""
    return (await active_of([user_id])).get(user_id)


async def active_of(user_ids: Sequence[str]) -> dict[str, ActivePass]:
    """Return the active passes of several accounts, by account."""
    found = await rows(_ACTIVE.format(placeholders(user_ids)), *user_ids)
    return {row["user_id"]: active_from(row) for row in found}


def active_sql(user_id: str) -> str:
    """Return the SELECT of the active pass of the account `user_id`, an expression, as part of another statement."""
    return _ACTIVE.format(user_id)


def active_from(row: Mapping[str, Any]) -> ActivePass:
    """Return the pass of a row of `active_sql`."""
    now, started_at = as_datetime(row["now"]), as_datetime(row["started_at"])
    hour = (now - started_at) // HOUR
    is_counted = row["hour"] == hour
    resets_at = started_at + (hour + 1) * HOUR

    def allowance(media: str) -> Allowance:
        used = row[media] if is_counted else 0
        return Allowance(row[f"{media}_per_hour"], used, row[f"{media}_used"], resets_at)

    return ActivePass(
        id=row["id"],
        plan_id=row["plan_id"],
        started_at=started_at,
        expires_at=as_datetime(row["expires_at"]),
        hour=hour,
        images=allowance("images"),
        videos=allowance("videos"),
        quality=Quality(row["highest_quality"]) if row["highest_quality"] is not None else None,
        collections=_slugs(row["collections"]),
    )


def _slugs(stored: str | list[str] | None) -> tuple[str, ...] | None:
    """Return the list of a JSON column, which a statement of ours returns as text."""
    found = orjson.loads(stored) if isinstance(stored, str) else stored
    return None if found is None else tuple(found)


async def use(pass_: ActivePass, media: MediaKind, count: int) -> bool:
    """Use `count` of the current hour's allowance, all or nothing, and return whether it was enough.

    Inside a transaction that has locked the account's row, and in which `pass_` was read.
    """
    images, videos = _by_media(media, count)
    found = await rows(
        "INSERT INTO pass_hours (holder_id, hour, images, videos)"
        " SELECT id, CAST($2 AS INT), CAST($3 AS INT), CAST($4 AS INT) FROM passes"
        " WHERE id = $1 AND $3 <= images_per_hour AND $4 <= videos_per_hour"
        " ON CONFLICT (holder_id, hour) DO UPDATE"
        " SET images = pass_hours.images + excluded.images, videos = pass_hours.videos + excluded.videos"
        " WHERE pass_hours.images + excluded.images <= $5 AND pass_hours.videos + excluded.videos <= $6"
        " RETURNING hour",
        pass_.id,
        pass_.hour,
        images,
        videos,
        pass_.images.per_hour,
        pass_.videos.per_hour,
    )
    if found:
        await _add_to_total(pass_.id, images, videos)
    return bool(found)


async def give_back(pass_id: str, hour: int, media: MediaKind, count: int) -> None:
    """Return `count` to the hour that used them, inside a transaction that has locked the account."""
    images, videos = _by_media(media, count)
    await rows(
        "UPDATE pass_hours SET images = images - $3, videos = videos - $4"
        " WHERE holder_id = $1 AND hour = $2 RETURNING hour",
        pass_id,
        hour,
        images,
        videos,
    )
    await _add_to_total(pass_id, -images, -videos)


async def _add_to_total(pass_id: str, images: int, videos: int) -> None:
    await rows(
        "UPDATE passes SET images_used = images_used + $2, videos_used = videos_used + $3, updated_at = NOW()"
        " WHERE id = $1 RETURNING id",
        pass_id,
        images,
        videos,
    )


def _by_media(media: MediaKind, count: int) -> tuple[int, int]:
    return (count, 0) if media is MediaKind.IMAGE else (0, count)


async def grant(
    user_id: str, plan: Plan, reference: str, hours: int | None = None, *, account: AccountChange | None = None
) -> AccountChange:
    """Grant an account a pass, inside a transaction. It starts when the account's last pass ends, else at once.

    `reference` names the payment: the same one grants nothing again. `hours`: how long it lasts, None for the plan's
    duration. `account`: the change of the account, if this transaction has bumped its version already.

    Raises:
        NotFoundError: there is no such account, or it was deleted.
        ValueError: the plan is not a pass.
    """
    duration = plan.duration_hours if hours is None else hours
    if duration is None or plan.images_per_hour is None or plan.videos_per_hour is None:
        raise ValueError(f"{plan.slug} is not a pass")
    account = account or await account_change.bump_version(user_id)
    if await Pass.filter(reference=reference).exists():
        return account
    now = await database_time()
    last = (
        await Pass.filter(user_id=user_id, revoked_at__isnull=True, expires_at__gt=now).order_by("-expires_at").first()
    )
    starts_at = last.expires_at if last else now
    await Pass.create(
        user_id=user_id,
        plan_id=plan.id,
        reference=reference,
        images_per_hour=plan.images_per_hour,
        videos_per_hour=plan.videos_per_hour,
        quality=plan.quality,
        collections=plan.collections,
        started_at=starts_at,
        expires_at=starts_at + duration * HOUR,
    )
    return account.with_entitlements()


async def revoke(reference: str, *, account: AccountChange | None = None) -> AccountChange | None:
    """End the pass with this reference at once, inside a transaction; the following passes start that much earlier.

    `account`: as in `grant`. Returns None if there is no such pass.
    """
    found = await Pass.get_or_none(reference=reference)
    if found is None:
        return None
    account = account or await account_change.bump_version(found.user_id, include_deleted=True)
    ended = await rows(
        "UPDATE passes SET revoked_at = NOW(), updated_at = NOW() WHERE id = $1 AND revoked_at IS NULL RETURNING id",
        found.id,
    )
    if not ended:
        return account
    await _shift_following_passes(found.user_id)
    return account.with_entitlements()


async def _shift_following_passes(user_id: str) -> None:
    now = await database_time()
    remaining = await Pass.filter(user_id=user_id, revoked_at__isnull=True, expires_at__gt=now).order_by("started_at")
    free_at = now
    for row in remaining:
        starts_at = row.started_at if row.started_at <= now else free_at
        free_at = starts_at + (row.expires_at - row.started_at)
        await Pass.filter(id=row.id).update(started_at=starts_at, expires_at=free_at)
