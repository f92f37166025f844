"""Payments: who bought what, and the transaction in which that is settled."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from models import Checkout, CreditPackage, Plan, Purchase, User, ids
from models.database.connection import run_tx
from models.enum import EventOutcome, PlanKind, PurchaseStatus
from services.billing.referral import ReferralService
from services.core.error import NotFoundError
from services.core.message import message
from services.events.publisher import EventPublisher
from services.integrations.payments.polar.payload import Order, Refund
from services.payments.purchase import MONTHS, OwnerError, Product, PurchaseUpdate, Settlement, UnchangedError, settle

log = structlog.get_logger(__name__)

_ONCE = "purchase"  # the billing reason of what is not paid for every month
_TRIES = 5  # an order's account is found at the second; it may go, or be told at the same moment, between two

Record = Callable[[Settlement], Awaitable[None]]


@dataclass(frozen=True)
class Buyer:
    """Whose money it is; `problem`: why nothing can be granted to them."""

    user: User | None
    problem: str | None = None


async def no_record(verdict: Settlement) -> None:
    """Nothing keeps what became of what was told, but the order itself."""


class PaymentService:
    """Settles orders. `products`: the provider's product ids, and which package or plan each of them is."""

    def __init__(self, products: Mapping[str, str], referrals: ReferralService, events: EventPublisher) -> None:
        self._products = products
        self._referrals = referrals
        self._events = events

    async def record_order(self, order: Order, *, pays: bool, record: Record = no_record) -> Settlement:
        """Settle an order as it is told. `pays`: that it was paid; else only what was given back counts.

        `record` runs in the same transaction, or after it where nothing changed.
        """
        if pays and not order.is_paid:
            verdict = Settlement(EventOutcome.PARKED, "it is told as paid, and says of itself that it is not")
            log.error("payment.parked", order=order.id, problem=verdict.problem)
            await record(verdict)
            return verdict
        return await self._settle(lambda: self._case_of(order, pays), record)

    async def record_refund(self, refund: Refund, *, record: Record = no_record) -> Settlement:
        """Take back what one refund tells of, or remember it for when its payment is told."""
        return await self._settle(lambda: self._case_of_refund(refund), record)

    async def _settle(self, look_up: Callable[[], Awaitable[PurchaseUpdate]], record: Record) -> Settlement:
        case, owner = await look_up(), None
        for _ in range(_TRIES):
            try:
                verdict = await run_tx(_settle, case, record)
            except UnchangedError as unchanged:
                verdict = unchanged.verdict
                await record(verdict)
                return verdict
            except NotFoundError:  # gone in this very moment
                case = await look_up()
                continue
            except OwnerError as error:
                if case.user is not None and case.user.id != error.user_id:
                    owner = error.user_id
                    break
                case = replace(await look_up(), user=await User.get(id=error.user_id), locks=True)
                continue
            if verdict.outcome is EventOutcome.PARKED:
                log.error("payment.parked", order=case.order_id, problem=verdict.problem)
                await self._events.alert(
                    message("An order waits for an admin's decision: {order}.", order=case.order_id)
                )
            else:
                log.info("payment.settled", order=case.order_id, user=case.user.id if case.user else None)
            if verdict.account is not None:
                await self._events.account_changed(verdict.account)
                for minor in verdict.money:
                    await self._events.payment(verdict.account, minor, verdict.currency)
                await self._referrals.settle(verdict.account.user_id)
            return verdict
        problem = f"it is {owner}'s already" if owner else "its account changes all the time"
        log.error("payment.parked", order=case.order_id, problem=problem)
        verdict = Settlement(EventOutcome.PARKED, problem)
        await record(verdict)
        return verdict

    async def _case_of(self, order: Order, pays: bool) -> PurchaseUpdate:
        buyer = await self.buyer_of(order.customer, order.claimed_user, order.checkout_id)
        ware = await self.product_of(order.product_id)
        problem = buyer.problem or _problem_of(order, ware)
        locks = (pays and problem is None) or await _is_granted(order.id)
        return PurchaseUpdate(order, buyer.user, ware, problem, pays, locks)

    @staticmethod
    async def _case_of_refund(refund: Refund) -> PurchaseUpdate:
        known = await Purchase.get_or_none(order_id=refund.order_id).select_related("user")
        return PurchaseUpdate(refund, known.user if known else None, locks=await _is_granted(refund.order_id))

    async def product_of(self, product_id: str | None) -> Product | None:
        """The package or plan that a product is, whether it is still sold or not; None where nobody knows."""
        slug = self._products.get(product_id or "")
        if slug is None:
            return None
        return await CreditPackage.get_or_none(slug=slug) or await Plan.get_or_none(slug=slug)

    @staticmethod
    async def buyer_of(customer: str | None, claimed: str | None, checkout_id: str | None) -> Buyer:
        """Whose an order or a subscription is.

        `customer`: the id that we gave the provider's customer. `claimed`: the one in the metadata, which must be the
        same; alone it counts only with a checkout that we opened for that account.
        """
        if customer is None and claimed is not None and checkout_id is not None:
            opened = await Checkout.exists(provider_id=checkout_id, user_id=claimed)
            customer = claimed if opened else None
        if customer is None:
            return Buyer(None, "nobody that we know is its customer")
        if claimed is not None and claimed != customer:
            return Buyer(None, f"its customer is {customer!r}, its metadata say {claimed!r}")
        user = await User.get_or_none(id=customer) if ids.is_id(customer, ids.USER) else None
        if user is None:
            return Buyer(None, f"there is no account {customer!r}")
        return Buyer(user, f"the account {user.id} is gone" if user.deleted_at is not None else None)


async def _settle(case: PurchaseUpdate, record: Record) -> Settlement:
    verdict = await settle(case)
    await record(verdict)
    return verdict


async def _is_granted(order_id: str) -> bool:
    return await Purchase.filter(order_id=order_id, is_paid=True).exclude(status=PurchaseStatus.PARKED).exists()


def _problem_of(order: Order, ware: Product | None) -> str | None:
    """Why an order cannot be granted, whoever it is from."""
    if ware is None:
        return f"nobody knows its product {order.product_id!r}"
    if ware.currency is not None and order.currency != ware.currency:
        return f"it was paid in {order.currency!r}; {ware.slug} is sold for {ware.currency!r}"
    is_monthly = isinstance(ware, Plan) and ware.kind is PlanKind.SUBSCRIPTION
    if is_monthly is (order.billing_reason == _ONCE):
        return f"{ware.slug} is not paid for as {order.billing_reason!r}"
    is_whole = not is_monthly or order.billing_reason in MONTHS  # a change of plans may cost nothing
    if is_whole and ware.price and order.product_amount <= 0:  # a discount leaves that as it is
        return f"{ware.slug} was sold for nothing"
    return None
