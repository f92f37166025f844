"""Resolvers of payments: checkouts."""

from schema.payments import Checkout, CheckoutPayload, CreateCheckoutInput
from schema.runtime.context import Info


async def create_checkout(info: Info, input: CreateCheckoutInput) -> CheckoutPayload:
    viewer, context = info.context.require_viewer(), info.context
    row = await context.services.payments.checkouts.create(viewer, input.request(), client=context.client)
    return CheckoutPayload(checkout=Checkout.of(row))
