"""Changes of plans: how many credits an order of billing reason `subscription_update` grants.

A whole new period grants the new plan's month. A difference grants the difference of the months, in proportion to the
rest of the period. Nothing is reversed within a period.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor

from models import Plan, Purchase
from models.enum import PlanKind, PurchaseStatus
from services.integrations.payments.polar.payload import Order
from services.integrations.payments.polar.proration import Period, charged_prices

CHANGE = "subscription_update"  # the billing reason
_LATENCY = timedelta(minutes=1)  # between the start of a period and its order, at most
_MICROSECOND = timedelta(microseconds=1)
_MAX_PURCHASES = 200  # of the account, newest first, which may belong to the same subscription

Levels = tuple[int, int]  # credits per month, before and after a change


def problem_of(order: Order, plan: Plan) -> str | None:
    """Return why a change cannot be granted."""
    is_difference = order.billing_reason == CHANGE and _is_upgrade(order) and not _begins_period(order)
    return "its share of the month is unknown" if is_difference and _share_left(order, plan) is None else None


def carried_credits(order: Order, plan: Plan) -> int:
    """Return the credits for upgrades that were billed together with the next month, by what they cost of a month."""
    month = order.proration.full  # its price, in the order's currency
    if not _is_upgrade(order) or month <= 0:
        return 0
    cost = order.proration.charged - order.proration.credited
    return _round((plan.credits_per_month or 0) * min(Fraction(cost, month), Fraction(1)))


def paid_period(order: Order) -> dict[str, str] | None:
    """Return the period that an order has paid for its plan, as stored in its row; None for a downgrade or a trial."""
    period = order.period
    pays = not order.is_trial and (order.product_amount > 0 or _is_upgrade(order))
    if order.subscription_id is None or period is None or not pays or not _contains(period, order.ordered_at):
        return None
    return {"subscription": order.subscription_id, "end": period.end.isoformat()}


async def settle_change(order: Order, plan: Plan, purchase: Purchase) -> int:
    """Return the credits of a change, and store in the order's row which levels it was for.

    Inside a transaction that has locked the account's row. What another change of the same period granted already, up
    to a level of credits per month, is not granted again: else moving between two plans would grant it each time.
    """
    credits = plan.credits_per_month or 0
    if _begins_period(order):
        return credits
    share = _share_left(order, plan)
    if not _is_upgrade(order) or share is None:
        return 0
    others = [
        other
        async for other in Purchase.filter(user_id=purchase.user_id, plan_id__isnull=False)
        .exclude(id=purchase.id)
        .select_related("plan")
        .order_by("-created_at")
        .limit(_MAX_PURCHASES)
    ]
    earlier = await _earlier_level(order, plan, others)
    if earlier >= credits:
        return 0
    purchase.data = {**purchase.data, "change": [earlier, credits]}
    return _round(_uncovered((earlier, credits), _levels_granted(order, others)) * share)


def _is_upgrade(order: Order) -> bool:
    return order.proration.charged > order.proration.credited


def _begins_period(order: Order) -> bool:
    """Whether a new period began with the order: it charges a whole price, and credits nothing of the old plan."""
    lines = order.proration
    if lines.full > 0:
        return True
    is_new = order.period is not None and abs(order.ordered_at - order.period.start) <= _LATENCY
    return is_new and lines.charged > 0 and not lines.has_credit


def _share_left(order: Order, plan: Plan) -> Fraction | None:
    """Return how much of the period is left on the new plan, by time; else by its price; None if neither is known."""
    period = order.period
    if period is not None and _contains(period, order.ordered_at):
        left = period.end - max(order.ordered_at, period.start)
        return Fraction(left // _MICROSECOND, (period.end - period.start) // _MICROSECOND)
    if plan.price and order.currency == plan.currency:
        return min(Fraction(order.proration.charged, plan.price), Fraction(1))
    return None


async def _earlier_level(order: Order, plan: Plan, others: list[Purchase]) -> int:
    """Return the old plan's credits per month.

    The order names the old plan's price only: it is the plan that was bought at this price, or else the one whose price
    is nearest to what the credit is in proportion to the charge.
    """
    lines = order.proration
    if not lines.has_credit:
        return 0
    for other in others:
        if other.plan is not None and charged_prices(other.data.get("order", {})) == lines.credited_prices:
            return other.plan.credits_per_month or 0
    plans = await Plan.filter(kind=PlanKind.SUBSCRIPTION, price__isnull=False).exclude(id=plan.id)
    if not plans or plan.price is None:
        return floor(Fraction((plan.credits_per_month or 0) * lines.credited, lines.charged))
    price = Fraction(plan.price * lines.credited, lines.charged)
    nearest = min(plans, key=lambda known: abs((known.price or 0) - price))
    return nearest.credits_per_month or 0


async def ends_earlier_months(order: Order, plan: Plan, user_id: str) -> bool:
    """Whether a month's order ends the earlier ones: neither a later month nor another subscription is paid for.

    It looks back as far as a month's credits can be used. What it leaves expires by its own date.
    """
    if plan.rollover is None:
        return False  # nothing is carried over, and nothing is ended
    since = order.ordered_at - timedelta(days=plan.credits_expire_days or 0)
    for other in await Purchase.filter(user_id=user_id, plan_id__isnull=False, ordered_at__gt=since):
        subscription = other.data.get("order", {}).get("subscription_id")
        is_later = other.ordered_at is not None and other.ordered_at > order.ordered_at
        if subscription is not None and (subscription != order.subscription_id or is_later):
            return False
    return True


def _levels_granted(order: Order, others: Iterable[Purchase]) -> list[Levels]:
    """Return the levels that other changes of the same subscription have granted in the same period."""
    found = []
    for other in others:
        is_same = other.data.get("order", {}).get("subscription_id") == order.subscription_id
        is_refunded = other.status is PurchaseStatus.REFUNDED and other.refunded_amount >= other.net_amount
        if is_same and not is_refunded and "change" in other.data and _is_in_period(order, other):
            low, high = other.data["change"]
            found.append((int(low), int(high)))
    return found


def _is_in_period(order: Order, other: Purchase) -> bool:
    if other.ordered_at is None:
        return False
    if order.period is None:
        return abs(other.ordered_at - order.ordered_at) <= timedelta(days=31)
    return _contains(order.period, other.ordered_at)


def _contains(period: Period, moment: datetime) -> bool:
    return period.start - _LATENCY <= moment < period.end


def _uncovered(levels: Levels, granted: list[Levels]) -> int:
    """Return how much of one interval no other interval covers."""
    low, high = levels
    total, reached = 0, low
    for start, end in sorted(granted):
        total += max(min(start, high) - reached, 0)
        reached = max(reached, end)
    return total + max(high - reached, 0)


def _round(credits: Fraction) -> int:
    return floor(credits + Fraction(1, 2))
