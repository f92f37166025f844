"""The lines of an order that settle a change of plans within a period, and the period that was changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Proration:
    """What a change of plans costs, in minor units before discounts and taxes.

    Polar charges the rest of the period on the new plan, and credits the same rest on the old one. Where it restarts
    the period instead, it charges the new plan's price and credits nothing.
    """

    charged: int
    credited: int
    has_credit: bool  # there is a credit, be it of 0: the old plan may have been free by a discount
    credited_prices: frozenset[str]  # ids of the old plan's prices
    full: int  # of lines that are no proration: a new period, begun by a checkout

    @classmethod
    def of(cls, items: list[dict[str, Any]]) -> "Proration":
        """Read the lines of an order."""
        parts = [item for item in items if item.get("proration") is True]
        credits = [item for item in parts if item["amount"] <= 0]
        return cls(
            charged=sum(max(item["amount"], 0) for item in parts),
            credited=-sum(item["amount"] for item in credits),
            has_credit=bool(credits),
            credited_prices=frozenset(str(item.get("product_price_id")) for item in credits),
            full=sum(item["amount"] for item in items if item.get("proration") is not True),
        )


@dataclass(frozen=True)
class Period:
    """The billing period that a subscription is in."""

    start: datetime
    end: datetime


def charged_prices(order: dict[str, Any]) -> frozenset[str]:
    """Return the ids of the prices that a stored order charged."""
    items = order.get("items")
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return frozenset(str(item.get("product_price_id")) for item in found if item.get("amount", 0) > 0)
