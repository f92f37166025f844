"""One order's row: what was paid is granted once, what was given back is taken back, in whatever order that is told."""

from dataclasses import dataclass, replace

import structlog

from models import CreditPackage, Plan, Purchase, User, ids
from models.database.connection import rows
from models.enum import EventOutcome, PlanKind, PurchaseStatus, TransactionType
from services.billing import ledger, membership, passes
from services.billing.ledger import LedgerLine
from services.events import account_change
from services.events.account_change import AccountChange
from services.integrations.payments.polar.payload import Order, Refund
from services.integrations.payments.polar.redaction import redact_customer

log = structlog.get_logger(__name__)

MONTHS = ("subscription_create", "subscription_cycle")  # billing reasons that pay for a month

Product = CreditPackage | Plan


@dataclass(frozen=True)
class Settlement:
    """What became of something that was told. `account`: as the commit left it, None where it did not move.

    `money`: what this paid, and what it gave back as less than nothing, in minor units of `currency`.
    """

    outcome: EventOutcome
    problem: str | None = None
    account: AccountChange | None = None
    money: tuple[int, ...] = ()
    currency: str | None = None


class UnchangedError(Exception):
    """Ends a transaction that would have changed nothing: an account's version moves only with a change."""

    def __init__(self, verdict: Settlement) -> None:
        super().__init__(verdict.outcome)
        self.verdict = verdict


class OwnerError(Exception):
    """Ends a transaction that needs the row of an account that it has not taken before the order's."""

    def __init__(self, user_id: str) -> None:
        super().__init__(user_id)
        self.user_id = user_id


@dataclass(frozen=True)
class PurchaseUpdate:
    """What was told of an order, with everything about it that need not be looked up under a lock.

    `user`: whose it is, as far as anybody knows. `problem`: why it cannot be granted. `pays`: it was told that it was
    paid; else only what was given back. `locks`: take the account's row, for it is going to change.
    """

    told: Order | Refund
    user: User | None
    ware: Product | None = None
    problem: str | None = None
    pays: bool = False
    locks: bool = False

    @property
    def order_id(self) -> str:
        """The provider's."""
        return self.told.order_id if isinstance(self.told, Refund) else self.told.id


async def settle(case: PurchaseUpdate) -> Settlement:
    """Bring what an order has brought up to what is known of it now, inside a transaction.

    Raises:
        UnchangedError: everything was as it should be; the transaction must end.
        OwnerError: the order's account must be taken first; the transaction must end.
        NotFoundError: the account has gone meanwhile; the transaction must end.
    """
    user = case.user
    account = (
        await account_change.bump_version(user.id, include_deleted=user.deleted_at is not None)
        if user and case.locks
        else None
    )
    purchase = await _lock_purchase(case.order_id, user)
    granted = purchase.is_paid and purchase.status is not PurchaseStatus.PARKED
    if granted and account is None and purchase.user_id is not None:
        raise OwnerError(purchase.user_id)
    before = _facts(purchase)
    paid, returned = (purchase.net_amount, purchase.refunded_amount) if granted else (0, 0)
    _record(purchase, case, granted)
    problem = None if granted else case.problem  # whatever is wrong now was right when it was granted
    if problem is None and purchase.is_paid and account is not None and isinstance(case.told, Order):
        if not granted:
            account = await _grant(case.told, case.ware, purchase, account)
        granted = True
    if granted and account is not None:
        account = await _reverse(purchase, account)
    if problem is not None:
        purchase.status = PurchaseStatus.PARKED
    elif granted:
        purchase.status = PurchaseStatus.REFUNDED if purchase.refunded_amount else PurchaseStatus.PAID
    outcome = EventOutcome.PARKED if problem else EventOutcome.HANDLED
    if _facts(purchase) == before:
        raise UnchangedError(Settlement(outcome, problem))
    await purchase.save()
    moved = (purchase.net_amount - paid, returned - purchase.refunded_amount) if granted else ()
    return Settlement(outcome, problem, account, tuple(money for money in moved if money), purchase.currency)


def _record(purchase: Purchase, case: PurchaseUpdate, granted: bool) -> None:
    """Write down what was told."""
    told = case.told
    if isinstance(told, Refund):
        refunds = {**purchase.data.get("refunds", {}), told.id: told.amount}
        purchase.data = {**purchase.data, "refunds": refunds}
    else:
        purchase.data = {**purchase.data, "order": redact_customer(told.data)}
        purchase.refunded_amount = max(purchase.refunded_amount, told.refunded_amount)
        if not granted:
            purchase.is_paid = purchase.is_paid or case.pays
            purchase.net_amount, purchase.currency = told.net_amount, told.currency[:3]
            purchase.ordered_at = told.ordered_at
    # Refunds are told one by one, and by their sum in the order: whichever knows more of them is right.
    purchase.refunded_amount = max(purchase.refunded_amount, sum(purchase.data.get("refunds", {}).values()))


async def _grant(order: Order, ware: Product | None, purchase: Purchase, account: AccountChange) -> AccountChange:
    reference = reference_of(order.id)
    if isinstance(ware, CreditPackage):
        purchase.package_id, purchase.credits = ware.id, ware.credits
        line = LedgerLine(
            TransactionType.PURCHASE,
            ware.credits,
            reference,
            metadata={"package": ware.slug},
            price=order.net_amount,
            currency=order.currency,
        )
        return await ledger.post(account.user_id, [line], version_bumped=True)
    if ware is None:
        raise RuntimeError(f"{order.id} is to be granted, and nobody knows what it bought")
    purchase.plan_id = ware.id
    if ware.kind is PlanKind.PASS:
        return await passes.grant(account.user_id, ware, reference, account=account)
    if order.billing_reason in MONTHS:
        purchase.credits = ware.credits_per_month or 0
        return await membership.grant_month(
            account.user_id, ware, reference, order.net_amount, order.currency, account=account
        )
    return account


async def _reverse(purchase: Purchase, account: AccountChange) -> AccountChange:
    """Take back the share of the credits that the share of the money is, rounded down over all refunds together."""
    if not purchase.net_amount or not purchase.refunded_amount:
        return account
    due = purchase.credits * min(purchase.refunded_amount, purchase.net_amount) // purchase.net_amount
    if due > purchase.reversed_credits:
        line = LedgerLine(
            TransactionType.REVERSAL,
            purchase.reversed_credits - due,
            f"polar:refund:{purchase.order_id}:{purchase.refunded_amount}",
            metadata={"order": purchase.order_id},
        )
        purchase.reversed_credits = due
        account = _merge(account, await ledger.post(account.user_id, [line], version_bumped=True))
    if purchase.plan_id is not None and purchase.refunded_amount >= purchase.net_amount:
        account = await passes.revoke(reference_of(purchase.order_id), account=account) or account
    return account


def reference_of(order_id: str) -> str:
    """What everything that an order brings is known by: the same line or pass cannot be written twice."""
    return f"polar:order:{order_id}"


async def _lock_purchase(order_id: str, user: User | None) -> Purchase:
    """The order's row, made where it is missing, and taken for the rest of the transaction."""
    await rows(
        "INSERT INTO purchases (id, order_id, user_id, status, is_paid, credits, reversed_credits, net_amount,"
        " refunded_amount, data, created_at, updated_at)"
        " VALUES ($1, $2, $3, 'REFUNDED', (1 = 0), 0, 0, 0, 0, '{}', NOW(), NOW())"
        " ON CONFLICT (order_id) DO UPDATE SET updated_at = excluded.updated_at RETURNING id",
        ids.new_id(ids.PURCHASE),
        order_id,
        user.id if user else None,
    )
    purchase = await Purchase.get(order_id=order_id)
    if purchase.user_id is None and user is not None:
        purchase.user_id = user.id
    elif purchase.user_id != (user.id if user else None):
        raise OwnerError(str(purchase.user_id))
    return purchase


def _facts(purchase: Purchase) -> tuple[object, ...]:
    """Everything about an order that a repetition leaves as it is."""
    return (
        purchase.is_paid,
        purchase.status,
        purchase.refunded_amount,
        purchase.credits,
        purchase.reversed_credits,
        purchase.plan_id,
    )


def _merge(account: AccountChange, later: AccountChange) -> AccountChange:
    """The account as the later statement left it, with what both of them did."""
    return replace(
        later,
        lines=account.lines + later.lines,
        generations=account.generations + later.generations,
        entitlements=account.entitlements or later.entitlements,
    )
