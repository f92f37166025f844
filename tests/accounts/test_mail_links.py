"""Mailed links for e-mail verification and password reset, over a real SMTP server."""

import asyncio
import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from models import MailToken
from models.database.connection import rows
from services.accounts import mail_token
from services.core.chore import Lane
from setting_types import Environment, Provider
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import SIGN_UP, Api, until
from tests.support.mail_server import Mailbox

PASSWORD, NEW = "correct horse", "battery staple"
ERRORS = "errors { code message field ... on QuotaExceededError { resetsAt } }"
REQUEST_VERIFICATION = f"mutation {{ requestEmailVerification {{ sent {ERRORS} }} }}"
VERIFY = f"mutation($token: String!) {{ verifyEmail(token: $token) {{ user {{ emailVerified version }} {ERRORS} }} }}"
REQUEST_RESET = f"mutation($email: String!) {{ requestPasswordReset(email: $email) {{ sent {ERRORS} }} }}"
RESET = (
    "mutation($token: String!, $password: String!) { resetPassword(token: $token, password: $password)"
    f" {{ token expiresAt user {{ id emailVerified version }} {ERRORS} }} }}"
)
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ token {ERRORS} }} }}"
CHANGE = f"mutation($input: ChangePasswordInput!) {{ changePassword(input: $input) {{ {ERRORS} }} }}"
VIEWER = "{ viewer { id emailVerified version } }"
SENT = {"sent": True, "errors": []}
CREATE_KEY = f'mutation {{ createApiKey(name: "script") {{ key {ERRORS} }} }}'
EXPORT = f"mutation {{ requestDataExport {{ dataExport {{ url }} {ERRORS} }} }}"


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    return settings.model_copy(update={"smtp_url": mailbox.url, "mail_from": "Darkroom <hello@darkroom.example>"})


async def is_verified(api: Api) -> bool:
    return bool((await api.one(VIEWER))["emailVerified"])


async def is_invalid(api: Api, token: str, query: str = VERIFY, **more: Any) -> bool:
    """Assert that a link has the response of an invalid one."""
    error = await api.refused(query, token=token, **more)
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["token"])
    return True


async def request_reset(api: Api, email: str = "ada@example.com") -> None:
    assert await api.one(REQUEST_RESET, email=email) == SENT


async def can_sign_in(api: Api, password: str) -> bool:
    made = await replace(api, token=None).one(SIGN_IN, input={"email": "ada@example.com", "password": password})
    return made["token"] is not None


async def test_sign_up_mails_a_link_that_verifies_the_address(ada: Api, mailbox: Mailbox) -> None:
    token = await mailbox.token(1)
    (mail,) = mailbox.mails
    assert (mail["To"], mail["From"]) == ("ada@example.com", "Darkroom <hello@darkroom.example>")
    assert mail["Subject"] == "Confirm your e-mail address"
    assert f"{ada.address}/verify-email?token={token}\n" in mail.get_content()
    assert mailbox.envelopes == [("hello@darkroom.example", ["ada@example.com"])]
    assert not await is_verified(ada)
    assert await ada.one(VERIFY, token=token) == {"user": {"emailVerified": True, "version": 2}, "errors": []}
    assert await ada.one(VIEWER) == {"id": ada.user["id"], "emailVerified": True, "version": 2}
    assert await is_invalid(ada, token), "single-use"
    assert await ada.one(REQUEST_VERIFICATION) == {"sent": False, "errors": []}
    assert (await ada.one(VIEWER))["version"] == 2


async def test_verification_works_signed_out_without_returning_the_account(
    ada: Api, api: Api, mailbox: Mailbox
) -> None:
    token = await mailbox.token(1)
    assert await api.one(VERIFY, token=token) == {"user": None, "errors": []}
    assert await is_verified(replace(ada, token=await sign_in(api)))


async def sign_in(api: Api, password: str = PASSWORD) -> str:
    made = await api.one(SIGN_IN, input={"email": "ada@example.com", "password": password})
    return str(made["token"])


async def unproven_key(api: Api) -> Api:
    """Return a client with an API key that an earlier release created without a verified address."""
    await until(lambda: MailToken.exists(user_id=api.user["id"]))  # none is issued for a verified address
    await api.verify_address()
    made = await api.one(CREATE_KEY)
    await rows(
        "UPDATE users SET email_verified = FALSE, owner_proven = FALSE WHERE id = $1 RETURNING id", api.user["id"]
    )
    return replace(api, token=made["key"])


async def are_signed_in(*clients: Api) -> list[bool]:
    return [await client.is_signed_in() for client in clients]


async def test_api_keys_and_exports_require_a_verified_address(ada: Api, mailbox: Mailbox) -> None:
    for query in (CREATE_KEY, EXPORT):
        assert (await ada.refused(query))["code"] == "FORBIDDEN"
        response = await ada.raw(query, headers={"accept-language": "zh"})
        assert "请先确认你的邮箱" in response.text
    assert await rows("SELECT id FROM api_keys UNION ALL SELECT id FROM data_exports") == []
    assert (await ada.one(VERIFY, token=await mailbox.token(1)))["errors"] == []
    for query in (CREATE_KEY, EXPORT):
        assert (await ada.one(query))["errors"] == []


async def test_first_verification_ends_all_other_sessions_and_api_keys(ada: Api, mailbox: Mailbox) -> None:
    script, other = await unproven_key(ada), replace(ada, token=await sign_in(ada))
    async with other.socket() as socket:
        stream = await socket.subscribe("subscription { creditsChanged { credits } }")
        await stream.next()
        assert (await ada.one(VERIFY, token=await mailbox.token(1)))["user"]["emailVerified"]
        await asyncio.wait_for(socket.connection.wait_closed(), 20)
    assert await are_signed_in(ada, other, script) == [True, False, False]
    mail = mailbox.mails[0].get_content()
    assert "This ends all other sessions and all API keys of the account." in " ".join(mail.split())


async def test_verification_on_the_page_says_that_sessions_and_api_keys_ended(ada: Api, mailbox: Mailbox) -> None:
    script = await unproven_key(ada)
    page = await ada.http.post("/verify-email", data={"token": await mailbox.token(1)})
    assert "All other sessions and all API keys of the account have ended" in page.text
    assert await are_signed_in(ada, script) == [False, False]


async def test_password_reset_by_the_owner_ends_the_access_of_a_stranger(ada: Api, api: Api, mailbox: Mailbox) -> None:
    script, token = await unproven_key(ada), await mailbox.token(1)
    await request_reset(api)
    reset = await mailbox.token(2)
    text = " ".join(mailbox.mails[1].get_content().split())
    assert "all sessions, and API keys that were created before this address was confirmed" in text
    made = await api.one(RESET, token=reset, password=NEW)
    owner = replace(api, token=made["token"])
    assert await are_signed_in(ada, script, owner) == [False, False, True]
    assert await is_invalid(api, token)


async def test_reset_ends_api_keys_of_a_stranger_whose_link_the_owner_opened(
    ada: Api, api: Api, mailbox: Mailbox
) -> None:
    assert (await api.one(VERIFY, token=await mailbox.token(1)))["errors"] == []
    stranger = replace(ada, token=await sign_in(api))
    script = replace(ada, token=(await stranger.one(CREATE_KEY))["key"])
    assert await are_signed_in(stranger, script) == [True, True]
    await request_reset(api)
    page = await ada.http.post("/reset-password", data={"token": await mailbox.token(2), "password": NEW})
    assert "API keys that were created before your address was confirmed" in page.text
    assert await are_signed_in(stranger, script) == [False, False]


async def test_mails_are_in_the_language_of_the_recipient(api: Api, mailbox: Mailbox) -> None:
    await api.raw(
        SIGN_UP, headers={"accept-language": "zh-CN"}, input={"email": "ada@example.com", "password": PASSWORD}
    )
    await mailbox.wait_for(1)
    bob = await api.sign_up("用户@例子.广告", locale="zh")
    await mailbox.wait_for(2)
    assert [mail["Subject"] for mail in mailbox.mails] == ["请确认你的电子邮箱"] * 2
    assert "打开链接" in mailbox.mails[1].get_content()
    assert mailbox.envelopes[1][1] == ["用户@xn--fsqu00a.xn--4rr70v"]
    assert not await is_verified(bob)


async def test_only_the_newest_link_is_valid_and_only_its_hash_is_stored(ada: Api, mailbox: Mailbox) -> None:
    first = await mailbox.token(1)
    assert await ada.one(REQUEST_VERIFICATION) == SENT
    second = await mailbox.token(2)
    stored = await rows("SELECT * FROM mail_tokens")
    assert hashlib.sha256(second.encode()).hexdigest() in {row["token_hash"] for row in stored}
    assert second not in str(stored)
    for wrong in (first, second[:-1], second + "x", second.swapcase(), "", "x" * 5000, "é" * 43, "\x00"):
        assert await is_invalid(ada, wrong), wrong
    assert await is_invalid(ada, second, RESET, password=NEW), "issued for another purpose"
    assert (await ada.one(VERIFY, token=second))["errors"] == []


async def test_expired_links_are_invalid_and_removed(server: Running, ada: Api, mailbox: Mailbox) -> None:
    token = await mailbox.token(1)
    await request_reset(ada)
    reset = await mailbox.token(2)
    (verification_lifetime, reset_lifetime) = (
        (row["expires_at"], row["created_at"])
        for row in await rows("SELECT expires_at, created_at FROM mail_tokens ORDER BY id")
    )
    assert verification_lifetime > reset_lifetime, "a day and an hour"
    await rows("UPDATE mail_tokens SET expires_at = LATER($1), created_at = LATER($2) RETURNING id", -1.0, -3601.0)
    assert await is_invalid(ada, token)
    assert await is_invalid(ada, reset, RESET, password=NEW)
    await server.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
    assert await rows("SELECT id FROM mail_tokens") == []


async def test_verification_mails_are_limited_to_three_an_hour(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    payloads = await asyncio.gather(*(ada.one(REQUEST_VERIFICATION) for _ in range(5)))
    assert sorted(payload["sent"] for payload in payloads) == [False] * 3 + [True] * 2
    refused = {error["code"] for payload in payloads for error in payload["errors"]}
    assert refused == {"QUOTA_EXCEEDED"}
    assert all(error["resetsAt"] for payload in payloads for error in payload["errors"])
    await mailbox.wait_for(3)
    await rows("UPDATE mail_tokens SET created_at = LATER($1) RETURNING id", -3601.0)
    assert await ada.one(REQUEST_VERIFICATION) == SENT


async def test_mail_that_could_not_be_sent_does_not_count(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    mailbox.refusal = "451 not now"
    for _ in range(4):
        assert (await ada.refused(REQUEST_VERIFICATION))["code"] == "UNAVAILABLE"
    mailbox.refusal = None
    assert await ada.one(REQUEST_VERIFICATION) == SENT
    assert (await ada.one(VERIFY, token=await mailbox.token(2)))["errors"] == []


async def test_sign_up_succeeds_while_the_mail_server_refuses(api: Api, mailbox: Mailbox) -> None:
    mailbox.refusal = "554 never"
    ada = await api.sign_up()
    assert not await is_verified(ada)
    assert mailbox.mails == []


async def test_password_reset_ends_all_sessions_and_verifies_the_address(ada: Api, mailbox: Mailbox) -> None:
    verification = await mailbox.token(1)
    await ada.verify_address()
    key = (await ada.one(CREATE_KEY))["key"]
    await request_reset(ada, "ADA@example.com")
    token = await mailbox.token(2)
    assert mailbox.mails[1]["Subject"] == "Choose a new password"
    assert f"{ada.address}/reset-password?token={token}\n" in mailbox.mails[1].get_content()
    error = await ada.refused(RESET, token=token, password="short")
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["password"]), "the link is still valid"
    made = await ada.one(RESET, token=token, password=NEW)
    assert made["errors"] == []
    assert made["user"] == {"id": ada.user["id"], "emailVerified": True, "version": 3}
    again = replace(ada, token=made["token"])
    script = replace(ada, token=key)
    assert [await client.is_signed_in() for client in (ada, again, script)] == [False, True, True]
    assert [await can_sign_in(ada, password) for password in (PASSWORD, NEW)] == [False, True]
    assert await is_invalid(again, token, RESET, password=PASSWORD)
    assert await is_invalid(again, verification)


async def test_concurrent_resets_with_one_link_set_one_password(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    await request_reset(ada)
    token = await mailbox.token(2)
    passwords = [f"{NEW} {number}" for number in range(4)]
    browser = replace(ada, token=None)
    made = await asyncio.gather(*(browser.one(RESET, token=token, password=password) for password in passwords))
    (winner,) = [password for password, one in zip(passwords, made, strict=True) if one["token"]]
    assert [await can_sign_in(ada, each) for each in passwords] == [each == winner for each in passwords]
    assert (await browser.sign_up("eve@example.com")).token
    (user,) = await rows("SELECT version FROM users WHERE id = $1", ada.user["id"])
    assert user["version"] == 2


async def test_password_reset_does_not_reveal_whether_an_account_exists(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    for email in ("ada@example.com", "unknown@example.com"):
        for _ in range(5):
            await request_reset(replace(ada, token=None), email)
    await mailbox.wait_for(4)  # the verification mail and three of the five resets
    assert {mail["To"] for mail in mailbox.mails} == {"ada@example.com"}
    error = await ada.refused(REQUEST_RESET, email="no address")
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["email"])


async def test_change_password_invalidates_all_links(ada: Api, mailbox: Mailbox) -> None:
    verification = await mailbox.token(1)
    await request_reset(ada)
    token = await mailbox.token(2)
    assert (await ada.one(CHANGE, input={"current": PASSWORD, "new": NEW}))["errors"] == []
    assert await is_invalid(ada, token, RESET, password="another one")
    assert await is_invalid(ada, verification)


async def test_link_to_a_former_address_is_invalid(ada: Api, mailbox: Mailbox) -> None:
    token = await mailbox.token(1)
    await rows("UPDATE users SET email = 'new@example.com' WHERE id = $1 RETURNING id", ada.user["id"])
    assert await is_invalid(ada, token)
    assert await ada.one(VIEWER) == {"id": ada.user["id"], "emailVerified": False, "version": 1}


async def test_production_without_a_mail_server_refuses_only_mail_operations(settings: Settings) -> None:
    production: dict[str, Any] = {"environment": Environment.PRODUCTION, "smtp_url": None, "mail_from": None}
    production |= {"image_provider": Provider.DEMO, "secret_key": "0123456789abcdef" * 2}
    async with running(settings.model_copy(update=production)) as server:
        ada = await server.api.sign_up()
        for error in (
            await ada.refused(REQUEST_VERIFICATION),
            await ada.refused(REQUEST_RESET, email="ada@example.com"),
        ):
            assert error["code"] == "UNAVAILABLE"
        assert await rows("SELECT id FROM mail_tokens") == []
        assert await can_sign_in(ada, PASSWORD)


@pytest.mark.any_database
async def test_development_without_a_mail_server_logs_mails(settings: Settings) -> None:
    with capture_logs() as logs:
        async with running(settings.model_copy(update={"smtp_url": None, "mail_from": None}), idle=True) as server:
            ada = await server.api.sign_up()

            async def is_logged() -> bool:
                return any(entry["event"] == "mail.printed" for entry in logs)

            await until(is_logged)
            (mail,) = [entry for entry in logs if entry["event"] == "mail.printed"]
            assert (mail["to"], mail["subject"]) == ("ada@example.com", "Confirm your e-mail address")
            found = re.search(rf"{re.escape(ada.address)}/verify-email\?token=([\w-]+)\n", mail["text"])
            assert found is not None
            assert (await ada.one(VERIFY, token=found[1]))["errors"] == []


async def test_queued_mails_are_sent_before_the_process_stops(settings: Settings, mailbox: Mailbox) -> None:
    async with running(settings) as server:
        await server.api.sign_up()
    await mailbox.wait_for(1)
    assert mail_token.MAX_PER_WINDOW == 3


async def test_reset_sets_the_cookie_where_it_is_asked_for(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    await request_reset(ada)
    token = await mailbox.token(2, "/reset-password")
    reset = RESET.replace("$password)", "$password, cookie: true)")
    response = await replace(ada, token=None).raw(reset, token=token, password=NEW)
    made = response.json()["data"]["resetPassword"]
    assert (made["token"], made["errors"]) == (None, [])
    kept, device = response.headers.get_list("set-cookie")
    assert kept.startswith("darkroom_session=")
    assert device.startswith("darkroom_device=")
    assert await can_sign_in(ada, NEW)
