"""Resolvers of accounts: sign-up, sign-in, profile, verification, password reset, API keys, roles, export."""

import strawberry

from models import ids
from schema.accounts import (
    ApiKey,
    ApiKeyPayload,
    ChangePasswordInput,
    DataExport,
    DataExportPayload,
    SentPayload,
    SessionPayload,
    SignInInput,
    SignOutPayload,
    SignUpInput,
    UpdateProfileInput,
    User,
    UserPayload,
)
from schema.runtime.context import Info
from schema.runtime.enum import Role
from schema.runtime.input import changes, given
from schema.runtime.node import known_id
from schema.runtime.user_error import DeletedPayload, user_errors
from services.accounts.session import NewSession
from services.core.error import Refusal


async def create_api_key(info: Info, name: str, idempotency_key: str | None = None) -> ApiKeyPayload:
    try:
        made = await info.context.services.accounts.api_keys.create(
            info.context.require_viewer(), name, idempotency_key
        )
    except Refusal as refusal:
        return ApiKeyPayload(api_key=None, key=None, errors=user_errors(refusal, info.context))
    return ApiKeyPayload(api_key=ApiKey.of(made.row), key=made.key, errors=[])


async def revoke_api_key(info: Info, id: strawberry.ID) -> DeletedPayload:
    try:
        await info.context.services.accounts.api_keys.revoke(
            info.context.require_viewer().id, known_id(id, ids.API_KEY)
        )
    except Refusal as refusal:
        return DeletedPayload(deleted_ids=[], errors=user_errors(refusal, info.context))
    return DeletedPayload(deleted_ids=[id], errors=[])


async def request_data_export(info: Info) -> DataExportPayload:
    exports = info.context.services.accounts.exports
    try:
        row = await exports.request(info.context.require_viewer().id)
    except Refusal as refusal:
        return DataExportPayload(data_export=None, errors=user_errors(refusal, info.context))
    link = await exports.link(row)
    shown = DataExport(url=link.url if link else None, expires_at=row.expires_at)
    return DataExportPayload(data_export=shown, errors=[])


async def viewer(info: Info) -> User | None:
    return User.of(info.context.viewer) if info.context.viewer else None


async def sign_up(info: Info, input: SignUpInput) -> SessionPayload:
    try:
        session = await info.context.services.accounts.users.sign_up(
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
        session = await info.context.services.accounts.users.sign_in(
            input.email, input.password, client=info.context.client
        )
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
    return SignOutPayload(sessions_ended=await info.context.services.accounts.users.sign_out(viewer, token))


async def update_profile(info: Info, input: UpdateProfileInput) -> UserPayload:
    try:
        user = await info.context.services.accounts.users.update_profile(
            info.context.require_viewer(), changes(input, "name", "locale")
        )
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    info.context.become(user)
    return UserPayload(user=User.of(user), errors=[])


async def change_password(info: Info, input: ChangePasswordInput) -> UserPayload:
    try:
        user = await info.context.services.accounts.users.change_password(
            info.context.require_viewer(), info.context.token, input.current, input.new
        )
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    return UserPayload(user=User.of(user), errors=[])


async def request_password_reset(info: Info, email: str) -> SentPayload:
    try:
        await info.context.services.accounts.password_resets.request(
            email, info.context.locale, client=info.context.client
        )
    except Refusal as refusal:
        return SentPayload(sent=False, errors=user_errors(refusal, info.context))
    return SentPayload(sent=True, errors=[])


async def reset_password(info: Info, token: str, password: str) -> SessionPayload:
    try:
        session = await info.context.services.accounts.password_resets.reset(
            token, password, client=info.context.client
        )
    except Refusal as refusal:
        return SessionPayload(token=None, expires_at=None, user=None, errors=user_errors(refusal, info.context))
    return signed_in(info, session)


async def admin_set_role(info: Info, user_id: strawberry.ID, role: Role) -> UserPayload:
    try:
        user = await info.context.services.accounts.roles.set(
            info.context.require_viewer(), known_id(user_id, ids.USER, "userId"), role
        )
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    return UserPayload(user=User.of(user), errors=[])


async def admin_set_suspended(info: Info, user_id: strawberry.ID, suspended: bool, reason: str) -> UserPayload:
    try:
        user = await info.context.services.accounts.suspensions.set(
            info.context.require_viewer(), known_id(user_id, ids.USER, "userId"), reason, suspended=suspended
        )
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    return UserPayload(user=User.of(user), errors=[])


async def request_email_verification(info: Info) -> SentPayload:
    try:
        sent = await info.context.services.accounts.verification.request(
            info.context.require_viewer(), info.context.locale
        )
    except Refusal as refusal:
        return SentPayload(sent=False, errors=user_errors(refusal, info.context))
    return SentPayload(sent=sent, errors=[])


async def verify_email(info: Info, token: str) -> UserPayload:
    viewer = info.context.viewer
    # Whoever holds an API key need not know the password.
    signed_in = None if info.context.uses_api_key else viewer
    try:
        user = await info.context.services.accounts.verification.verify(
            token, client=info.context.client, signed_in=signed_in
        )
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    if viewer is None or viewer.id != user.id:
        return UserPayload(user=None, errors=[])  # a link proves an address; it opens no account
    info.context.become(user)
    return UserPayload(user=User.of(user), errors=[])
