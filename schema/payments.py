"""Paying: what somebody wants to buy, and the address of the till."""

import strawberry

import models
from schema.runtime.input import given
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.payments.checkout import CheckoutRequest


@strawberry.input(description="Either a package or a plan.")
class CreateCheckoutInput:
    package: str | None = strawberry.field(default=strawberry.UNSET, description="A CreditPackage's slug.")
    plan: str | None = strawberry.field(default=strawberry.UNSET, description="Or a Plan's.")
    success_url: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Where the person is sent who has paid: an address of the app's own. `{CHECKOUT_ID}` in it is "
        "replaced by the till's.",
    )
    idempotency_key: str | None = strawberry.UNSET

    def request(self) -> CheckoutRequest:
        """As the service takes it."""
        return CheckoutRequest(
            package=given(self.package, None),
            plan=given(self.plan, None),
            success_url=given(self.success_url, None),
            idempotency_key=given(self.idempotency_key, None),
        )


@strawberry.type(description="One visit to the till. What is bought comes when its payment is told, not before.")
class Checkout:
    id: strawberry.ID
    url: str = strawberry.field(description="Where the person pays.")

    @classmethod
    def of(cls, row: models.Checkout) -> "Checkout":
        return cls(id=strawberry.ID(row.id), url=row.url or "")


@strawberry.type
class CheckoutPayload(Payload):
    checkout: Checkout | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
