"""What is answered where a mail was asked for."""

import strawberry

from schema.error import UserError


@strawberry.type
class SentPayload:
    sent: bool
    errors: list[UserError]
