"""Accounts: sign-up, sign-in, profile."""

from schema.context import Info
from schema.error import user_errors
from schema.input import changes, given
from schema.user import (
    ChangePasswordInput,
    SessionPayload,
    SignInInput,
    SignOutPayload,
    SignUpInput,
    UpdateProfileInput,
    User,
    UserPayload,
)
from services.accounts.session import NewSession
from services.core.error import Refusal


async def viewer(info: Info) -> User | None:
    return User.of(info.context.viewer) if info.context.viewer else None


async def sign_up(info: Info, input: SignUpInput) -> SessionPayload:
    try:
        session = await info.context.services.users.sign_up(
            input.email,
            input.password,
            given(input.name, None),
            given(input.locale, None),
            client=info.context.client,
            spoken=info.context.locale,
            referral_code=given(input.referral_code, None),
        )
    except Refusal as refusal:
        return SessionPayload(token=None, expires_at=None, user=None, errors=user_errors(refusal, info.context))
    return signed_in(info, session)


async def sign_in(info: Info, input: SignInInput) -> SessionPayload:
    try:
        if input.cookie:
            info.context.require_cookies()
        session = await info.context.services.users.sign_in(input.email, input.password, client=info.context.client)
    except Refusal as refusal:
        return SessionPayload(token=None, expires_at=None, user=None, errors=user_errors(refusal, info.context))
    payload = signed_in(info, session)
    if input.cookie:
        info.context.set_cookie(session)
        payload.token = None  # no script of the page shall hold it
    return payload


def signed_in(info: Info, session: NewSession) -> SessionPayload:
    info.context.become(session.user)
    return SessionPayload(token=session.token, expires_at=session.expires_at, user=User.of(session.user), errors=[])


async def sign_out(info: Info, everywhere: bool | None = False) -> SignOutPayload:
    viewer = info.context.require_viewer()
    info.context.become(None)
    if info.context.is_cookie:
        info.context.set_cookie(None)
    token = None if everywhere else info.context.token
    return SignOutPayload(sessions_ended=await info.context.services.users.sign_out(viewer, token))


async def update_profile(info: Info, input: UpdateProfileInput) -> UserPayload:
    try:
        user = await info.context.services.users.update_profile(
            info.context.require_viewer(), changes(input, "name", "locale")
        )
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    info.context.become(user)
    return UserPayload(user=User.of(user), errors=[])


async def change_password(info: Info, input: ChangePasswordInput) -> UserPayload:
    try:
        user = await info.context.services.users.change_password(
            info.context.require_viewer(), info.context.token, input.current, input.new
        )
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    return UserPayload(user=User.of(user), errors=[])
