"""Resolvers of accounts: sign-up, sessions, profile, mail links, API keys, roles, suspension, export and deletion."""

from dataclasses import replace

import strawberry

import models
from models import ids
from schema.accounts import (
    ApiKey,
    ApiKeyPayload,
    ChangePasswordInput,
    DataExport,
    DataExportPayload,
    DeleteAccountInput,
    RequestEmailChangeInput,
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
from schema.runtime.input import changed, given
from schema.runtime.node import known_id
from schema.runtime.payload import DeletedPayload
from services.accounts.password_check import DeviceProof
from services.accounts.session import NewSession
from services.accounts.user import ProfileChange


async def create_api_key(info: Info, name: str, idempotency_key: str | None = None) -> ApiKeyPayload:
    made = await info.context.services.accounts.api_keys.create(info.context.require_viewer(), name, idempotency_key)
    return ApiKeyPayload(api_key=ApiKey.of(made.row), key=made.key)


async def revoke_api_key(info: Info, id: strawberry.ID) -> DeletedPayload:
    await info.context.services.accounts.api_keys.revoke(info.context.require_viewer().id, known_id(id, ids.API_KEY))
    return DeletedPayload(deleted_ids=[id])


async def request_data_export(info: Info) -> DataExportPayload:
    exports = info.context.services.accounts.exports
    row = await exports.request(info.context.require_viewer())
    link = await exports.link(row)
    return DataExportPayload(data_export=DataExport(url=link.url if link else None, expires_at=row.expires_at))


def viewer(info: Info) -> User | None:
    return User.of(info.context.viewer) if info.context.viewer else None


async def sign_up(info: Info, input: SignUpInput) -> SessionPayload:
    session = await info.context.services.accounts.users.sign_up(
        input.email,
        input.password,
        given(input.name, None),
        given(input.locale, None),
        client=info.context.client,
        request_locale=info.context.locale,
        referral_code=given(input.referral_code, None),
    )
    return _signed_in(info, session) if session else SessionPayload(must_verify_email=True)


async def sign_in(info: Info, input: SignInInput) -> SessionPayload:
    if input.cookie:
        info.context.require_cookies()
    viewer, proof = info.context.viewer, _device_proof(info, input.device_token)
    if viewer is not None and not info.context.uses_api_key:
        proof = replace(proof, session=info.context.token, session_user=viewer.id)
    session = await info.context.services.accounts.users.sign_in(
        input.email, input.password, client=info.context.client, proof=proof
    )
    payload = _signed_in(info, session)
    if input.cookie:
        info.context.set_cookie(session)
        info.context.set_device_cookie(session.device_token)
        payload.token = payload.device_token = None  # scripts of the page must not read them
    return payload


def _device_proof(info: Info, token: str | None) -> DeviceProof:
    return DeviceProof((given(token, None), info.context.device_cookie))


def _signed_in(info: Info, session: NewSession) -> SessionPayload:
    info.context.set_viewer(session.user)
    return SessionPayload(
        token=session.token,
        expires_at=session.expires_at,
        user=User.of(session.user),
        device_token=session.device_token,
    )


async def sign_out(info: Info, everywhere: bool | None = False) -> SignOutPayload:
    viewer = info.context.require_viewer()
    info.context.set_viewer(None)
    if info.context.is_cookie:
        info.context.set_cookie(None)
    token = None if everywhere else info.context.token
    return SignOutPayload(sessions_ended=await info.context.services.accounts.users.sign_out(viewer, token))


async def update_profile(info: Info, input: UpdateProfileInput) -> UserPayload:
    user = await info.context.services.accounts.users.update_profile(
        info.context.require_viewer(), ProfileChange(name=changed(input.name), locale=changed(input.locale))
    )
    info.context.set_viewer(user)
    return UserPayload(user=User.of(user))


async def change_password(info: Info, input: ChangePasswordInput) -> UserPayload:
    user = await info.context.services.accounts.users.change_password(
        info.context.require_viewer(),
        info.context.token,
        input.current,
        input.new,
        client=info.context.client,
        proof=_device_proof(info, input.device_token),
    )
    info.context.set_viewer(user)
    if info.context.device_cookie is not None and info.context.takes_cookies:  # the new password ended the old one
        info.context.set_device_cookie(info.context.services.accounts.devices.issue(user.id, user.password_hash))
    return UserPayload(user=User.of(user))


async def request_email_change(info: Info, input: RequestEmailChangeInput) -> SentPayload:
    await info.context.services.accounts.email_changes.request(
        info.context.require_viewer(),
        input.email,
        given(input.password, None),
        session=info.context.token,
        client=info.context.client,
        proof=_device_proof(info, input.device_token),
        locale=info.context.locale,
    )
    return SentPayload(sent=True)


async def change_email(info: Info, token: str) -> UserPayload:
    user = await info.context.services.accounts.email_changes.change(
        token,
        client=info.context.client,
        signed_in=_signed_in_user(info),
        session=info.context.token,
        locale=info.context.locale,
    )
    return _for_owner(info, user)


async def request_password_reset(info: Info, email: str) -> SentPayload:
    await info.context.services.accounts.password_resets.request(email, info.context.locale, client=info.context.client)
    return SentPayload(sent=True)


async def reset_password(info: Info, token: str, password: str) -> SessionPayload:
    session = await info.context.services.accounts.password_resets.reset(token, password, client=info.context.client)
    return _signed_in(info, session)


async def admin_set_role(info: Info, user_id: strawberry.ID, role: Role) -> UserPayload:
    user = await info.context.services.accounts.roles.set(
        info.context.require_viewer(), known_id(user_id, ids.USER, "userId"), role
    )
    return UserPayload(user=User.of(user))


async def admin_set_suspended(info: Info, user_id: strawberry.ID, suspended: bool, reason: str) -> UserPayload:
    user = await info.context.services.accounts.suspensions.set(
        info.context.require_viewer(), known_id(user_id, ids.USER, "userId"), reason, suspended=suspended
    )
    return UserPayload(user=User.of(user))


async def request_email_verification(info: Info) -> SentPayload:
    sent = await info.context.services.accounts.verification.request(info.context.require_viewer(), info.context.locale)
    return SentPayload(sent=sent)


async def verify_email(info: Info, token: str) -> UserPayload:
    user = await info.context.services.accounts.verification.verify(
        token, client=info.context.client, signed_in=_signed_in_user(info), session=info.context.token
    )
    return _for_owner(info, user)


def _signed_in_user(info: Info) -> models.User | None:
    """Return the viewer of a session: an API key does not prove that the client knows the password."""
    return None if info.context.uses_api_key else info.context.viewer


def _for_owner(info: Info, user: models.User) -> UserPayload:
    viewer = info.context.viewer
    if viewer is None or viewer.id != user.id:
        return UserPayload(user=None)  # a link verifies an address; it does not sign in
    info.context.set_viewer(user)
    return UserPayload(user=User.of(user))


async def delete_account(info: Info, input: DeleteAccountInput) -> DeletedPayload:
    viewer = info.context.require_viewer()
    await info.context.services.accounts.deletion.delete(
        viewer,
        given(input.password, None),
        input.confirm_email,
        client=info.context.client,
        proof=_device_proof(info, input.device_token),
    )
    info.context.set_viewer(None)
    return DeletedPayload(deleted_ids=[strawberry.ID(viewer.id)])
