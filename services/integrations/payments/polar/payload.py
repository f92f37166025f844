"""Polar's events: orders, refunds and subscriptions. Only the fields that we need are read, and validated."""

import json
import math
import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.integrations.payments.polar.proration import Period, Proration

MAX_ID = 100  # characters
_MAX_AMOUNT = 2**53  # minor units; the largest amount accepted
_MAX_DEPTH = 32  # levels of objects and lists; Polar's have six
_CURRENCY = re.compile("[a-z]{3}")
_TRIAL_REASONS = ("subscription_create", "subscription_update")  # billing reasons of a trial's order
_AMOUNTS = ("subtotal_amount", "discount_amount", "net_amount", "total_amount")


class InvalidPayloadError(Exception):
    """A payload that is incomplete or contradictory; the text says how."""


class OrderStatus(StrEnum):
    """Statuses of an order that has been paid; the others are ignored."""

    PAID = "paid"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"


@dataclass(frozen=True)
class OwnerClaims:
    """What a payload says about the account that it belongs to.

    The provider finds its customers by their e-mail address: a customer may have the external id of an account that
    was deleted, or of another account that used the address earlier. What our server sent with the checkout is
    returned unchanged, also with later orders of the subscription.
    """

    checkout_id: str | None  # the provider's id of the checkout; renewals have only their subscription's
    our_checkout: str | None  # our id of the checkout, in the metadata
    metadata_user: str | None  # the user id in the metadata
    customer: str | None  # the customer's external id: the user id when the customer was created

    @classmethod
    def of(cls, data: dict[str, Any]) -> "OwnerClaims":
        """Read the claims of an order or a subscription. Raises InvalidPayloadError."""
        metadata = _object(data, "metadata")
        checkout = _optional_text(data, "checkout_id")
        our_checkout = metadata.get("checkout")
        return cls(
            checkout_id=checkout or _optional_text(_object(data, "subscription"), "checkout_id"),
            our_checkout=our_checkout if isinstance(our_checkout, str) else None,
            metadata_user=_optional_text(metadata, "user_id"),
            customer=_optional_text(_object(data, "customer"), "external_id"),
        )


@dataclass(frozen=True)
class Order:
    """One order. Amounts are in minor units before tax.

    `product_amount`: the price of its items before discounts, without prorations of a change of plans: a month that is
    covered by what was left of a more expensive plan has its full price here, and a `net_amount` of 0.
    `net_amount`: what was paid. `refunded_amount`: what was refunded of that. `is_trial`: whether it opens the trial of
    a subscription, which costs nothing.
    """

    id: str
    is_paid: bool
    billing_reason: str
    product_amount: int
    net_amount: int
    refunded_amount: int
    is_trial: bool
    currency: str  # ISO 4217, lower case
    ordered_at: datetime
    product_id: str | None
    subscription_id: str | None
    proration: Proration
    period: Period | None  # that the subscription is in when the order is reported
    owner: OwnerClaims
    data: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Order":
        """Read an order. Raises InvalidPayloadError."""
        status = _text(data, "status")
        order = cls(
            id=_text(data, "id"),
            is_paid=status in set(OrderStatus) and data.get("paid") is not False,
            billing_reason=_text(data, "billing_reason"),
            product_amount=_product_amount(data),
            net_amount=max(_amount(data, "net_amount", least=-_MAX_AMOUNT), 0),
            refunded_amount=_amount(data, "refunded_amount"),
            is_trial=_is_trial(data),
            currency=_currency(data),
            ordered_at=_timestamp(data, "created_at"),
            product_id=_optional_text(data, "product_id"),
            subscription_id=_optional_text(data, "subscription_id"),
            proration=_proration(data),
            period=_period(_object(data, "subscription")),
            owner=OwnerClaims.of(data),
            data=data,
        )
        if order.refunded_amount > order.net_amount:
            raise InvalidPayloadError("more was refunded than was paid")
        return order


@dataclass(frozen=True)
class Refund:
    """One refund of an order."""

    id: str
    order_id: str
    amount: int  # minor units, before tax
    has_succeeded: bool
    data: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Refund":
        """Read a refund. Raises InvalidPayloadError."""
        return cls(
            id=_text(data, "id"),
            order_id=_text(data, "order_id"),
            amount=_amount(data, "amount"),
            has_succeeded=_text(data, "status") == "succeeded",
            data=data,
        )


@dataclass(frozen=True)
class Subscription:
    """One subscription, as an event reported it."""

    id: str
    status: str
    product_id: str
    started_at: datetime
    period_end: datetime | None
    cancels_at_period_end: bool
    ends_at: datetime | None
    ended_at: datetime | None
    past_due_at: datetime | None
    owner: OwnerClaims
    reported_at: datetime

    @classmethod
    def of(cls, data: dict[str, Any], reported_at: datetime) -> "Subscription":
        """Read a subscription. Raises InvalidPayloadError."""
        return cls(
            id=_text(data, "id"),
            status=_text(data, "status"),
            product_id=_text(data, "product_id"),
            started_at=_optional_timestamp(data, "started_at") or _timestamp(data, "created_at"),
            period_end=_optional_timestamp(data, "current_period_end"),
            cancels_at_period_end=data.get("cancel_at_period_end") is True,
            ends_at=_optional_timestamp(data, "ends_at"),
            ended_at=_optional_timestamp(data, "ended_at"),
            past_due_at=_optional_timestamp(data, "past_due_at"),
            owner=OwnerClaims.of(data),
            reported_at=reported_at,
        )


def read_event(body: bytes) -> dict[str, Any]:
    """Parse a webhook's body: an object of `type`, `timestamp` and `data`. Raises InvalidPayloadError."""
    try:
        event = json.loads(body, object_pairs_hook=_reject_duplicate_keys, parse_constant=_reject_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError and numbers of too many digits are ValueErrors
        raise InvalidPayloadError("it is not JSON") from None
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        raise InvalidPayloadError("it is not an event")
    if not _is_storable(event):
        raise InvalidPayloadError("it contains what cannot be stored")
    _text(event, "type")
    return event


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key: parsers differ about which one counts")
    return found


def _reject_constant(name: str) -> object:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _is_storable(value: object, depth: int = 0) -> bool:
    """Whether both databases can store a value: no NUL, lone surrogates, too large numbers or too deep nesting."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, int):
        return abs(value) < 2**63
    if isinstance(value, float):
        return math.isfinite(value)  # 1e400 is valid JSON, but no number to the databases
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list):
        parts = value
    else:
        return True
    return depth < _MAX_DEPTH and all(_is_storable(part, depth + 1) for part in parts)


def subscription_of(order: Order) -> Subscription | None:
    """Return the subscription that an order pays for, as of the subscription's last change; None if there is none."""
    subscription = _object(order.data, "subscription")
    if not subscription:
        return None
    changed_at = _optional_timestamp(subscription, "modified_at") or _timestamp(subscription, "created_at")
    return Subscription.of({**subscription, "customer": order.data.get("customer")}, changed_at)


def sent_at(event: dict[str, Any]) -> datetime:
    """Return when Polar sent the event. Raises InvalidPayloadError."""
    return _timestamp(event, "timestamp")


def _object(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _text(data: dict[str, Any], name: str) -> str:
    value = _optional_text(data, name)
    if not value:
        raise InvalidPayloadError(f"{name} is missing")
    return value


def _optional_text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_ID:
        raise InvalidPayloadError(f"{name} is not a string")
    return value


def _line_items(data: dict[str, Any]) -> list[dict[str, Any]]:
    found = data.get("items")
    items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    for item in items:
        _amount(item, "amount", least=-_MAX_AMOUNT)
    return items


def _product_amount(data: dict[str, Any]) -> int:
    line_items = _line_items(data)
    if not line_items:
        return _amount(data, "subtotal_amount", least=-_MAX_AMOUNT)
    return sum(item["amount"] for item in line_items if item.get("proration") is not True)


def _is_trial(data: dict[str, Any]) -> bool:
    """Whether an order opens a trial: it charges nothing, and its item is the trial itself, which has no price.

    A product that is free by its price, or by a discount, is none.
    """
    if data.get("billing_reason") not in _TRIAL_REASONS or any(data.get(name) for name in _AMOUNTS):
        return False
    prices = [item for item in _line_items(data) if item.get("amount") or item.get("product_price_id") is not None]
    return not prices or _object(data, "subscription").get("status") == "trialing"


def _proration(data: dict[str, Any]) -> Proration:
    items, subtotal = _line_items(data), _amount(data, "subtotal_amount", least=-_MAX_AMOUNT)
    if items or data.get("billing_reason") != "subscription_update":
        return Proration.of(items)
    return Proration.of([{"amount": subtotal, "proration": True}]) if subtotal > 0 else Proration.of([])


def _period(subscription: dict[str, Any]) -> Period | None:
    start = _optional_timestamp(subscription, "current_period_start")
    end = _optional_timestamp(subscription, "current_period_end")
    return Period(start, end) if start and end and start < end else None


def _currency(data: dict[str, Any]) -> str:
    currency = _text(data, "currency").lower()
    if not _CURRENCY.fullmatch(currency):
        raise InvalidPayloadError("currency is no ISO 4217 code")
    return currency


def _amount(data: dict[str, Any], name: str, *, least: int = 0) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MAX_AMOUNT:
        raise InvalidPayloadError(f"{name} is not an amount of money")
    return value


def _timestamp(data: dict[str, Any], name: str) -> datetime:
    value = _optional_timestamp(data, name)
    if value is None:
        raise InvalidPayloadError(f"{name} is missing")
    return value


def _optional_timestamp(data: dict[str, Any], name: str) -> datetime | None:
    value = data.get(name)
    if value is None:
        return None
    try:
        timestamp = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidPayloadError(f"{name} is not a timestamp") from None
    if timestamp.tzinfo is None:
        raise InvalidPayloadError(f"{name} has no time zone")
    return timestamp
