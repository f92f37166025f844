"""The bodies of webhooks: thin, so that a receiver reads through the API what it is allowed to see now."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from models import Generation, Purchase, User, WebhookEvent
from models.enum import WebhookEventType
from services.billing.entitlement import is_member

VERSION = "1"  # raised when a field changes its meaning or goes away; new fields do not raise it
TEST = "webhook.test"

_GENERATION = ("id", "user_id", "batch_id", "status", "media", "error_code", "cost", "refunded", "completed_at")


def body_of(type: str, timestamp: datetime, data: dict[str, Any]) -> str:
    """Return the JSON of an event."""
    event = {"type": type, "version": VERSION, "timestamp": timestamp, "data": data}
    return orjson.dumps(event, option=orjson.OPT_UTC_Z).decode()


@dataclass
class Subjects:
    """The rows that a batch of events is about."""

    generations: dict[str, Generation] = field(default_factory=dict)
    purchases: dict[str, Purchase] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)

    def data(self, event: WebhookEvent, credits_low: int) -> dict[str, Any] | None:
        """Return the `data` of an event for an endpoint with this threshold; None if its subject is gone."""
        kind = event.type.partition(".")[0]
        if kind == "generation":
            generation = self.generations.get(event.subject_id)
            return _generation(generation) if generation else None
        if kind == "purchase":
            purchase = self.purchases.get(event.subject_id)
            return _purchase(purchase) if purchase else None
        if event.type == WebhookEventType.CREDITS_LOW:
            return {"userId": event.user_id, "balance": event.balance, "threshold": credits_low}
        user = self.users.get(event.subject_id)
        return _membership(user) if user else None


async def read_subjects(events: Sequence[WebhookEvent]) -> Subjects:
    """Read what a batch of events is about, by one statement for each kind that occurs."""
    wanted: dict[str, list[str]] = {}
    for event in events:
        wanted.setdefault(event.type.partition(".")[0], []).append(event.subject_id)
    found = Subjects()
    if generation_ids := wanted.get("generation"):
        rows = await Generation.filter(id__in=generation_ids).only(*_GENERATION)
        found.generations = {row.id: row for row in rows}
    if purchase_ids := wanted.get("purchase"):
        purchases = await Purchase.filter(id__in=purchase_ids).select_related("package", "plan")
        found.purchases = {row.id: row for row in purchases}
    if user_ids := wanted.get("membership"):
        users = await User.filter(id__in=user_ids, deleted_at=None).select_related("plan")
        found.users = {row.id: row for row in users}
    return found


def _generation(row: Generation) -> dict[str, Any]:
    return {
        "generationId": row.id,
        "userId": row.user_id,
        "batchId": row.batch_id,
        "status": row.status,
        "media": row.media,
        "errorCode": row.error_code,
        "cost": row.cost,
        "refunded": row.refunded,
        "completedAt": row.completed_at,
    }


def _purchase(row: Purchase) -> dict[str, Any]:
    return {
        "purchaseId": row.id,
        "userId": row.user_id,
        "status": row.status,
        "package": row.package.slug if row.package else None,
        "plan": row.plan.slug if row.plan else None,
        "credits": row.credits,
        "netAmount": row.net_amount,
        "refundedAmount": row.refunded_amount,
        "currency": row.currency,
    }


def _membership(row: User) -> dict[str, Any]:
    return {
        "userId": row.id,
        "isMember": is_member(row),
        "plan": row.plan.slug if row.plan else None,
        "memberUntil": row.member_until,
    }
