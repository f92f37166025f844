"""GraphQL types of payments: checkouts."""

import strawberry

import models
from schema.runtime.input import given
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.payments.checkout import CheckoutRequest


@strawberry.input(description="Either `package` or `plan` is required.")
class CreateCheckoutInput:
    package: str | None = strawberry.field(default=strawberry.UNSET, description="A CreditPackage's slug.")
    plan: str | None = strawberry.field(default=strawberry.UNSET, description="A Plan's slug.")
    success_url: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The app's own URL to return to after payment; `{CHECKOUT_ID}` in it is replaced by the payment "
        "provider's checkout ID.",
    )
    idempotency_key: str | None = strawberry.UNSET

    def request(self) -> CheckoutRequest:
        """Return the request for the service."""
        return CheckoutRequest(
            package=given(self.package, None),
            plan=given(self.plan, None),
            success_url=given(self.success_url, None),
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
