"""Attacks on the second factor with the password of an admin, with a session of an admin, and with the database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from identity_settings import IssuerSetting
from models import AuditEntry, RecoveryCode, SecondFactor, Session, User
from models.database.connection import rows
from models.enum import Role
from setting_types import Switch
from settings import Settings
from tests.accounts.test_second_factor import ADMIN, PASSWORD, SIGN_IN, sign_in
from tests.conftest import Running, running
from tests.support.authenticator_app import CONFIRM, REMOVE, START, VERIFY, App, set_up
from tests.support.client import Api
from tests.support.fakes.identity_provider import AUDIENCE, IdentityProvider
from tests.support.integrity import make_admin
from tests.support.mail_server import Mailbox

AT_ONCE = 12


@pytest.fixture
async def admin(idle_server: Running) -> Api:
    return await make_admin(idle_server.api)


@pytest.fixture
async def limited(settings: Settings) -> AsyncIterator[Running]:
    """A server with rate limits."""
    async with running(settings.model_copy(update={"rate_limits": Switch.ON}), idle=True) as found:
        yield found


def codes_of(answers: list[Any]) -> list[str]:
    return sorted(error["code"] for answer in answers for error in answer["errors"]) + [
        "OK" for answer in answers if not answer["errors"]
    ]


async def test_code_works_once_in_any_session(admin: Api) -> None:
    app = await set_up(admin)
    thief = await sign_in(admin)
    used = app.code()  # it set the factor up
    refused = await thief.refused(VERIFY, code=used)
    assert refused["message"] == "This code was used already. Please wait for the next one."
    assert (await thief.one(VERIFY, code=app.code(ahead=1)))["errors"] == []
    other = await sign_in(admin)
    assert (await other.refused(VERIFY, code=used))["code"] == "INVALID_INPUT", "no earlier one works after a later one"
    assert (await other.refused(ADMIN))["code"] == "SECOND_FACTOR_REQUIRED"


async def test_of_many_requests_with_one_code_one_is_accepted(admin: Api) -> None:
    app = await set_up(admin)
    for code in (await app.fresh_code(), app.recovery[0]):
        sessions = [await sign_in(admin) for _ in range(3)]
        answers = await asyncio.gather(*(sessions[n % 3].one(VERIFY, code=code) for n in range(AT_ONCE)))
        assert codes_of(answers) == ["INVALID_INPUT"] * (AT_ONCE - 1) + ["OK"]
        assert await Session.filter(user_id=app.user_id, second_factor_at__isnull=False).count() in (2, 3)
    assert await RecoveryCode.filter(user_id=app.user_id).count() == 9
    assert await AuditEntry.filter(action="USE_RECOVERY_CODE").count() == 1


async def test_of_a_code_sent_to_several_mutations_at_once_one_has_an_effect(admin: Api) -> None:
    app = await set_up(admin)
    for _ in range(5):
        other, code = await sign_in(admin), await app.fresh_code()
        credentials = {"email": admin.user["email"], "password": PASSWORD, "code": code}
        answers = await asyncio.gather(
            other.one(VERIFY, code=code), other.one(REMOVE, code=code), admin.one(SIGN_IN, input=credentials)
        )
        assert sum(not answer["errors"] for answer in answers) == 1, answers
        if not await SecondFactor.exists(user_id=app.user_id):
            app = await set_up(await sign_in(admin))


async def test_of_two_setups_confirmed_at_once_one_counts(admin: Api) -> None:
    started = await admin.one(START)
    app = App(str(admin.user["id"]), started["secret"], [])
    answers = await asyncio.gather(*(admin.one(CONFIRM, code=app.code()) for _ in range(AT_ONCE)))
    (accepted,) = [answer for answer in answers if not answer["errors"]]
    assert await RecoveryCode.all().count() == 10
    assert (await admin.one(VERIFY, code=accepted["recoveryCodes"][0]))["errors"] == []


async def test_recovery_codes_work_once_and_for_their_account_only(admin: Api) -> None:
    app = await set_up(admin)
    other = await make_admin(admin, "other@example.com")
    await set_up(other)
    assert (await other.refused(VERIFY, code=app.recovery[0]))["code"] == "INVALID_INPUT"
    thief = await sign_in(admin)
    spelled = app.recovery[0].upper().replace("-", " ")
    assert (await thief.one(VERIFY, code=spelled))["user"]["secondFactor"] == {"isProved": True, "recoveryCodesLeft": 9}
    again = await sign_in(admin)
    assert (await again.refused(VERIFY, code=app.recovery[0]))["code"] == "INVALID_INPUT"
    assert (await again.one(REMOVE, code=app.recovery[1]))["errors"] == []
    assert [code.user_id for code in await RecoveryCode.all()] == [other.user["id"]] * 10, "the others end with it"
    (entry,) = await AuditEntry.filter(action="DISABLE_SECOND_FACTOR")
    assert entry.detail == {"by": "RECOVERY_CODE"}


async def test_guesses_are_limited_for_the_account_and_nothing_else_is(limited: Running) -> None:
    admin = await make_admin(limited.api)
    app = await set_up(admin)
    thief = await sign_in(admin)
    wrong = [f"{(int(app.code()) + number) % 1_000_000:06}" for number in range(100, 100 + AT_ONCE)]
    answers = await asyncio.gather(*(thief.one(VERIFY, code=code) for code in wrong))
    assert codes_of(answers) == ["INVALID_INPUT"] * 5 + ["RATE_LIMITED"] * (AT_ONCE - 5), (
        "however many are sent at once"
    )
    code = await app.fresh_code()
    credentials = {"email": admin.user["email"], "password": PASSWORD}
    for document, given in (
        (VERIFY, {"code": code}),
        (VERIFY, {"code": app.recovery[0]}),
        (REMOVE, {"code": code}),
        (SIGN_IN, {"input": {**credentials, "code": code}}),
    ):
        refused = await thief.refused(document, **given)
        assert refused["code"] == "RATE_LIMITED", "the right code, too"
    assert (await admin.one(ADMIN))["users"], "the session that has proved the factor goes on"
    assert (await sign_in(admin)).token, "and signing in without a code"
    other = await make_admin(limited.api, "other@example.com")
    await set_up(other)
    assert await SecondFactor.all().count() == 2, "another account is not affected"


async def test_right_code_resets_the_count(limited: Running) -> None:
    admin = await make_admin(limited.api)
    app = await set_up(admin)
    for _ in range(3):
        for _ in range(4):
            assert (await admin.refused(VERIFY, code="000000000"))["code"] == "INVALID_INPUT"
        assert (await admin.one(VERIFY, code=await app.fresh_code()))["errors"] == []


@pytest.mark.any_database
async def test_password_and_session_do_not_take_the_account_over(admin: Api) -> None:
    """Without the factor, both do not change how the account signs in, nor replace it by a new one."""
    await admin.verify_address()
    key = (await admin.one('mutation { createApiKey(name: "script") { apiKey { id } } }'))["apiKey"]["id"]
    app = await set_up(admin)
    thief = await sign_in(admin)
    email, id = admin.user["email"], admin.user["id"]
    for mutation in (
        f'changePassword(input: {{current: "{PASSWORD}", new: "correct donkey"}})',
        f'requestEmailChange(input: {{email: "eve@example.com", password: "{PASSWORD}"}})',
        f'deleteAccount(input: {{confirmEmail: "{email}", password: "{PASSWORD}"}})',
        'createApiKey(name: "mine")',
        f'updateApiKey(input: {{id: "{key}", name: "mine"}})',
        'linkIdentity(input: {idToken: "x", nonce: "y"})',
        'unlinkIdentity(id: "x")',
        "requestDataExport",
    ):
        refused = await thief.refused(f"mutation {{ {mutation} {{ errors {{ code }} }} }}")
        assert refused["code"] == "SECOND_FACTOR_REQUIRED", mutation
    assert (await thief.refused(START))["code"] == "CONFLICT"
    assert (await thief.refused(CONFIRM, code=app.code()))["code"] == "CONFLICT"
    assert (await thief.one('mutation { updateProfile(input: {name: "Ada"}) { errors { code } } }'))["errors"] == []
    assert (await admin.one('mutation { createApiKey(name: "mine") { errors { code } } }'))["errors"] == []
    delete = f'deleteAccount(input: {{confirmEmail: "{email}", password: "{PASSWORD}"}})'
    assert (await admin.one(f"mutation {{ {delete} {{ deletedIds }} }}"))["deletedIds"] == [id]
    assert [await SecondFactor.all().count(), await RecoveryCode.all().count()] == [0, 0]
    assert (await User.get(id=id)).second_factor_since is None


@pytest.mark.any_database
async def test_password_reset_does_not_remove_the_factor(settings: Settings, mailbox: Mailbox) -> None:
    mailing = settings.model_copy(update={"smtp_url": mailbox.url, "mail_from": "hello@example.com"})
    async with running(mailing, idle=True) as server:
        admin = await make_admin(server.api)
        app = await set_up(admin)
        await mailbox.wait_for(2)
        await server.api.one('mutation { requestPasswordReset(email: "admin@example.com") { sent } }')
        token = await mailbox.token(3, "/reset-password")
        made = await server.api.one(
            'mutation($token: String!) { resetPassword(token: $token, password: "another horse") { token } }',
            token=token,
        )
        thief = replace(admin, token=made["token"])
        assert (await thief.refused(ADMIN))["code"] == "SECOND_FACTOR_REQUIRED"
        assert (await thief.one(VERIFY, code=await app.fresh_code()))["errors"] == []


@pytest.mark.any_database
async def test_another_secret_key_makes_apps_useless_and_recovery_codes_work(settings: Settings) -> None:
    with_key = settings.model_copy(update={"secret_key": "a" * 40})
    async with running(with_key, idle=True) as server:
        admin = await make_admin(server.api)
        app = await set_up(admin)
    async with running(with_key.model_copy(update={"secret_key": "b" * 40}), idle=True) as server:
        client = replace(admin, http=server.api.http, address=server.api.address)
        other = await sign_in(client)
        refused = await other.refused(VERIFY, code=await app.fresh_code())
        assert refused["code"] == "CONFLICT"
        assert "recovery code" in refused["message"]
        assert (await other.one(REMOVE, code=app.recovery[0]))["errors"] == []
        await set_up(other)


@pytest.mark.any_database
async def test_session_that_has_ended_proves_nothing(admin: Api) -> None:
    app = await set_up(admin)
    other = await sign_in(admin)
    async with other.socket() as socket:
        await Session.exclude(second_factor_at__isnull=False).delete()
        message = await (await socket.subscribe(VERIFY, code=await app.fresh_code())).message()
        assert "UNAUTHENTICATED" in str(message)
    assert (await admin.one(VERIFY, code=app.code()))["errors"] == [], "nor has it used the code up"


@pytest.mark.any_database
async def test_proof_that_is_older_than_the_factor_counts_for_nothing(admin: Api) -> None:
    app = await set_up(admin)
    other = await sign_in(admin)
    early = "UPDATE sessions SET second_factor_at = '2020-01-01T00:00:00+00:00' WHERE user_id = $1 RETURNING id"
    assert await rows(early, app.user_id)
    assert (await User.get(id=app.user_id)).role is Role.ADMIN
    assert (await other.refused(ADMIN))["code"] == "SECOND_FACTOR_REQUIRED"
    assert (await admin.refused(ADMIN))["code"] == "SECOND_FACTOR_REQUIRED"


@pytest.mark.any_database
async def test_tokens_of_identity_providers_prove_nothing_but_their_sessions_can(settings: Settings) -> None:
    async with IdentityProvider() as provider:
        issuers = (IssuerSetting(issuer=provider.issuer, audience=(AUDIENCE,)),)
        async with running(settings.model_copy(update={"oidc_issuers": issuers}), idle=True) as server:
            admin = await make_admin(server.api)
            nonce = (await admin.one("mutation { createSignInNonce { nonce } }"))["nonce"]
            linked = {"idToken": provider.token(sub="ada", nonce=nonce), "nonce": nonce}
            await admin.verify_address()
            link = "mutation($input: LinkIdentityInput!) { linkIdentity(input: $input) { errors { code } } }"
            assert (await admin.one(link, input=linked))["errors"] == []
            external = replace(admin, token=provider.token(sub="ada", amr=["mfa", "otp"]))
            assert (await external.one(ADMIN))["users"]
            assert (await external.refused(START))["code"] == "FORBIDDEN", "such a token cannot keep a proof"

            app = await set_up(admin)
            assert (await external.refused(ADMIN))["code"] == "SECOND_FACTOR_REQUIRED"
            assert (await external.refused(VERIFY, code=await app.fresh_code()))["code"] == "FORBIDDEN"
            async with admin.socket() as socket:
                assert (await (await socket.subscribe(ADMIN)).next())["users"]
                renew = "mutation($token: String!) { renewConnection(token: $token) { renewed errors { code } } }"
                assert (await (await socket.subscribe(renew, token=external.token)).next())["renewed"]
                refused = await (await socket.subscribe(ADMIN)).message()
                assert "SECOND_FACTOR_REQUIRED" in str(refused), "the proof belongs to the session, not to the socket"
            nonce = (await admin.one("mutation { createSignInNonce { nonce } }"))["nonce"]
            opened = await server.api.one(
                "mutation($input: SignInWithIdTokenInput!) { signInWithIdToken(input: $input) { token } }",
                input={"idToken": provider.token(sub="ada", nonce=nonce), "nonce": nonce},
            )
            session = replace(admin, token=opened["token"])
            assert (await session.refused(ADMIN))["code"] == "SECOND_FACTOR_REQUIRED"
            assert (await session.one(VERIFY, code=await app.fresh_code()))["errors"] == []
            assert (await session.one(ADMIN))["users"]
