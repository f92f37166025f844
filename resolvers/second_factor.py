"""Resolvers of second factors."""

import base64

from resolvers.accounts import device_proof
from schema.accounts import User, UserPayload
from schema.runtime.context import Info
from schema.runtime.input import given
from schema.second_factor import RecoveryCodesPayload, SecondFactorSetupPayload, StartSecondFactorInput


async def start_second_factor(info: Info, input: StartSecondFactorInput | None = None) -> SecondFactorSetupPayload:
    context = info.context
    app = await context.services.accounts.second_factor.changes.start(
        context.require_viewer(),
        given(input.password, None) if input else None,
        session=context.token,
        client=context.client,
        proof=device_proof(info, input.device_token if input else None),
        issuer=context.localize(context.services.products.profile.title),
    )
    secret = base64.b32encode(app.secret).decode()
    return SecondFactorSetupPayload(secret=secret, uri=app.uri, expires_at=app.expires_at)


async def confirm_second_factor(info: Info, code: str) -> RecoveryCodesPayload:
    context = info.context
    user, codes = await context.services.accounts.second_factor.changes.confirm(
        context.require_viewer(), code, session=context.token, locale=context.locale
    )
    context.set_viewer(user, is_authenticated=True)
    return RecoveryCodesPayload(recovery_codes=codes, user=User.of(user))


async def verify_second_factor(info: Info, code: str) -> UserPayload:
    context = info.context
    user = await context.services.accounts.second_factor.changes.verify(
        context.require_viewer(), code, session=context.token, locale=context.locale
    )
    context.set_viewer(user, is_authenticated=True)
    return UserPayload(user=User.of(user))


async def remove_second_factor(info: Info, code: str) -> UserPayload:
    context = info.context
    user = await context.services.accounts.second_factor.changes.remove(
        context.require_viewer(), code, locale=context.locale
    )
    context.set_viewer(user, is_authenticated=True)
    return UserPayload(user=User.of(user))
