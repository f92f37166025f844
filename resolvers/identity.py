"""Resolvers of sign-ins at identity providers."""

import strawberry

from models import ids
from resolvers.accounts import signed_in
from schema.accounts import SessionPayload, User, UserPayload
from schema.deleted_payload import DeletedPayload
from schema.identity import LinkIdentityInput, RenewConnectionPayload, SignInNoncePayload, SignInWithIdTokenInput
from schema.runtime.context import Info
from schema.runtime.node import known_id


async def create_sign_in_nonce(info: Info) -> SignInNoncePayload:
    nonce, expires_at = info.context.services.accounts.external.new_nonce()
    return SignInNoncePayload(nonce=nonce, expires_at=expires_at)


async def sign_in_with_id_token(info: Info, input: SignInWithIdTokenInput) -> SessionPayload:
    if input.cookie:
        info.context.require_cookies()
    session = await info.context.services.accounts.external.sign_in(
        input.id_token, input.nonce, client=info.context.client, origin=info.context.origin
    )
    return signed_in(info, session, by_cookie=bool(input.cookie))


async def link_identity(info: Info, input: LinkIdentityInput) -> UserPayload:
    user = await info.context.services.accounts.external.link(
        info.context.require_viewer(), info.context.token, input.id_token, input.nonce, info.context.locale
    )
    info.context.set_viewer(user)
    return UserPayload(user=User.of(user))


async def unlink_identity(info: Info, id: strawberry.ID) -> DeletedPayload:
    await info.context.services.accounts.identities.unlink(
        info.context.require_viewer(), info.context.token, known_id(id, ids.IDENTITY), info.context.locale
    )
    return DeletedPayload(deleted_ids=[id])


async def renew_connection(info: Info, token: str) -> RenewConnectionPayload:
    await info.context.renew(token)
    return RenewConnectionPayload(renewed=True)
