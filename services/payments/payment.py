"""Payments: find who bought what, and settle it in one transaction."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from models import Checkout, CreditPackage, Membership, Plan, Purchase, User, ids
from models.database.connection import run_tx
from models.enum import EventOutcome, PlanKind, PurchaseStatus
from services.billing.membership import MembershipService
from services.billing.referral import ReferralService
from services.core.error import NotFoundError
from services.core.message import message
from services.events.publisher import EventPublisher
from services.integrations.payments.polar.payload import Order, OwnerClaims, Refund
from services.payments import plan_change
from services.payments.purchase import MONTHS, OwnerError, Product, PurchaseUpdate, Settlement, UnchangedError, settle

log = structlog.get_logger(__name__)

_ONE_TIME = "purchase"  # the billing reason of a one-time payment
_TRIES = 5  # the second knows the order's account; more are for deletions and concurrent reports in between

Record = Callable[[Settlement], Awaitable[None]]


@dataclass(frozen=True)
class Buyer:
    """The account that paid; `problem`: why nothing can be granted to it."""

    user: User | None
    problem: str | None = None


@dataclass(frozen=True)
class Decision:
    """What an admin decided about a payment: which account paid, and for what; None: as reported."""

    user: User | None = None
    product: Product | None = None


AS_REPORTED = Decision()


async def no_record(settlement: Settlement) -> None:
    """Keep no record of the outcome but the order itself."""


class PaymentService:
    """Settles orders. `products`: the slug of a package or plan by the provider's product id."""

    def __init__(
        self,
        products: Mapping[str, str],
        memberships: MembershipService,
        referrals: ReferralService,
        events: EventPublisher,
    ) -> None:
        self._products = products
        self._memberships = memberships
        self._referrals = referrals
        self._events = events

    async def record_order(
        self, order: Order, *, pays: bool, record: Record = no_record, decision: Decision = AS_REPORTED
    ) -> Settlement:
        """Settle an order as reported. `pays`: whether the event says that it was paid; else only refunds count.

        `record` runs in the same transaction, or after it if nothing changed.
        """
        if pays and not order.is_paid:
            settlement = Settlement(EventOutcome.PARKED, "its event says that it was paid, the order that it was not")
            log.error("payment.needs_review", order=order.id, problem=settlement.problem)
            await record(settlement)
            return settlement
        return await self._settle(lambda: self._update_for_order(order, pays, decision), record)

    async def record_refund(self, refund: Refund, *, record: Record = no_record) -> Settlement:
        """Reverse what one refund is for, or store it until its payment is reported."""
        return await self._settle(lambda: self._update_for_refund(refund), record)

    async def _settle(self, build_update: Callable[[], Awaitable[PurchaseUpdate]], record: Record) -> Settlement:
        update = await build_update()
        for _ in range(_TRIES):
            try:
                settlement = await run_tx(self._settle_once, update, record)
            except UnchangedError as unchanged:
                settlement = unchanged.settlement
                await record(settlement)
                return settlement
            except NotFoundError:  # the account was deleted just now
                update = await build_update()
                continue
            except OwnerError as error:  # granted once, an order stays with its account
                update = replace(await build_update(), user=await User.get(id=error.user_id), locks=True)
                continue
            if settlement.outcome is EventOutcome.PARKED:
                log.error("payment.needs_review", order=update.order_id, problem=settlement.problem)
                await self._events.alert(message("An order needs review: {order}.", order=update.order_id))
            else:
                log.info("payment.settled", order=update.order_id, user=update.user.id if update.user else None)
            if settlement.account is not None:
                await self._events.account_changed(settlement.account)
                for minor in settlement.money:
                    await self._events.payment(settlement.account, minor, settlement.currency)
                await self._referrals.settle(settlement.account.user_id)
            return settlement
        settlement = Settlement(EventOutcome.PARKED, "its account keeps changing")
        log.error("payment.needs_review", order=update.order_id, problem=settlement.problem)
        await record(settlement)
        return settlement

    async def _settle_once(self, update: PurchaseUpdate, record: Record) -> Settlement:
        settlement = await settle(update)
        order, account = update.payload, settlement.account
        is_current = update.user is not None and update.user.deleted_at is None
        if isinstance(order, Order) and order.subscription_id is not None and account is not None and is_current:
            account = await self._memberships.apply_paid_plan(account, order.subscription_id)
            settlement = replace(settlement, account=account)
        await record(settlement)
        return settlement

    async def _update_for_order(self, order: Order, pays: bool, decision: Decision) -> PurchaseUpdate:
        buyer = Buyer(decision.user) if decision.user else await self.buyer_of(order.owner, order.subscription_id)
        product = decision.product or await self.product_of(order.product_id)
        problem = buyer.problem or _problem_of(order, product)
        locks = (pays and problem is None) or await _is_granted(order.id)
        return PurchaseUpdate(order, buyer.user, product, problem, pays, locks)

    @staticmethod
    async def _update_for_refund(refund: Refund) -> PurchaseUpdate:
        known = await Purchase.get_or_none(order_id=refund.order_id).select_related("user")
        return PurchaseUpdate(refund, known.user if known else None, locks=await _is_granted(refund.order_id))

    async def product_of(self, product_id: str | None) -> Product | None:
        """Return the package or plan of a product, on sale or not; None if the product is unknown."""
        slug = self._products.get(product_id or "")
        return await self.product_with(slug) if slug is not None else None

    @staticmethod
    async def product_with(slug: str) -> Product | None:
        """Return the package or plan with this slug, on sale or not."""
        return await CreditPackage.get_or_none(slug=slug) or await Plan.get_or_none(slug=slug)

    @staticmethod
    async def buyer_of(claims: OwnerClaims, subscription_id: str | None) -> Buyer:
        """Return the account that an order or a subscription belongs to.

        The checkout that we opened decides, then the user id in the metadata, which our server wrote when it opened the
        checkout, and only then the customer's external id. If none of them names an account, or a deleted one, it is
        the one that the subscription is recorded for: an admin has settled an earlier order.
        """
        owner = await _opened_by(claims) or claims.metadata_user or claims.customer
        user = await User.get_or_none(id=owner) if owner is not None and ids.is_id(owner, ids.USER) else None
        if user is not None and user.merged_into_id is not None:  # a guest, whose account pays from then on
            user = await User.get(id=user.merged_into_id)
        if (user is None or user.deleted_at is not None) and subscription_id is not None:
            known = await Membership.get_or_none(subscription_id=subscription_id).select_related("user")
            user, owner = (known.user, known.user_id) if known else (user, owner)
        if owner is None:
            return Buyer(None, "its customer is unknown")
        others = {claims.metadata_user, claims.customer} - {None, owner}
        if others:
            log.warning("payment.accounts_differ", user=owner, others=sorted(map(str, others)))
        if user is None:
            return Buyer(None, f"there is no account {owner!r}")
        return Buyer(user, f"the account {user.id} is deleted" if user.deleted_at is not None else None)


async def _opened_by(claims: OwnerClaims) -> str | None:
    """Return the account that began the checkout; None if the checkout is none of ours."""
    checkout = None
    if claims.checkout_id is not None:
        checkout = await Checkout.get_or_none(provider_id=claims.checkout_id)
    if checkout is None and claims.our_checkout is not None and ids.is_id(claims.our_checkout, ids.CHECKOUT):
        checkout = await Checkout.get_or_none(id=claims.our_checkout)
    return checkout.user_id if checkout else None


async def _is_granted(order_id: str) -> bool:
    return await Purchase.filter(order_id=order_id, is_paid=True).exclude(status=PurchaseStatus.PARKED).exists()


def _problem_of(order: Order, product: Product | None) -> str | None:
    """Return why an order cannot be granted to any account.

    Its currency does not matter: Polar has prices in several currencies, and chooses by the customer's country.
    """
    if product is None:
        return f"its product {order.product_id!r} is unknown"
    is_monthly = isinstance(product, Plan) and product.kind is PlanKind.SUBSCRIPTION
    if is_monthly is (order.billing_reason == _ONE_TIME):
        return f"{product.slug} is not paid for as {order.billing_reason!r}"
    # A change of plans may cost nothing, and a trial does.
    is_whole = not is_monthly or (order.billing_reason in MONTHS and not order.is_trial)
    if is_whole and product.price and order.product_amount <= 0:  # discounts do not change this amount
        return f"{product.slug} was sold for nothing"
    return plan_change.problem_of(order, product) if isinstance(product, Plan) else None
