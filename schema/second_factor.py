"""GraphQL types of setting up a second factor."""

from datetime import datetime

import strawberry

from schema.accounts import User
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError


@strawberry.input
class StartSecondFactorInput:
    password: str | None = strawberry.field(
        default=strawberry.UNSET, description="Required unless this session began within the last 15 minutes."
    )
    device_token: str | None = strawberry.field(default=strawberry.UNSET, description="As in SignInInput.")


@strawberry.type
class SecondFactorSetupPayload(Payload):
    secret: str | None = strawberry.field(
        default=None,
        description="In base32, to be typed into an authenticator app that cannot scan; returned only once.",
    )
    uri: str | None = strawberry.field(
        default=None, description="An `otpauth:` URI, to be shown as a QR code that an authenticator app scans."
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="When it is too late for confirmSecondFactor."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class RecoveryCodesPayload(Payload):
    recovery_codes: list[str] | None = strawberry.field(
        default=None, description="Ten, each of which works once in place of the app; returned only once."
    )
    user: User | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
