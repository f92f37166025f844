"""Payloads of Polar: orders, refunds, subscriptions and checkouts, with every field that its SDK requires."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

ORGANIZATION = "0b6c1f0e-5b9b-4d43-9b8c-6a1f5f2f0a01"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
_MONTH = timedelta(days=30)


def timestamp(at: datetime) -> str:
    """Format a timestamp as Polar does."""
    return at.isoformat().replace("+00:00", "Z")


def order(user_id: str | None, product_id: str | None, price: int = 499, **changes: Any) -> Json:
    """A paid order of one product, without discount or tax."""
    made = {
        **_row(changes.pop("id", None)),
        "status": "paid",
        "paid": True,
        **dict.fromkeys(("subtotal_amount", "net_amount", "total_amount", "refundable_amount"), price),
        **dict.fromkeys(("discount_amount", "tax_amount", "applied_balance_amount", "due_amount"), 0),
        **dict.fromkeys(("refunded_amount", "refunded_tax_amount", "refundable_tax_amount"), 0),
        **dict.fromkeys(("platform_fee_amount",), 0),
        "platform_fee_currency": "usd",
        "currency": "usd",
        "billing_reason": "purchase",
        "billing_name": "Ada",
        "billing_address": None,
        "invoice_number": "DARK-0001",
        "is_invoice_generated": False,
        "receipt_number": None,
        "seats": None,
        "units": None,
        "customer_id": str(uuid.uuid4()),
        "product_id": product_id,
        **dict.fromkeys(("discount_id", "subscription_id", "checkout_id", "discount", "subscription"), None),
        "metadata": {"user_id": user_id} if user_id else {},
        "custom_field_data": {},
        "customer": customer(user_id),
        "product": None,
        "items": [],
        "description": "50 credits",
    }
    return {**made, **changes}


def line_item(amount: int, price_id: str | None = None, *, proration: bool = False, **changes: Any) -> Json:
    """One line of an order."""
    made = {**_row(None), "label": "Basic", "amount": amount, "tax_amount": 0, "proration": proration}
    return {**made, "product_price_id": price_id, "start_timestamp": None, "end_timestamp": None, **changes}


def trial_order(user_id: str, product_id: str, **changes: Any) -> Json:
    """The order that opens a trial: paid, for nothing, with one item that has no price."""
    plan = subscription(user_id, product_id, status="trialing", trial_start=timestamp(NOW))
    plan["trial_end"] = plan["current_period_end"]
    changes = {"subscription": _in_order(plan), "subscription_id": plan["id"], **changes}
    item = line_item(0, label="Trial period for Basic (Nov 21, 2026 - Dec 5, 2026)")
    return order(user_id, product_id, 0, billing_reason="subscription_create", items=[item], **changes)


def plan_change(
    user_id: str, plan: Json, at: datetime, charge: tuple[int, str], credit: tuple[int, str] | None, **changes: Any
) -> Json:
    """The order of a change of plans: amounts, and ids of the prices.

    `plan`: the subscription afterwards. `credit`: for the rest of the old plan; None where Polar restarts the period.
    """
    during = {"start_timestamp": timestamp(at), "end_timestamp": plan["current_period_end"], "proration": True}
    items = [line_item(-credit[0], credit[1], label="Remaining time on Basic", **during)] if credit else []
    items.append(line_item(*charge, **during))
    due = sum(item["amount"] for item in items)
    made: Json = {"billing_reason": "subscription_update", "created_at": timestamp(at), "items": items}
    made |= {"subscription_id": plan["id"], "subscription": _in_order(plan)}
    return order(user_id, plan["product_id"], due, **made, **changes)


def _in_order(plan: Json) -> Json:
    """Return a subscription as an order has it: without its customer, product and prices."""
    left_out = ("customer", "product", "discount", "prices", "meters", "pending_update")
    return {name: value for name, value in plan.items() if name not in left_out}


def refunded(paid: Json, amount: int) -> Json:
    """Return the same order after `amount` was refunded in total."""
    whole = amount == paid["net_amount"]
    left = paid["net_amount"] - amount
    status = "refunded" if whole else "partially_refunded"
    return {**paid, "status": status, "refunded_amount": amount, "refundable_amount": left}


def refund(order_id: str, amount: int, status: str = "succeeded", **changes: Any) -> Json:
    """One refund, as in refund.updated."""
    return {
        **_row(None),
        "metadata": {},
        "status": status,
        "reason": "customer_request",
        "amount": amount,
        "tax_amount": 0,
        "currency": "usd",
        "organization_id": ORGANIZATION,
        "order_id": order_id,
        "subscription_id": None,
        "customer_id": str(uuid.uuid4()),
        "revoke_benefits": False,
        "dispute": None,
        **changes,
    }


def subscription(user_id: str, product_id: str, **changes: Any) -> Json:
    """An active subscription in its first month."""
    names: tuple[str, ...] = (
        "current_meter_period_start",
        "current_meter_period_end",
        "trial_start",
        "trial_end",
        "canceled_at",
    )
    names += ("ends_at", "ended_at", "paused_at", "resumes_at", "discount_id", "checkout_id", "units", "discount")
    names += ("customer_cancellation_reason", "customer_cancellation_comment", "pending_update")
    made = {
        **_row(changes.pop("id", None)),
        "amount": 999,
        "currency": "usd",
        "recurring_interval": "month",
        "recurring_interval_count": 1,
        "status": "active",
        "current_period_start": timestamp(NOW),
        "current_period_end": timestamp(datetime.now(UTC) + _MONTH),
        "cancel_at_period_end": False,
        "pause_at_period_end": False,
        "started_at": timestamp(NOW),
        **dict.fromkeys(names, None),
        "customer_id": str(uuid.uuid4()),
        "product_id": product_id,
        "metadata": {"user_id": user_id},
        "customer": customer(user_id),
        "product": product(product_id),
        "prices": [],
        "meters": [],
    }
    return {**made, **changes}


def product(product_id: str) -> Json:
    """A monthly product."""
    names = ("trial_interval", "trial_interval_count", "description", "meter_interval", "meter_interval_count")
    return {
        **_row(product_id),
        **dict.fromkeys(names, None),
        **{name: [] for name in ("prices", "benefits", "medias", "attached_custom_fields")},
        "name": "Basic",
        "visibility": "public",
        "recurring_interval": "month",
        "recurring_interval_count": 1,
        "is_recurring": True,
        "is_archived": False,
        "is_deletable": False,
        "organization_id": ORGANIZATION,
        "metadata": {},
    }


def customer(user_id: str | None, email: str = "ada@example.com") -> Json:
    """A customer with our user id as external id."""
    names = ("name", "billing_name", "billing_address", "tax_id", "deleted_at", "first_user_event_at", "avatar_url")
    return {
        **_row(None),
        **dict.fromkeys(names, None),
        "metadata": {},
        "external_id": user_id,
        "email": email,
        "email_verified": False,
        "type": "individual",
        "organization_id": ORGANIZATION,
    }


def checkout(wanted: Json, url: str) -> Json:
    """An open checkout, as in the response to its creation."""
    names: tuple[str, ...] = (
        "return_url",
        "embed_origin",
        "units",
        "min_units",
        "max_units",
        "tax_amount",
        "tax_behavior",
    )
    names += ("allow_trial", "active_trial_interval", "active_trial_interval_count", "trial_end", "product_price_id")
    names += ("discount_id", "customer_id", "customer_name", "customer_billing_name", "customer_billing_address")
    names += ("customer_tax_id", "payment_method_type", "trial_interval", "trial_interval_count", "product")
    names += ("product_price", "prices", "discount", "subscription_id", "attached_custom_fields")
    flags = ("allow_discount_codes", "is_payment_required", "is_payment_form_required", "is_discount_applicable")
    made = _row(None)
    return {
        **made,
        **dict.fromkeys(names, None),
        **dict.fromkeys(flags, True),
        **dict.fromkeys(("require_billing_address", "is_free_product_price", "is_payment_setup_required"), False),
        **dict.fromkeys(("amount", "net_amount", "total_amount"), 499),
        "is_business_customer": False,
        "discount_amount": 0,
        "currency": "usd",
        "payment_processor": "stripe",
        "status": "open",
        "client_secret": f"polar_c_{made['id']}",
        "url": f"{url}/checkout/polar_c_{made['id']}",
        "expires_at": timestamp(datetime.now(UTC) + timedelta(hours=1)),
        "success_url": wanted.get("success_url", f"{url}/success"),
        "organization_id": ORGANIZATION,
        "product_id": wanted["products"][0],
        "products": [],
        "customer_email": wanted.get("customer_email"),
        "customer_ip_address": wanted.get("customer_ip_address"),
        "external_customer_id": wanted.get("external_customer_id"),
        "metadata": wanted.get("metadata", {}),
        "customer_metadata": {},
        "payment_processor_metadata": {},
        "billing_address_fields": dict.fromkeys(
            ("country", "state", "city", "postal_code", "line1", "line2"), "optional"
        ),
        "prices": {},
    }


def session(found: Json, url: str) -> Json:
    """A portal session of a customer."""
    return {
        **_row(None),
        "token": "polar_cst_1",
        "expires_at": timestamp(datetime.now(UTC) + timedelta(hours=1)),
        "return_url": None,
        "customer_portal_url": f"{url}/portal?customer_session_token=polar_cst_1",
        "customer_id": found["id"],
        "customer": {**found, "default_payment_method_id": None},
    }


def event(kind: str, data: Json, at: datetime | None = None) -> bytes:
    """Return a webhook's body."""
    payload = {"type": kind, "timestamp": timestamp(at or datetime.now(UTC)), "api_version": "2026-10", "data": data}
    return json.dumps(payload).encode()


def sign(secret: str, body: bytes, event_id: str | None = None, at: float | None = None) -> dict[str, str]:
    """Return the headers of a delivery: the key is the whole secret, `whsec_` included."""
    event_id, at = event_id or str(uuid.uuid4()), int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{event_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        "content-type": "application/json",
        "user-agent": "polar.sh webhooks",
    }


def _row(id: str | None) -> Json:
    return {"id": id or str(uuid.uuid4()), "created_at": timestamp(NOW), "modified_at": None}
