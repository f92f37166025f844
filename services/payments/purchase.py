"""One order's row: what was paid for is granted once, what was refunded is reversed, in any order of reports."""

from dataclasses import dataclass, replace

import structlog

from models import CreditPackage, Plan, Purchase, User, ids
from models.database.connection import rows
from models.enum import EventOutcome, PlanKind, PurchaseStatus, TransactionType
from services.billing import ledger, membership, passes
from services.billing.grants import expiry
from services.billing.ledger import LedgerLine
from services.events import account_change
from services.events.account_change import AccountChange
from services.integrations.payments.polar.payload import Order, Refund
from services.integrations.payments.polar.redaction import redact_customer
from services.payments import plan_change

log = structlog.get_logger(__name__)

MONTHS = ("subscription_create", "subscription_cycle")  # billing reasons that pay for a month

Product = CreditPackage | Plan

DISMISSED = "dismissed"  # in an order's data: an admin decided that nothing is granted for it


@dataclass(frozen=True)
class Settlement:
    """The outcome of a report. `account`: the change of the account, None if there was none.

    `money`: what was paid, and what was refunded as a negative number, in minor units of `currency`.
    """

    outcome: EventOutcome
    problem: str | None = None
    account: AccountChange | None = None
    money: tuple[int, ...] = ()
    currency: str | None = None


class UnchangedError(Exception):
    """Rolls back a transaction that changed nothing: an account's version increases only with a change."""

    def __init__(self, settlement: Settlement) -> None:
        super().__init__(settlement.outcome)
        self.settlement = settlement


class OwnerError(Exception):
    """Rolls back a transaction that has to lock the account's row, and has not done so before locking the order's."""

    def __init__(self, user_id: str) -> None:
        super().__init__(user_id)
        self.user_id = user_id


@dataclass(frozen=True)
class PurchaseUpdate:
    """A report about an order, with everything about it that can be read without a lock.

    `user`: the buyer, if known. `problem`: why it cannot be granted. `pays`: whether the report says that it was paid;
    else only refunds count. `locks`: whether to lock the account's row, because the caller changes it.
    """

    payload: Order | Refund
    user: User | None
    product: Product | None = None
    problem: str | None = None
    pays: bool = False
    locks: bool = False

    @property
    def order_id(self) -> str:
        """The provider's id of the order."""
        return self.payload.order_id if isinstance(self.payload, Refund) else self.payload.id


async def settle(update: PurchaseUpdate) -> Settlement:
    """Grant or reverse what an order's known payments and refunds require, inside a transaction.

    Raises:
        UnchangedError: nothing was due; the transaction must be rolled back.
        OwnerError: the order's account must be locked first; the transaction must be rolled back.
        NotFoundError: the account was deleted meanwhile; the transaction must be rolled back.
    """
    user = update.user
    account = (
        await account_change.bump_version(user.id, include_deleted=user.deleted_at is not None)
        if user and update.locks
        else None
    )
    purchase = await _lock_purchase(update)
    granted = is_granted(purchase)
    if granted and account is None and purchase.user_id is not None:
        raise OwnerError(purchase.user_id)
    if not granted and purchase.data.get(DISMISSED):
        raise UnchangedError(Settlement(EventOutcome.IGNORED, "an admin dismissed it"))
    before = _state(purchase)
    paid, returned = (purchase.net_amount, purchase.refunded_amount) if granted else (0, 0)
    _record(purchase, update, granted)
    problem = None if granted else update.problem  # it was right when it was granted
    if problem is None and purchase.is_paid and account is not None and isinstance(update.payload, Order):
        if not granted:
            account = await _grant(update.payload, update.product, purchase, account)
        granted = True
    if granted and account is not None:
        account = await _reverse(purchase, account)
    if problem is not None:
        purchase.status = PurchaseStatus.PARKED
    elif granted:
        purchase.status = PurchaseStatus.REFUNDED if purchase.refunded_amount else PurchaseStatus.PAID
    outcome = EventOutcome.PARKED if problem else EventOutcome.HANDLED
    if _state(purchase) == before:
        raise UnchangedError(Settlement(outcome, problem))
    await purchase.save()
    moved = (purchase.net_amount - paid, returned - purchase.refunded_amount) if granted else ()
    return Settlement(outcome, problem, account, tuple(money for money in moved if money), purchase.currency)


def _record(purchase: Purchase, update: PurchaseUpdate, granted: bool) -> None:
    """Store the report in the order's row, without saving it."""
    payload = update.payload
    if isinstance(payload, Refund):
        refunds = {**purchase.data.get("refunds", {}), payload.id: payload.amount}
        purchase.data = {**purchase.data, "refunds": refunds}
    else:
        purchase.data = {**purchase.data, "order": redact_customer(payload.data)}
        purchase.refunded_amount = max(purchase.refunded_amount, payload.refunded_amount)
        if not granted:
            purchase.is_paid = purchase.is_paid or update.pays
            purchase.net_amount, purchase.currency = payload.net_amount, payload.currency
            purchase.ordered_at = payload.ordered_at
    # Refunds are reported one by one, and as a sum in the order: the larger number is the more recent one.
    purchase.refunded_amount = max(purchase.refunded_amount, sum(purchase.data.get("refunds", {}).values()))


async def _grant(order: Order, product: Product | None, purchase: Purchase, account: AccountChange) -> AccountChange:
    reference = reference_of(order.id)
    if isinstance(product, CreditPackage):
        purchase.package_id, purchase.credits = product.id, product.credits
        line = LedgerLine(
            TransactionType.PURCHASE,
            product.credits,
            reference,
            metadata={"package": product.slug},
            price=order.net_amount,
            currency=order.currency,
            expires_at=ledger.expiry(product.credits_expire_days),
        )
        return await ledger.post(account.user_id, [line], version_bumped=True)
    if product is None:
        raise RuntimeError(f"order {order.id} has no product")
    purchase.plan_id = product.id
    if product.kind is PlanKind.PASS:
        return await passes.grant(account.user_id, product, reference, account=account)
    purchase.credits = await _monthly_credits(order, product, purchase)
    if (period := plan_change.paid_period(order)) is not None:
        purchase.data = {**purchase.data, membership.PAID_PERIOD: period}
    return await membership.grant_month(
        account.user_id,
        product,
        reference,
        order.net_amount,
        order.currency,
        credits=purchase.credits,
        account=account,
        begins_month=order.billing_reason in MONTHS
        and not order.is_trial
        and await plan_change.ends_earlier_months(order, product, account.user_id),
    )


async def _monthly_credits(order: Order, plan: Plan, purchase: Purchase) -> int:
    if order.is_trial or order.billing_reason not in (*MONTHS, plan_change.CHANGE):
        return 0
    if order.billing_reason == plan_change.CHANGE:
        return await plan_change.settle_change(order, plan, purchase)
    return (plan.credits_per_month or 0) + plan_change.carried_credits(order, plan)


async def _reverse(purchase: Purchase, account: AccountChange) -> AccountChange:
    """Reverse the refunded share of the credits, rounded down over all refunds together.

    What has expired of them counts first: it was taken from the account already.
    """
    if not purchase.net_amount or not purchase.refunded_amount:
        return account
    due = purchase.credits * min(purchase.refunded_amount, purchase.net_amount) // purchase.net_amount
    if due > purchase.reversed_credits:
        due -= await expiry.lost(reference_of(purchase.order_id))
    if due > purchase.reversed_credits:
        line = LedgerLine(
            TransactionType.REVERSAL,
            purchase.reversed_credits - due,
            f"polar:refund:{purchase.order_id}:{purchase.refunded_amount}",
            metadata={"order": purchase.order_id},
            source=reference_of(purchase.order_id),
        )
        purchase.reversed_credits = due
        account = _merge(account, await ledger.post(account.user_id, [line], version_bumped=True))
    if purchase.plan_id is not None and purchase.refunded_amount >= purchase.net_amount:
        account = await passes.revoke(reference_of(purchase.order_id), account=account) or account
    return account


def reference_of(order_id: str) -> str:
    """Return the unique reference of an order's line or pass, so that neither can be written twice."""
    return f"polar:order:{order_id}"


async def _lock_purchase(update: PurchaseUpdate) -> Purchase:
    """Return the order's row, inserted if missing, locked until the transaction ends.

    An order that granted nothing yet may have been recorded for another account, which it named before its checkout
    was known to us: the report decides again.
    """
    user = update.user
    purchase = await lock_order(update.order_id, user.id if user else None)
    decides = isinstance(update.payload, Order) and not is_granted(purchase)
    if user is not None and (purchase.user_id is None or decides):
        purchase.user_id = user.id
    elif purchase.user_id != (user.id if user else None):
        raise OwnerError(str(purchase.user_id))
    return purchase


async def lock_order(order_id: str, user_id: str | None = None) -> Purchase:
    """Return an order's row, inserted for this account if missing, locked until the transaction ends."""
    await rows(
        "INSERT INTO purchases (id, order_id, user_id, status, is_paid, credits, reversed_credits, net_amount,"
        " refunded_amount, data, created_at, updated_at)"
        " VALUES ($1, $2, $3, 'REFUNDED', (1 = 0), 0, 0, 0, 0, '{}', NOW(), NOW())"
        " ON CONFLICT (order_id) DO UPDATE SET updated_at = excluded.updated_at RETURNING id",
        ids.new_id(ids.PURCHASE),
        order_id,
        user_id,
    )
    return await Purchase.get(order_id=order_id)


def is_granted(purchase: Purchase) -> bool:
    """Whether the order was granted to its account."""
    return purchase.is_paid and purchase.status is not PurchaseStatus.PARKED


def _state(purchase: Purchase) -> tuple[object, ...]:
    """Return what a repeated report leaves unchanged."""
    return (
        purchase.is_paid,
        purchase.status,
        purchase.refunded_amount,
        purchase.credits,
        purchase.reversed_credits,
        purchase.plan_id,
    )


def _merge(account: AccountChange, later: AccountChange) -> AccountChange:
    """Return the later change, with what both of them did."""
    return replace(
        later,
        lines=account.lines + later.lines,
        generations=account.generations + later.generations,
        entitlements=account.entitlements or later.entitlements,
    )
