"""GraphQL types of payments: checkouts, and payments that need review."""

from datetime import datetime
from typing import Self

import strawberry

import models
from schema.runtime.input import given
from schema.runtime.node import Node
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.payments.checkout import CheckoutRequest
from services.payments.review import OPEN
from services.payments.review import PaymentReview as Review


@strawberry.input(description="Either `package` or `plan` is required.")
class CreateCheckoutInput:
    package: str | None = strawberry.field(default=strawberry.UNSET, description="A CreditPackage's slug.")
    plan: str | None = strawberry.field(default=strawberry.UNSET, description="A Plan's slug.")
    success_url: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The app's own URL to return to after payment; `{CHECKOUT_ID}` in it is replaced by the payment "
        "provider's checkout ID.",
    )
    cancel_url: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The app's own URL behind the payment page's way back; nothing is charged there.",
    )
    idempotency_key: str | None = strawberry.UNSET

    def request(self) -> CheckoutRequest:
        """Return the request for the service."""
        return CheckoutRequest(
            package=given(self.package, None),
            plan=given(self.plan, None),
            success_url=given(self.success_url, None),
            cancel_url=given(self.cancel_url, None),
            idempotency_key=given(self.idempotency_key, None),
        )


@strawberry.type(
    description="A checkout at the payment provider. The purchase takes effect when the provider reports the payment."
)
class Checkout:
    id: strawberry.ID
    url: str = strawberry.field(description="The payment page.")

    @classmethod
    def of(cls, row: models.Checkout) -> "Checkout":
        return cls(id=strawberry.ID(row.id), url=row.url or "")


@strawberry.type
class CheckoutPayload(Payload):
    checkout: Checkout | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(
    description="A report of the payment provider that could not be settled. The fields about the order are null where "
    "it does not say them in a readable way."
)
class PaymentReview(Node):
    type: str = strawberry.field(description="Of the provider's event: `order.paid`, `subscription.updated` and so on.")
    reason: str | None = strawberry.field(description="Why it needs review; for operators, in English.")
    is_open: bool = strawberry.field(description="Whether it waits to be settled or dismissed.")
    received_at: datetime
    order_id: str | None = strawberry.field(description="The provider's.")
    subscription_id: str | None = strawberry.field(description="The provider's.")
    product_id: str | None = strawberry.field(description="The provider's.")
    net_amount: int | None = strawberry.field(description="Minor units of `currency`, before tax.")
    currency: str | None
    account: str | None = strawberry.field(description="The account that the report names; it may not exist.")
    customer_email: str | None = strawberry.field(description="Null once it is settled or dismissed.")

    @classmethod
    def of(cls, row: models.ExternalEvent) -> Self:
        review = Review(row)
        is_subscription = row.type.startswith("subscription.")
        return cls(
            id=strawberry.ID(row.id),
            type=row.type,
            reason=row.problem,
            is_open=row.outcome in OPEN,
            received_at=row.received_at,
            order_id=None if is_subscription else review.order_id,
            subscription_id=review.text("id") if is_subscription else review.text("subscription_id"),
            product_id=review.text("product_id"),
            net_amount=review.net_amount,
            currency=review.text("currency"),
            account=review.text("metadata", "user_id") or review.text("customer", "external_id"),
            customer_email=review.text("customer", "email"),
        )


@strawberry.type
class PaymentReviewPayload(Payload):
    review: PaymentReview | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
