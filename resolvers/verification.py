"""Proving an e-mail address."""

from schema.context import Info
from schema.error import user_errors
from schema.user import User, UserPayload
from schema.verification import SentPayload
from services.core.error import Refusal


async def request_email_verification(info: Info) -> SentPayload:
    try:
        sent = await info.context.services.verification.request(info.context.require_viewer(), info.context.locale)
    except Refusal as refusal:
        return SentPayload(sent=False, errors=user_errors(refusal, info.context))
    return SentPayload(sent=sent, errors=[])


async def verify_email(info: Info, token: str) -> UserPayload:
    viewer = info.context.viewer
    # Whoever holds an API key need not know the password.
    signed_in = None if info.context.uses_api_key else viewer
    try:
        user = await info.context.services.verification.verify(token, client=info.context.client, signed_in=signed_in)
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    if viewer is None or viewer.id != user.id:
        return UserPayload(user=None, errors=[])  # a link proves an address; it opens no account
    info.context.become(user)
    return UserPayload(user=User.of(user), errors=[])
