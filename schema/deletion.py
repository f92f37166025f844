"""Deleting an account: what proves that its owner asks."""

import strawberry


@strawberry.input
class DeleteAccountInput:
    password: str | None = strawberry.field(
        default=strawberry.UNSET, description="Not asked of an account that has none."
    )
    confirm_email: str = strawberry.field(description="The account's own address.")
