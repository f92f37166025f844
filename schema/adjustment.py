"""Credits that admins give and take."""

import strawberry

from schema.credit import CreditTransaction
from schema.error import UserError
from schema.user import User


@strawberry.input
class AdjustCreditsInput:
    user_id: strawberry.ID
    amount: int = strawberry.field(description="Negative takes credits away, below zero if need be.")
    reason: str = strawberry.field(description="1 to 500 characters; the account's owner reads it beside the line.")
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the first result; with another input, CONFLICT.",
    )


@strawberry.type
class AdjustCreditsPayload:
    user: User | None
    transaction: CreditTransaction | None
    errors: list[UserError]
