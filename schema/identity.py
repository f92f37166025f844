"""GraphQL types of sign-ins at identity providers."""

from datetime import datetime

import strawberry

import models
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError

_HINT = 4  # characters


@strawberry.type(description="A user at an identity provider who can sign in to the account.")
class Identity:
    id: strawberry.ID
    issuer: str
    subject_hint: str = strawberry.field(description="The end of its ID at the issuer.")
    name: str | None = strawberry.field(description="As the issuer named it at the last sign-in for a session.")
    email: str | None = strawberry.field(description="As `name`; null: none, or the issuer has not verified it.")
    linked_at: datetime
    last_used_at: datetime | None = strawberry.field(
        description="Accurate to five minutes; null: not since it was linked."
    )

    @classmethod
    def of(cls, row: models.Identity) -> "Identity":
        return cls(
            id=strawberry.ID(row.id),
            issuer=row.issuer,
            subject_hint=row.subject[-min(_HINT, len(row.subject) // 2) :] if len(row.subject) > 1 else "",
            name=row.name,
            email=row.email,
            linked_at=row.created_at,
            last_used_at=row.last_used_at,
        )


_NONCE = (
    "From createSignInNonce. The token's claim `nonce` is this text, or its SHA-256 in hex or base64url, so that it "
    "need not leave the client."
)


@strawberry.type
class RenewConnectionPayload(Payload):
    renewed: bool = False
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class SignInNoncePayload(Payload):
    nonce: str | None = strawberry.field(
        default=None, description="Sent to the identity provider as `nonce`, or its SHA-256; works once."
    )
    expires_at: datetime | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input(
    description="The first time, an account is created with the name and the picture of the token, or one with the "
    "same e-mail address is used, if both sides have verified it."
)
class SignInWithIdTokenInput:
    id_token: str = strawberry.field(description="From one of the issuers that the deployment accepts.")
    nonce: str = strawberry.field(description=_NONCE)
    cookie: bool | None = strawberry.field(
        default=False, description="Set the session token in an HttpOnly cookie; `token` is then null."
    )


@strawberry.input(
    description="FORBIDDEN unless the session began within the last 15 minutes, or is a guest's; CONFLICT: the user "
    "has another account, or the guest's address has one."
)
class LinkIdentityInput:
    id_token: str
    nonce: str = strawberry.field(description=_NONCE)
