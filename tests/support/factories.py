"""Factories of valid rows, inserted by SQL so that no model stands between a test and a constraint."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from models import ids
from models.database.connection import rows


class Now:
    """A placeholder for the database's current time."""


NOW = Now()
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


async def insert(table: str, row: Row) -> Row:
    """Insert a row and return it."""
    placeholders, values = [], []
    for value in row.values():
        if value is NOW:
            placeholders.append("NOW()")
        else:
            values.append(value)
            placeholders.append(f"${len(values)}")
    columns = ", ".join(f'"{name}"' for name in row)
    sql = f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join(placeholders)}) RETURNING 1 AS done'  # noqa: S608 - our names
    await rows(sql, *values)
    return row


def user(**changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.USER),
        "email": f"{secrets.token_hex(8)}@example.com",
        "password_hash": "-",
        "role": "USER",
        "is_member": False,
        "credits": 0,
        "overdraft_allowed": False,
        "version": 0,
        "ledger_sequence": 0,
        "created_at": NOW,
        "updated_at": NOW,
        **changes,
    }


def session(user_id: str, **changes: Any) -> Row:
    moments = {"expires_at": NOW, "created_at": NOW}
    return {
        "id": ids.new_id(ids.SESSION),
        "user_id": user_id,
        "token_hash": secrets.token_hex(32),
        **moments,
        **changes,
    }


def collection(**changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.COLLECTION),
        "slug": secrets.token_hex(8),
        "title": "{}",
        "description": "{}",
        "base_cost": 1,
        "refund_policy": "ON_FAILURE",
        "qualities": "{}",
        "sizes": "{}",
        "position": 1,
        "is_active": True,
        "created_at": NOW,
        "updated_at": NOW,
        **changes,
    }


def style(collection_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.STYLE),
        "collection_id": collection_id,
        "slug": secrets.token_hex(8),
        "title": "{}",
        "description": "{}",
        "search_text": "",
        "members_only": False,
        "reference_image": "OPTIONAL",
        "prompt": "-",
        "variables": "[]",
        "position": 1,
        "is_active": True,
        "created_at": NOW,
        "updated_at": NOW,
        **changes,
    }


def style_picture(owner_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.STYLE_PICTURE),
        "owner_id": owner_id,
        "state": "LIVE",
        "byte_size": 1,
        "width": 1,
        "height": 1,
        "sha256": secrets.token_hex(32),
        "created_at": NOW,
        "updated_at": NOW,
        **changes,
    }


def file(owner_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.FILE),
        "owner_id": owner_id,
        "kind": "ORIGINAL",
        "state": "LIVE",
        "content_type": "image/jpeg",
        "byte_size": 1,
        "width": 1,
        "height": 1,
        "sha256": secrets.token_hex(32),
        "placeholder": "data:,",
        "created_at": NOW,
        "updated_at": NOW,
        **changes,
    }


def upload(owner_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.UPLOAD),
        "owner_id": owner_id,
        "content_type": "image/jpeg",
        "byte_size": 1,
        "idempotency_key": secrets.token_hex(8),
        "created_at": NOW,
        **changes,
    }


def worker(**changes: Any) -> Row:
    return {"name": secrets.token_hex(8), "concurrency": 8, "seen_at": NOW, **changes}


def provider_pause(**changes: Any) -> Row:
    return {
        "provider": secrets.token_hex(8),
        "cause": "key",
        "began_at": NOW,
        "asks_at": NOW,
        "questions": 0,
        **changes,
    }


def generation(user_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.GENERATION),
        "user_id": user_id,
        "batch_id": ids.new_id(ids.BATCH),
        "media": "IMAGE",
        "status": "PENDING",
        "stage": "QUEUED",
        "progress": 0.0,
        "version": 1,
        "collection_slug": "plushify",
        "style_slug": "cute",
        "style_title": "{}",
        "full_prompt": "-",
        "variables": "{}",
        "size": "MEDIUM",
        "quality": "STANDARD",
        "priority": 0,
        "cost": 1,
        "paid_by": "CREDITS",
        "refund_policy": "ON_FAILURE",
        "refunded": False,
        "attempts": 0,
        "fence": 0,
        "provider_calls": 0,
        "created_at": NOW,
        "updated_at": NOW,
        **changes,
    }


def ledger_line(user_id: str, sequence: int, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.TRANSACTION),
        "user_id": user_id,
        "sequence": sequence,
        "type": "BONUS",
        "status": "COMPLETED",
        "amount": 1,
        "balance": 1,
        "account_version": 1,
        "reference": secrets.token_hex(8),
        "created_at": NOW,
        **changes,
    }


def api_key(user_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.API_KEY),
        "user_id": user_id,
        "name": "laptop",
        "hint": "abcd",
        "salt": secrets.token_hex(16),
        "key_hash": secrets.token_hex(32),
        "created_at": NOW,
        **changes,
    }


def identity(user_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.IDENTITY),
        "issuer": "https://id.example.com",
        "subject": secrets.token_hex(8),
        "key_hash": secrets.token_hex(32),
        "created_at": NOW,
        "user_id": user_id,
        **changes,
    }


def mail_token(user_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.MAIL_TOKEN),
        "user_id": user_id,
        "purpose": "VERIFY",
        "email": "ada@example.com",
        "token_hash": secrets.token_hex(32),
        "expires_at": NOW,
        "created_at": NOW,
        **changes,
    }


def data_export(owner_id: str, **changes: Any) -> Row:
    moments = {"created_at": NOW}
    return (
        {"id": ids.new_id(ids.DATA_EXPORT), "owner_id": owner_id, "state": "PENDING", "attempts": 0} | moments | changes
    )


def plan(**changes: Any) -> Row:
    kind = {"kind": "SUBSCRIPTION", "priority": False, "unlimited": False, "api_access": False, "max_batch": 4}
    shown = {"slug": secrets.token_hex(8), "title": "{}", "position": 1, "is_active": True}
    return {"id": ids.new_id(ids.PLAN), **kind, **shown, "created_at": NOW, "updated_at": NOW, **changes}


def credit_package(**changes: Any) -> Row:
    shown = {"slug": secrets.token_hex(8), "position": 1, "is_active": True}
    prices = {"credits": 50, "price": 499, "currency": "usd"}
    return {"id": ids.new_id(ids.CREDIT_PACKAGE), **shown, **prices, "created_at": NOW, "updated_at": NOW, **changes}


def membership(user_id: str, plan_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.MEMBERSHIP),
        "user_id": user_id,
        "plan_id": plan_id,
        "subscription_id": secrets.token_hex(8),
        "status": "ACTIVE",
        "started_at": NOW,
        "told_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
        **changes,
    }


def hour_pass(user_id: str, plan_id: str, **changes: Any) -> Row:
    return {
        "id": ids.new_id(ids.PASS),
        "user_id": user_id,
        "plan_id": plan_id,
        "reference": secrets.token_hex(8),
        "images_per_hour": 3,
        "videos_per_hour": 1,
        "images_used": 0,
        "videos_used": 0,
        "started_at": LONG_AGO,
        "expires_at": LONG_AGO + timedelta(days=1),
        "created_at": NOW,
        "updated_at": NOW,
        **changes,
    }


def pass_hour(holder_id: str, **changes: Any) -> Row:
    return {"holder_id": holder_id, "hour": 0, "images": 0, "videos": 0, **changes}


def checkout(user_id: str, **changes: Any) -> Row:
    return {"id": ids.new_id(ids.CHECKOUT), "user_id": user_id, "slug": "credits-50", "created_at": NOW, **changes}


def purchase(**changes: Any) -> Row:
    order = {"order_id": secrets.token_hex(8), "status": "PAID", "is_paid": True, "data": "{}"}
    sums = {"credits": 0, "reversed_credits": 0, "net_amount": 0, "refunded_amount": 0}
    return {"id": ids.new_id(ids.PURCHASE), **order, **sums, "created_at": NOW, "updated_at": NOW, **changes}


def external_event(**changes: Any) -> Row:
    event = {"source": "polar", "event_id": secrets.token_hex(8), "type": "order.paid", "data": "{}"}
    state = {"outcome": "RECEIVED", "attempts": 0, "received_at": NOW}
    return {"id": ids.new_id(ids.EXTERNAL_EVENT), **event, **state, **changes}


def webhook_endpoint(**changes: Any) -> Row:
    row: Row = {"id": ids.new_id(ids.WEBHOOK_ENDPOINT), "url": "https://hooks.invalid/", "credits_low": 10}
    secret = {"salt": "" if changes.get("user_id") is None else secrets.token_hex(32), "secret_hash": "-"}
    return {**row, **secret, "created_at": NOW, "updated_at": NOW, **changes}


def webhook_delivery(endpoint_id: str, **changes: Any) -> Row:
    row: Row = {
        "id": ids.new_id(ids.WEBHOOK_DELIVERY),
        "endpoint_id": endpoint_id,
        "type": "webhook.test",
        "body": "{}",
    }
    row |= {"message_id": ids.new_id(ids.WEBHOOK_MESSAGE), "state": "WAITING", "fence": 0, "attempts": 0}
    moments = {"next_attempt_at": NOW, "give_up_at": NOW, "created_at": NOW}
    return {**row, "attempt_log": "[]", **moments, **changes}


def audit_entry(**changes: Any) -> Row:
    values = {"action": "SET_ROLE", "detail": "{}", "created_at": NOW}
    return {"id": ids.new_id(ids.AUDIT_ENTRY), **values, **changes}


def job_run(**changes: Any) -> Row:
    run = {"job": "self-check", "hour": LONG_AGO, "state": "COMPLETED", "started_at": NOW, "finished_at": NOW}
    return {**run, **changes}


def maintenance(**changes: Any) -> Row:
    return {"id": 1, "read_only": False, "providers_off": "[]", "updated_at": NOW, **changes}


def idempotency_key(user_id: str, **changes: Any) -> Row:
    return {
        "user_id": user_id,
        "operation": "createGeneration",
        "key": secrets.token_hex(8),
        "input_hash": secrets.token_hex(32),
        "result_id": ids.new_id(ids.BATCH),
        "batch_id": ids.new_id(ids.BATCH),
        "created_at": NOW,
        **changes,
    }
