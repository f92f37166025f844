"""Passes in tests: grants, requests that they pay for, and what is left of their allowances."""

from datetime import timedelta
from typing import Any

from models import Pass, PassHour, Plan
from models.database.connection import run_tx
from services.billing import passes
from tests.support.client import Api

PASS = """{ viewer { credits version pass {
  plan { slug } startedAt expiresAt
  images { perHour used remaining resetsAt usedInTotal } videos { perHour used remaining resetsAt usedInTotal }
} } }"""
QUOTE = "query($input: QuoteInput!) { quote(input: $input) { cost paidBy affordable balanceAfter } }"
QUOTA = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { errors { code message field ... on QuotaExceededError { resetsAt } } }
}"""
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
LEAVE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
LITE, EIGHT = "flash-lite", "flash"  # 3 and 8 images per hour


async def grant(api: Api, slug: str = LITE, reference: str | None = None) -> Pass:
    """Grant a pass as a paid order does."""
    reference = reference or f"polar:order:{api.user['id']}"
    await run_tx(passes.grant, api.user["id"], await Plan.get(slug=slug), reference)
    return await Pass.get(reference=reference)


async def advance(held: Pass, hours: float) -> None:
    """Shift a pass into the past by this many hours."""
    row = await Pass.get(id=held.id)
    past = timedelta(hours=hours)
    await Pass.filter(id=held.id).update(started_at=row.started_at - past, expires_at=row.expires_at - past)


async def active_pass(api: Api) -> Any:
    return (await api.one(PASS))["pass"]


async def order(api: Api, count: int = 1, **more: Any) -> list[dict[str, Any]]:
    made = await api.create(prompt="A fox", count=count, **more)
    assert made["errors"] == []
    return list(made["generations"])


async def paid(api: Api, count: int = 1) -> list[tuple[str, int]]:
    """Request images, and return the funding source and the credits of each."""
    return [(one["paidBy"], one["cost"]) for one in await order(api, count)]


async def hours(held: Pass) -> dict[int, int]:
    """Return how many images were used in each hour of a pass."""
    return {row.hour: row.images for row in await PassHour.filter(holder_id=held.id)}
