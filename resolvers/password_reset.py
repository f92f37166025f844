"""A new password for who forgot theirs."""

from resolvers.user import signed_in
from schema.context import Info
from schema.error import user_errors
from schema.user import SessionPayload
from schema.verification import SentPayload
from services.core.error import Refusal


async def request_password_reset(info: Info, email: str) -> SentPayload:
    try:
        await info.context.services.password_resets.request(email, info.context.locale, client=info.context.client)
    except Refusal as refusal:
        return SentPayload(sent=False, errors=user_errors(refusal, info.context))
    return SentPayload(sent=True, errors=[])


async def reset_password(info: Info, token: str, password: str) -> SessionPayload:
    try:
        session = await info.context.services.password_resets.reset(token, password, client=info.context.client)
    except Refusal as refusal:
        return SessionPayload(token=None, expires_at=None, user=None, errors=user_errors(refusal, info.context))
    return signed_in(info, session)
