"""Checkout of a development deployment: a click on "pay" makes events like Polar's, handled in the same way."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from models import Checkout, CreditPackage, Plan, ids
from models.enum import PlanKind
from services.core.error import NotFoundError
from services.payments.payment import PaymentService
from services.payments.purchase import Product
from services.payments.webhook import DEVELOPMENT, WebhookService

_MONTH = timedelta(days=30)  # the period of a subscription here, which is paid only once


class DevelopmentCheckout:
    """Simulates the payment of checkouts. Built only in development."""

    def __init__(self, payments: PaymentService, webhooks: WebhookService) -> None:
        self._payments = payments
        self._webhooks = webhooks

    async def product(self, checkout_id: str) -> Product:
        """Return the product of a checkout. Raises NotFoundError."""
        return (await self._find(checkout_id))[1]

    async def pay(self, checkout_id: str) -> None:
        """Report a checkout as paid; a second time changes nothing.

        Raises:
            NotFoundError: there is no such checkout.
        """
        checkout, product = await self._find(checkout_id)
        now = datetime.now(UTC)
        events = {"order.paid": _order(checkout, product, now)}
        if isinstance(product, Plan) and product.kind is PlanKind.SUBSCRIPTION:
            events = {"subscription.active": _subscription(checkout, now), **events}
        for kind, data in events.items():
            body = orjson.dumps({"type": kind, "timestamp": now.isoformat(), "data": data})
            if id := await self._webhooks.receive(f"{kind}:{checkout.id}", body, DEVELOPMENT):
                await self._webhooks.handle(id)

    async def _find(self, checkout_id: str) -> tuple[Checkout, Product]:
        if not ids.is_id(checkout_id, ids.CHECKOUT):
            raise NotFoundError
        checkout = await Checkout.get_or_none(id=checkout_id, provider_id__isnull=True)
        product = await self._payments.product_of(checkout.slug) if checkout else None
        if checkout is None or product is None:
            raise NotFoundError
        return checkout, product


def _order(checkout: Checkout, product: CreditPackage | Plan, now: datetime) -> dict[str, Any]:
    is_monthly = isinstance(product, Plan) and product.kind is PlanKind.SUBSCRIPTION
    return {
        "id": f"development-{checkout.id}",
        "created_at": now.isoformat(),
        "status": "paid",
        "paid": True,
        "subtotal_amount": product.price,
        "net_amount": product.price,
        "refunded_amount": 0,
        "currency": product.currency,
        "billing_reason": "subscription_create" if is_monthly else "purchase",
        "product_id": checkout.slug,
        "subscription_id": f"development-{checkout.id}" if is_monthly else None,
        "checkout_id": None,
        "customer": {"external_id": checkout.user_id},
        "metadata": {"user_id": checkout.user_id, "slug": checkout.slug},
    }


def _subscription(checkout: Checkout, now: datetime) -> dict[str, Any]:
    return {
        "id": f"development-{checkout.id}",
        "created_at": now.isoformat(),
        "status": "active",
        "product_id": checkout.slug,
        "started_at": now.isoformat(),
        "current_period_end": (now + _MONTH).isoformat(),
        "cancel_at_period_end": False,
        "checkout_id": None,
        "customer": {"external_id": checkout.user_id},
        "metadata": {"user_id": checkout.user_id, "slug": checkout.slug},
    }
