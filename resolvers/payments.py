"""Payments: the way to the till."""

from schema.payments import Checkout, CheckoutPayload, CreateCheckoutInput
from schema.runtime.context import Info
from schema.runtime.user_error import user_errors
from services.core.error import Refusal


async def create_checkout(info: Info, input: CreateCheckoutInput) -> CheckoutPayload:
    viewer, context = info.context.require_viewer(), info.context
    try:
        row = await context.services.payments.checkouts.create(viewer, input.request(), client=context.client)
    except Refusal as refusal:
        return CheckoutPayload(checkout=None, errors=user_errors(refusal, context))
    return CheckoutPayload(checkout=Checkout.of(row), errors=[])
