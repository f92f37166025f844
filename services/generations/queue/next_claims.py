"""Claims of the next generations in line, for all free slots of a process together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.database.connection import dialect
from services.events.account_change import ChangeKind
from services.generations import claim_statement
from services.generations.claim import Batches, Claim, account_of, with_originals
from services.generations.claim_statement import next_in_line
from services.operations.provider_pause import Claimable


@dataclass(frozen=True)
class Claims:
    """Claims that were made together. `contended`: more can be claimed soon, as others are claiming just now."""

    claims: list[Claim] = field(default_factory=list)
    contended: bool = False


async def take_next(
    worker: str,
    lease_seconds: float,
    per_user: int,
    limit: int,
    provider: str | None = None,
    batches: Batches | None = None,
    only: Claimable | None = None,
) -> Claims:
    """Claim the next generations in line, at most `limit`; on PostgreSQL `batches` write for them.

    The order: by priority, then accounts with fewer generations in progress first, so that accounts take turns, then by
    age. `per_user`: how many generations of one account run at once. `only`: what may be claimed; None: everything.
    """
    if dialect() == "postgres":
        found, contended = await claim_statement.claim_rows(worker, lease_seconds, per_user, limit, provider, only)
        return Claims(await _claims_of(found, lease_seconds, batches), contended)
    claims: list[Claim] = []
    while len(claims) < limit:  # SQLite has one writer at a time, so nothing is gained by claiming together
        claim = await _take_first(worker, lease_seconds, per_user, only)
        if claim is None:
            break
        claims.append(claim)
    return Claims(claims)


async def _claims_of(found: Sequence[Mapping[str, Any]], lease_seconds: float, batches: Batches | None) -> list[Claim]:
    generations = await with_originals(found)
    claims: list[Claim] = []
    published: set[str] = set()  # accounts: each is in one version, which is published once, with all its generations
    for row, generation in zip(found, generations, strict=True):
        account = None
        if generation.user_id not in published:
            published.add(generation.user_id)
            together = [each.id for each in generations if each.user_id == generation.user_id]
            account = account_of(row, generation.user_id).with_generations(ChangeKind.UPDATED, together)
        claims.append(Claim(generation, lease_seconds, account, batches))
    return claims


async def _take_first(worker: str, lease_seconds: float, per_user: int, only: Claimable | None) -> Claim | None:
    while candidates := await next_in_line(per_user, only):
        for generation_id in candidates:
            claim = await Claim.take(generation_id, worker, lease_seconds, per_user)
            if claim is not None:
                return claim
    return None
