"""Resolvers of payments: checkouts, and payments that need review."""

import strawberry

from models import ids
from schema.payments import Checkout, CheckoutPayload, CreateCheckoutInput, PaymentReview, PaymentReviewPayload
from schema.runtime.context import Info
from schema.runtime.node import known_id


async def create_checkout(info: Info, input: CreateCheckoutInput) -> CheckoutPayload:
    viewer, context = info.context.require_viewer(), info.context
    row = await context.services.payments.checkouts.create(viewer, input.request(), client=context.client)
    return CheckoutPayload(checkout=Checkout.of(row))


async def admin_settle_payment(
    info: Info, id: strawberry.ID, reason: str, user_id: strawberry.ID | None = None, product: str | None = None
) -> PaymentReviewPayload:
    row = await info.context.services.payments.reviews.settle(
        info.context.require_viewer(),
        id,
        reason,
        user_id=known_id(user_id, ids.USER, "userId") if user_id is not None else None,
        product=product,
    )
    return PaymentReviewPayload(review=PaymentReview.of(row))


async def admin_dismiss_payment(info: Info, id: strawberry.ID, reason: str) -> PaymentReviewPayload:
    row = await info.context.services.payments.reviews.dismiss(info.context.require_viewer(), id, reason)
    return PaymentReviewPayload(review=PaymentReview.of(row))
