"""What Polar's events say: orders, refunds and subscriptions, read without trust in anything that we do not need."""

import json
import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

_LONGEST = 100  # characters of an id
_MOST = 2**53  # minor units; no sum of money is more
_DEEPEST = 32  # levels of objects and lists; Polar's own have six


class InvalidPayloadError(Exception):
    """What was told contradicts itself, or lacks what it needs; the text says which."""


class OrderStatus(StrEnum):
    """Of an order that has been paid; the other ones mean nothing to us."""

    PAID = "paid"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"


@dataclass(frozen=True)
class Order:
    """One order. Amounts are minor units before tax: of its wares before discounts, paid, and given back of that.

    The wares are without what a change of plans moves from one month to another: a month that is paid for by what was
    left of a dearer plan has its full price here, and nothing is paid for it.
    """

    id: str
    is_paid: bool
    billing_reason: str
    product_amount: int
    net_amount: int
    refunded_amount: int
    currency: str
    ordered_at: datetime
    product_id: str | None
    checkout_id: str | None
    customer: str | None  # the id that we gave the customer
    claimed_user: str | None  # the id in the metadata
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
            net_amount=max(_amount(data, "net_amount", least=-_MOST), 0),
            refunded_amount=_amount(data, "refunded_amount"),
            currency=_text(data, "currency").lower(),
            ordered_at=_moment(data, "created_at"),
            product_id=_optional_text(data, "product_id"),
            checkout_id=_optional_text(data, "checkout_id"),
            customer=_optional_text(_part(data, "customer"), "external_id"),
            claimed_user=_optional_text(_part(data, "metadata"), "user_id"),
            data=data,
        )
        if order.refunded_amount > order.net_amount:
            raise InvalidPayloadError("more was given back than was paid")
        return order


@dataclass(frozen=True)
class Refund:
    """Money that went back, of one order."""

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
    """One subscription, as its newest event tells it."""

    id: str
    status: str
    product_id: str
    started_at: datetime
    period_end: datetime | None
    cancels_at_period_end: bool
    ends_at: datetime | None
    ended_at: datetime | None
    past_due_at: datetime | None
    checkout_id: str | None
    customer: str | None
    claimed_user: str | None
    reported_at: datetime

    @classmethod
    def of(cls, data: dict[str, Any], reported_at: datetime) -> "Subscription":
        """Read a subscription. Raises InvalidPayloadError."""
        return cls(
            id=_text(data, "id"),
            status=_text(data, "status"),
            product_id=_text(data, "product_id"),
            started_at=_optional_moment(data, "started_at") or _moment(data, "created_at"),
            period_end=_optional_moment(data, "current_period_end"),
            cancels_at_period_end=data.get("cancel_at_period_end") is True,
            ends_at=_optional_moment(data, "ends_at"),
            ended_at=_optional_moment(data, "ended_at"),
            past_due_at=_optional_moment(data, "past_due_at"),
            checkout_id=_optional_text(data, "checkout_id"),
            customer=_optional_text(_part(data, "customer"), "external_id"),
            claimed_user=_optional_text(_part(data, "metadata"), "user_id"),
            reported_at=reported_at,
        )


def read_event(body: bytes) -> dict[str, Any]:
    """The envelope that a webhook's body is: `type`, `timestamp` and `data`. Raises InvalidPayloadError."""
    try:
        event = json.loads(body, object_pairs_hook=_reject_duplicate_keys, parse_constant=_reject_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError and numbers of too many digits are ValueErrors
        raise InvalidPayloadError("it is not JSON") from None
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        raise InvalidPayloadError("it is no event")
    if not _is_storable(event):
        raise InvalidPayloadError("it holds what cannot be kept")
    _text(event, "type")
    return event


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice: readers differ about which one counts")
    return found


def _reject_constant(name: str) -> object:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _is_storable(value: object, depth: int = 0) -> bool:
    """Whether both databases take it: neither NUL nor halves of characters in its texts, and not too deep."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, int):
        return abs(value) < 2**63
    if isinstance(value, float):
        return math.isfinite(value)  # 1e400 is a number to JSON, and none to the databases
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list):
        parts = value
    else:
        return True
    return depth < _DEEPEST and all(_is_storable(part, depth + 1) for part in parts)


def subscription_of(order: Order) -> Subscription | None:
    """What an order says of the subscription that it pays for; as old as the subscription's last change."""
    told = _part(order.data, "subscription")
    if not told:
        return None
    changed_at = _optional_moment(told, "modified_at") or _moment(told, "created_at")
    return Subscription.of({**told, "customer": order.data.get("customer")}, changed_at)


def sent_at(event: dict[str, Any]) -> datetime:
    """When Polar wrote the event. Raises InvalidPayloadError."""
    return _moment(event, "timestamp")


def _part(data: dict[str, Any], name: str) -> dict[str, Any]:
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
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise InvalidPayloadError(f"{name} is no text")
    return value


def _product_amount(data: dict[str, Any]) -> int:
    items = data.get("items")
    wares = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if not wares:
        return _amount(data, "subtotal_amount", least=-_MOST)
    return sum(_amount(item, "amount", least=-_MOST) for item in wares if item.get("proration") is not True)


def _amount(data: dict[str, Any], name: str, *, least: int = 0) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
        raise InvalidPayloadError(f"{name} is no amount of money")
    return value


def _moment(data: dict[str, Any], name: str) -> datetime:
    value = _optional_moment(data, name)
    if value is None:
        raise InvalidPayloadError(f"{name} is missing")
    return value


def _optional_moment(data: dict[str, Any], name: str) -> datetime | None:
    value = data.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidPayloadError(f"{name} is no moment") from None
    if moment.tzinfo is None:
        raise InvalidPayloadError(f"{name} has no zone")
    return moment
