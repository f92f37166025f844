"""Links in mails: what they prove, whose password they change, and when they are dead. Mail goes by real SMTP."""

import asyncio
import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

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
ASK = f"mutation {{ requestEmailVerification {{ sent {ERRORS} }} }}"
VERIFY = f"mutation($token: String!) {{ verifyEmail(token: $token) {{ user {{ emailVerified version }} {ERRORS} }} }}"
FORGOT = f"mutation($email: String!) {{ requestPasswordReset(email: $email) {{ sent {ERRORS} }} }}"
RESET = (
    "mutation($token: String!, $password: String!) { resetPassword(token: $token, password: $password)"
    f" {{ token expiresAt user {{ id emailVerified version }} {ERRORS} }} }}"
)
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ token {ERRORS} }} }}"
CHANGE = f"mutation($input: ChangePasswordInput!) {{ changePassword(input: $input) {{ {ERRORS} }} }}"
VIEWER = "{ viewer { id emailVerified version } }"
SENT = {"sent": True, "errors": []}


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    return settings.model_copy(update={"smtp_url": mailbox.url, "mail_from": "Darkroom <hello@darkroom.example>"})


async def verified(api: Api) -> bool:
    return bool((await api.one(VIEWER))["emailVerified"])


async def dead(api: Api, token: str, query: str = VERIFY, **more: Any) -> bool:
    """Whether a link is answered like any that does not work."""
    error = await api.refused(query, token=token, **more)
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["token"])
    return True


async def forgot(api: Api, email: str = "ada@example.com") -> None:
    assert await api.one(FORGOT, email=email) == SENT


async def signs_in(api: Api, password: str) -> bool:
    made = await api.one(SIGN_IN, input={"email": "ada@example.com", "password": password})
    return made["token"] is not None


async def test_a_new_account_gets_a_link_that_proves_its_address(ada: Api, mailbox: Mailbox) -> None:
    token = await mailbox.token(1)
    (mail,) = mailbox.mails
    assert (mail["To"], mail["From"]) == ("ada@example.com", "Darkroom <hello@darkroom.example>")
    assert mail["Subject"] == "Confirm your e-mail address"
    assert f"{ada.address}/verify-email?token={token}\n" in mail.get_content()
    assert mailbox.envelopes == [("hello@darkroom.example", ["ada@example.com"])]
    assert not await verified(ada)
    assert await ada.one(VERIFY, token=token) == {"user": {"emailVerified": True, "version": 2}, "errors": []}
    assert await ada.one(VIEWER) == {"id": ada.user["id"], "emailVerified": True, "version": 2}
    assert await dead(ada, token), "once"
    assert await ada.one(ASK) == {"sent": False, "errors": []}
    assert (await ada.one(VIEWER))["version"] == 2


async def test_a_link_works_signed_out_but_shows_nobodys_account(ada: Api, api: Api, mailbox: Mailbox) -> None:
    token = await mailbox.token(1)
    assert await api.one(VERIFY, token=token) == {"user": None, "errors": []}
    assert await verified(ada)


async def test_mails_are_in_the_language_of_their_reader(api: Api, mailbox: Mailbox) -> None:
    await api.raw(
        SIGN_UP, headers={"accept-language": "zh-CN"}, input={"email": "ada@example.com", "password": PASSWORD}
    )
    await mailbox.wait_for(1)
    bob = await api.sign_up("用户@例子.广告", locale="zh")
    await mailbox.wait_for(2)
    assert [mail["Subject"] for mail in mailbox.mails] == ["请确认您的电子邮箱"] * 2
    assert "打开链接" in mailbox.mails[1].get_content()
    assert mailbox.envelopes[1][1] == ["用户@例子.广告"]
    assert not await verified(bob)


async def test_only_the_newest_link_works_and_only_its_hash_is_kept(ada: Api, mailbox: Mailbox) -> None:
    first = await mailbox.token(1)
    assert await ada.one(ASK) == SENT
    second = await mailbox.token(2)
    kept = await rows("SELECT * FROM mail_tokens")
    assert hashlib.sha256(second.encode()).hexdigest() in {row["token_hash"] for row in kept}
    assert second not in str(kept)
    for wrong in (first, second[:-1], second + "x", second.swapcase(), "", "x" * 5000, "é" * 43, "\x00"):
        assert await dead(ada, wrong), wrong
    assert await dead(ada, second, RESET, password=NEW), "for another purpose"
    assert (await ada.one(VERIFY, token=second))["errors"] == []


async def test_a_link_dies_with_its_time(server: Running, ada: Api, mailbox: Mailbox) -> None:
    token = await mailbox.token(1)
    await forgot(ada)
    reset = await mailbox.token(2)
    (verify_life, reset_life) = (
        (row["expires_at"], row["created_at"])
        for row in await rows("SELECT expires_at, created_at FROM mail_tokens ORDER BY id")
    )
    assert verify_life > reset_life, "a day and an hour"
    await rows("UPDATE mail_tokens SET expires_at = LATER($1) RETURNING id", -1.0)
    assert await dead(ada, token)
    assert await dead(ada, reset, RESET, password=NEW)
    await server.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
    assert await rows("SELECT id FROM mail_tokens") == []


async def test_at_most_three_mails_an_hour_prove_an_address(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    answers = await asyncio.gather(*(ada.one(ASK) for _ in range(5)))
    assert sorted(answer["sent"] for answer in answers) == [False] * 3 + [True] * 2
    refused = {error["code"] for answer in answers for error in answer["errors"]}
    assert refused == {"QUOTA_EXCEEDED"}
    assert all(error["resetsAt"] for answer in answers for error in answer["errors"])
    await mailbox.wait_for(3)
    await rows("UPDATE mail_tokens SET created_at = LATER($1) RETURNING id", -3601.0)
    assert await ada.one(ASK) == SENT


async def test_a_mail_that_did_not_leave_does_not_count(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    mailbox.refusal = "451 not now"
    for _ in range(4):
        assert (await ada.refused(ASK))["code"] == "UNAVAILABLE"
    mailbox.refusal = None
    assert await ada.one(ASK) == SENT
    assert (await ada.one(VERIFY, token=await mailbox.token(2)))["errors"] == []


async def test_signing_up_needs_no_mail_server(api: Api, mailbox: Mailbox) -> None:
    mailbox.refusal = "554 never"
    ada = await api.sign_up()
    assert not await verified(ada)
    assert mailbox.mails == []


async def test_a_forgotten_password_is_replaced_and_everybody_else_is_signed_out(ada: Api, mailbox: Mailbox) -> None:
    verification = await mailbox.token(1)
    key = (await ada.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    await forgot(ada, "ADA@example.com")
    token = await mailbox.token(2)
    assert mailbox.mails[1]["Subject"] == "Choose a new password"
    assert f"{ada.address}/reset-password?token={token}\n" in mailbox.mails[1].get_content()
    error = await ada.refused(RESET, token=token, password="short")
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["password"]), "and the link still works"
    made = await ada.one(RESET, token=token, password=NEW)
    assert made["errors"] == []
    assert made["user"] == {"id": ada.user["id"], "emailVerified": True, "version": 3}
    again = replace(ada, token=made["token"])
    script = replace(ada, token=key)
    assert [await client.one(VIEWER) is not None for client in (ada, again, script)] == [False, True, True]
    assert [await signs_in(ada, word) for word in (PASSWORD, NEW)] == [False, True]
    assert await dead(ada, token, RESET, password=PASSWORD)
    assert await dead(ada, verification)


async def test_of_twins_with_one_link_one_has_the_password(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    await forgot(ada)
    token = await mailbox.token(2)
    words = [f"{NEW} {number}" for number in range(4)]
    made = await asyncio.gather(*(ada.one(RESET, token=token, password=word) for word in words))
    (winner,) = [word for word, one in zip(words, made, strict=True) if one["token"]]
    assert [await signs_in(ada, word) for word in words] == [word == winner for word in words]
    assert (await ada.sign_up("eve@example.com")).token
    (user,) = await rows("SELECT version FROM users WHERE id = $1", ada.user["id"])
    assert user["version"] == 2


async def test_nobody_learns_whether_an_account_exists(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    for email in ("ada@example.com", "nobody@example.com"):
        for _ in range(5):
            await forgot(replace(ada, token=None), email)
    await mailbox.wait_for(4)  # three of five, and silence for the rest
    assert {mail["To"] for mail in mailbox.mails} == {"ada@example.com"}
    error = await ada.refused(FORGOT, email="no address")
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["email"])


async def test_a_changed_password_kills_every_link(ada: Api, mailbox: Mailbox) -> None:
    verification = await mailbox.token(1)
    await forgot(ada)
    token = await mailbox.token(2)
    assert (await ada.one(CHANGE, input={"current": PASSWORD, "new": NEW}))["errors"] == []
    assert await dead(ada, token, RESET, password="another one")
    assert await dead(ada, verification)


async def test_a_link_for_an_address_that_changed_proves_nothing(ada: Api, mailbox: Mailbox) -> None:
    token = await mailbox.token(1)
    await rows("UPDATE users SET email = 'new@example.com' WHERE id = $1 RETURNING id", ada.user["id"])
    assert await dead(ada, token)
    assert await ada.one(VIEWER) == {"id": ada.user["id"], "emailVerified": False, "version": 1}


async def test_in_production_without_a_mail_server_only_mail_is_missing(settings: Settings) -> None:
    production: dict[str, Any] = {"environment": Environment.PRODUCTION, "smtp_url": None, "mail_from": None}
    production |= {"image_provider": Provider.DEMO, "secret_key": "0123456789abcdef" * 2}
    async with running(settings.model_copy(update=production)) as server:
        ada = await server.api.sign_up()
        for error in (await ada.refused(ASK), await ada.refused(FORGOT, email="ada@example.com")):
            assert error["code"] == "UNAVAILABLE"
        assert await rows("SELECT id FROM mail_tokens") == []
        assert await signs_in(ada, PASSWORD)


@pytest.mark.any_database
async def test_in_development_without_a_mail_server_mails_are_in_the_log(settings: Settings) -> None:
    with capture_logs() as logs:
        async with running(settings.model_copy(update={"smtp_url": None, "mail_from": None}), idle=True) as server:
            ada = await server.api.sign_up()

            async def printed() -> bool:
                return any(entry["event"] == "mail.printed" for entry in logs)

            await until(printed)
            (mail,) = [entry for entry in logs if entry["event"] == "mail.printed"]
            assert (mail["to"], mail["subject"]) == ("ada@example.com", "Confirm your e-mail address")
            found = re.search(rf"{re.escape(ada.address)}/verify-email\?token=([\w-]+)\n", mail["text"])
            assert found is not None
            assert (await ada.one(VERIFY, token=found[1]))["errors"] == []


async def test_mails_that_are_under_way_leave_before_the_process_stops(settings: Settings, mailbox: Mailbox) -> None:
    async with running(settings) as server:
        await server.api.sign_up()
    await mailbox.wait_for(1)
    assert mail_token.MAX_PER_WINDOW == 3
