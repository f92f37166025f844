"""Resolvers of accounts: sign-up, sessions, profile, mail links, API keys, roles, suspension, export and deletion."""

from dataclasses import replace
from datetime import datetime

import strawberry

import models
from models import enum, ids
from schema.accounts import (
    ChangePasswordInput,
    DeleteAccountInput,
    MergeGuestPayload,
    MergeTokenPayload,
    RequestEmailChangeInput,
    SentPayload,
    SessionPayload,
    SignInByLinkInput,
    SignInInput,
    SignOutPayload,
    SignUpInput,
    UpdateProfileInput,
    User,
    UserPayload,
)
from schema.credential import ApiKey, ApiKeyPayload, UpdateApiKeyInput
from schema.data_export import DataExport, DataExportPayload
from schema.deleted_payload import DeletedPayload
from schema.runtime.context import Info
from schema.runtime.enum import ApiKeyScope, Role
from schema.runtime.input import changed, given
from schema.runtime.node import known_id
from services.accounts.api_key import KeyChange, KeyLimits
from services.accounts.password_check import DeviceProof
from services.accounts.session import NewSession
from services.accounts.user import ProfileChange
from services.core.unset import UNSET


async def create_api_key(
    info: Info,
    name: str,
    idempotency_key: str | None = None,
    scope: ApiKeyScope | None = enum.ApiKeyScope.EVERYTHING,
    expires_at: datetime | None = None,
    monthly_credits: int | None = None,
) -> ApiKeyPayload:
    limits = KeyLimits(scope or enum.ApiKeyScope.EVERYTHING, expires_at, monthly_credits)
    made = await info.context.services.accounts.api_keys.create(
        info.context.require_viewer(), name, idempotency_key, limits
    )
    return ApiKeyPayload(api_key=ApiKey.of(made.row), key=made.key)


async def update_api_key(info: Info, input: UpdateApiKeyInput) -> ApiKeyPayload:
    change = KeyChange(
        name=changed(input.name),
        scope=given(input.scope, UNSET),
        expires_at=changed(input.expires_at),
        monthly_credits=changed(input.monthly_credits),
    )
    keys = info.context.services.accounts.api_keys
    row = await keys.update(info.context.require_viewer(), known_id(input.id, ids.API_KEY), change)
    return ApiKeyPayload(api_key=ApiKey.of(row))


async def revoke_api_key(info: Info, id: strawberry.ID) -> DeletedPayload:
    await info.context.services.accounts.api_keys.revoke(info.context.require_viewer().id, known_id(id, ids.API_KEY))
    return DeletedPayload(deleted_ids=[id])


async def revoke_session(info: Info, id: strawberry.ID) -> DeletedPayload:
    viewer = info.context.require_viewer()
    await info.context.services.accounts.sign_ins.revocations.revoke(viewer.id, known_id(id, ids.SESSION))
    return DeletedPayload(deleted_ids=[id])


async def revoke_other_sessions(info: Info) -> DeletedPayload:
    viewer, token = info.context.require_viewer(), info.context.token
    ended = await info.context.services.accounts.sign_ins.revocations.revoke_others(viewer.id, token or "")
    return DeletedPayload(deleted_ids=[strawberry.ID(id) for id in ended])


async def request_data_export(info: Info) -> DataExportPayload:
    exports = info.context.services.accounts.exports
    row = await exports.request(info.context.require_viewer())
    link = await exports.link(row)
    return DataExportPayload(data_export=DataExport(url=link.url if link else None, expires_at=row.expires_at))


def viewer(info: Info) -> User | None:
    return User.of(info.context.viewer) if info.context.viewer else None


async def create_guest(info: Info, cookie: bool | None = False) -> SessionPayload:
    if cookie:
        info.context.require_cookies()
    session = await info.context.services.accounts.sign_ins.guests.create(origin=info.context.origin)
    return signed_in(info, session, by_cookie=bool(cookie))


async def create_merge_token(info: Info) -> MergeTokenPayload:
    merges = info.context.services.accounts.sign_ins.merges
    token, expires_at = await merges.new_token(info.context.require_viewer(), info.context.token)
    return MergeTokenPayload(token=token, expires_at=expires_at)


async def merge_guest(info: Info, token: str) -> MergeGuestPayload:
    merge = await info.context.services.accounts.sign_ins.merges.merge(info.context.require_viewer(), token)
    info.context.set_viewer(merge.user)
    return MergeGuestPayload(user=User.of(merge.user), moved_generations=merge.generations, moved_credits=merge.credits)


async def sign_up(info: Info, input: SignUpInput) -> SessionPayload:
    if input.cookie:
        info.context.require_cookies()
    viewer = info.context.viewer
    guest = viewer if viewer is not None and viewer.is_guest else None
    session = await info.context.services.accounts.users.sign_up(
        input.email,
        input.password,
        given(input.name, None),
        given(input.locale, None),
        client=info.context.client,
        origin=info.context.origin,
        request_locale=info.context.locale,
        referral_code=given(input.referral_code, None),
        guest=guest,
        # The cookie is overwritten, and nothing else would ever end its session.
        replaced=info.context.token if input.cookie and info.context.is_cookie else None,
    )
    if session is None:
        return SessionPayload(must_verify_email=True)
    return signed_in(info, session, by_cookie=bool(input.cookie))


async def sign_in(info: Info, input: SignInInput) -> SessionPayload:
    if input.cookie:
        info.context.require_cookies()
    viewer, proof = info.context.viewer, device_proof(info, input.device_token)
    if viewer is not None and not info.context.uses_api_key:
        proof = replace(proof, session=info.context.token, session_user=viewer.id)
    session = await info.context.services.accounts.users.sign_in(
        input.email,
        input.password,
        client=info.context.client,
        proof=proof,
        origin=info.context.origin,
        code=given(input.code, None),
        request_locale=info.context.locale,
    )
    return signed_in(info, session, by_cookie=bool(input.cookie))


async def request_sign_in_link(info: Info, email: str) -> SentPayload:
    links, viewer = info.context.services.accounts.sign_ins.links, info.context.viewer
    guest = viewer if viewer is not None and viewer.is_guest and not info.context.uses_api_key else None
    await links.request(email, info.context.locale, client=info.context.client, guest=guest)
    return SentPayload(sent=True)


async def sign_in_by_link(info: Info, input: SignInByLinkInput) -> SessionPayload:
    if input.cookie:
        info.context.require_cookies()
    links = info.context.services.accounts.sign_ins.links
    session = await links.sign_in(
        input.token,
        client=info.context.client,
        origin=info.context.origin,
        session=info.context.token,
        request_locale=info.context.locale,
    )
    return signed_in(info, session, by_cookie=bool(input.cookie))


def device_proof(info: Info, token: str | None) -> DeviceProof:
    """Return what shows that the device of the request signed in before; `token`: of its input."""
    return DeviceProof((given(token, None), info.context.device_cookie))


def signed_in(info: Info, session: NewSession, *, by_cookie: bool = False) -> SessionPayload:
    """Make the user of a new session the viewer, and return its payload; `by_cookie`: with its tokens in cookies."""
    session.user.proved_at = session.proved_at
    info.context.set_viewer(session.user, is_authenticated=True)
    if by_cookie:
        info.context.set_cookie(session)
        info.context.set_device_cookie(session.device_token)
    return SessionPayload(
        token=None if by_cookie else session.token,  # scripts of the page must not read it
        expires_at=session.expires_at,
        user=User.of(session.user),
        device_token=None if by_cookie else session.device_token,
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
        info.context.require_viewer(),
        ProfileChange(
            name=changed(input.name), locale=changed(input.locale), notify_by_mail=changed(input.notify_by_mail)
        ),
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
        proof=device_proof(info, input.device_token),
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
        proof=device_proof(info, input.device_token),
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


async def reset_password(info: Info, token: str, password: str, cookie: bool | None = False) -> SessionPayload:
    if cookie:
        info.context.require_cookies()
    session = await info.context.services.accounts.password_resets.reset(
        token, password, client=info.context.client, origin=info.context.origin, request_locale=info.context.locale
    )
    return signed_in(info, session, by_cookie=bool(cookie))


async def admin_set_role(info: Info, user_id: strawberry.ID, role: Role, reason: str | None = None) -> UserPayload:
    user = await info.context.services.accounts.roles.set(
        info.context.require_viewer(), known_id(user_id, ids.USER, "userId"), role, reason
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
        session=info.context.token,
        client=info.context.client,
        proof=device_proof(info, input.device_token),
    )
    info.context.set_viewer(None)
    return DeletedPayload(deleted_ids=[strawberry.ID(viewer.id)])
