"""Change of an account's e-mail address: confirmed by the new mailbox, announced to the present one."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import AuditEntry, MailToken, Session, User
from models.database.connection import rows
from models.enum import Role
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.integrity import make_admin
from tests.support.mail_server import Mailbox

PASSWORD, NEW = "correct horse", "battery staple"
ADA, EVE, BOSS = "ada@example.com", "eve@example.com", "boss@example.com"
ERRORS = "errors { code message field }"
REQUEST = f"mutation($input: RequestEmailChangeInput!) {{ requestEmailChange(input: $input) {{ sent {ERRORS} }} }}"
CHANGE = (
    "mutation($token: String!) { changeEmail(token: $token)"
    f" {{ user {{ id email emailVerified role version }} {ERRORS} }} }}"
)
VERIFY = f"mutation($token: String!) {{ verifyEmail(token: $token) {{ user {{ role }} {ERRORS} }} }}"
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ token user {{ id role }} {ERRORS} }} }}"
FORGOT = "mutation($email: String!) { requestPasswordReset(email: $email) { sent } }"
RESET = f'mutation($token: String!) {{ resetPassword(token: $token, password: "{NEW}") {{ token {ERRORS} }} }}'
CHANGE_PASSWORD = f'mutation {{ changePassword(input: {{current: "{PASSWORD}", new: "{NEW}"}}) {{ {ERRORS} }} }}'
CREATE_KEY = f'mutation {{ createApiKey(name: "script") {{ key {ERRORS} }} }}'
SUSPEND = (
    "mutation($userId: ID!, $suspended: Boolean!)"
    f' {{ adminSetSuspended(userId: $userId, suspended: $suspended, reason: "x") {{ {ERRORS} }} }}'
)
SIGN_OUT = "mutation($everywhere: Boolean) { signOut(everywhere: $everywhere) { sessionsEnded } }"
VIEWER = "{ viewer { id email version } }"
SENT = {"sent": True, "errors": []}


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    return settings.model_copy(update={"smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"})


async def request(api: Api, email: str, password: str | None = None) -> Any:
    return await api.one(REQUEST, input={"email": email, "password": password})


async def sign_in(api: Api, email: str, password: str = PASSWORD) -> Api | None:
    made = await api.one(SIGN_IN, input={"email": email, "password": password})
    return replace(api, token=made["token"], user=made["user"]) if made["token"] else None


async def token_for(mailbox: Mailbox, email: str, count: int) -> str:
    """Wait for `count` mails and return the token in the newest one to this address."""
    await mailbox.wait_for(count)
    newest = [mail for mail in mailbox.mails if mail["To"] == email][-1]
    box = Mailbox()
    box.mails = [newest]
    return await box.token(1)


async def is_invalid(api: Api, token: str) -> bool:
    error = await replace(api, token=None).refused(CHANGE, token=token)
    return (error["code"], error["field"]) == ("INVALID_INPUT", ["token"])


async def make_session_old(api: Api) -> None:
    await Session.filter(user_id=api.user["id"]).update(created_at=datetime.now(UTC) - timedelta(minutes=16))


async def test_address_changes_when_the_link_in_the_new_mailbox_is_opened(ada: Api, mailbox: Mailbox) -> None:
    verification = await mailbox.token(1)
    other = await sign_in(ada, ADA)
    assert other is not None
    assert await request(ada, "Ada.L@Straße.de") == SENT
    token = await token_for(mailbox, "Ada.L@xn--strae-oqa.de", 3)
    (notice,) = [mail for mail in mailbox.mails[1:] if mail["To"] == ADA]
    assert notice["Subject"] == "A new e-mail address was requested"
    assert "change your password now" in " ".join(notice.get_content().split())
    assert "http" not in notice.get_content()
    assert (
        f"{ada.address}/change-email?token={token}\n" in mailbox.mails[1].get_content() + mailbox.mails[2].get_content()
    )
    assert (await ada.one(VIEWER))["email"] == ADA, "the address stays until then"

    changed = await ada.one(CHANGE, token=token)
    assert changed["user"]["email"] == "Ada.L@straße.de"
    assert changed["user"]["emailVerified"]
    assert await ada.one(VIEWER) == {"id": ada.user["id"], "email": "Ada.L@straße.de", "version": 2}
    await mailbox.wait_for(4)
    assert (mailbox.mails[3]["To"], mailbox.mails[3]["Subject"]) == (ADA, "Your e-mail address was changed")
    assert not await other.is_signed_in(), "other sessions end"
    assert await is_invalid(ada, token), "single-use"
    assert (await ada.refused(VERIFY, token=verification))["field"] == ["token"]
    assert await sign_in(ada, ADA) is None
    assert await sign_in(ada, "ada.l@straße.de") is not None
    assert (await ada.sign_up(ADA)).token, "the former address is free"


async def test_mails_are_in_the_language_of_the_account(api: Api, mailbox: Mailbox) -> None:
    ada = await api.sign_up(ADA, locale="zh")
    await mailbox.wait_for(1)
    await request(ada, EVE)
    assert (await ada.one(CHANGE, token=await token_for(mailbox, EVE, 3)))["errors"] == []
    await mailbox.wait_for(4)
    subjects = {mail["Subject"] for mail in mailbox.mails[1:]}
    assert subjects == {"请确认你的新电子邮箱", "有人请求更换你的电子邮箱", "你的电子邮箱已更换"}


async def test_old_session_needs_the_password_and_recent_one_does_not(ada: Api, mailbox: Mailbox) -> None:
    await make_session_old(ada)
    error = await ada.refused(REQUEST, input={"email": EVE})
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["password"])
    for wrong in ("wrong", ""):
        error = await ada.refused(REQUEST, input={"email": EVE, "password": wrong})
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["password"])
    assert await request(ada, EVE, PASSWORD) == SENT
    again = await sign_in(ada, ADA)
    assert again is not None
    assert (await again.refused(REQUEST, input={"email": EVE, "password": "wrong"}))["field"] == ["password"]
    assert await request(again, EVE) == SENT
    await mailbox.wait_for(5)


async def test_api_key_cannot_request_a_change(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    await ada.verify_address()
    script = replace(ada, token=(await ada.one(CREATE_KEY))["key"])
    assert (await script.refused(REQUEST, input={"email": EVE, "password": PASSWORD}))["code"] == "FORBIDDEN"
    assert (await replace(ada, token=None).refused(REQUEST, input={"email": EVE}))["code"] == "UNAUTHENTICATED"
    assert await request(ada, EVE) == SENT
    changed = await script.one(CHANGE, token=await token_for(mailbox, EVE, 3))
    assert changed["errors"] == []
    user = await User.get(id=ada.user["id"])
    assert (user.email, user.owner_proven) == (EVE, False), "an API key proves no knowledge of the password"
    assert not await ada.is_signed_in()
    assert (await script.one(VIEWER))["id"] == ada.user["id"], "API keys of a proven owner stay"


async def test_request_does_not_reveal_whether_the_new_address_has_an_account(ada: Api, mailbox: Mailbox) -> None:
    await ada.sign_up("Bob@example.com", locale="zh")
    await mailbox.wait_for(2)
    assert await request(ada, "bob@example.com") == await request(ada, "free@example.com") == SENT
    await mailbox.wait_for(6)
    sent = {(mail["To"], mail["Subject"]) for mail in mailbox.mails[2:]}
    assert sent == {
        (ADA, "A new e-mail address was requested"),
        ("Bob@example.com", "你的电子邮箱已有账户"),
        ("free@example.com", "Confirm your new e-mail address"),
    }
    (to_bob,) = [mail for mail in mailbox.mails[2:] if mail["To"] == "Bob@example.com"]
    assert "token=" not in to_bob.get_content()
    assert await MailToken.filter(purpose="CHANGE").count() == 2, "both count in the same way"


async def test_change_is_refused_when_the_address_was_taken_since(ada: Api, mailbox: Mailbox) -> None:
    await request(ada, EVE)
    token = await token_for(mailbox, EVE, 3)
    await ada.sign_up(EVE)
    error = await ada.refused(CHANGE, token=token)
    assert (error["code"], error["field"]) == ("CONFLICT", ["token"])
    assert (await ada.one(VIEWER))["email"] == ADA


async def test_of_two_accounts_that_change_to_one_address_one_gets_it(ada: Api, mailbox: Mailbox) -> None:
    bob = await ada.sign_up("bob@example.com")
    await mailbox.wait_for(2)
    await request(ada, EVE)
    tokens = [await token_for(mailbox, EVE, 4)]
    await request(bob, EVE)
    tokens.append(await token_for(mailbox, EVE, 6))
    results = await asyncio.gather(*(client.one(CHANGE, token=t) for client, t in zip((ada, bob), tokens, strict=True)))
    codes = sorted(error["code"] for result in results for error in result["errors"])
    assert codes == ["CONFLICT"]
    assert await User.filter(email=EVE).count() == 1


async def test_concurrent_changes_with_one_link_happen_once(ada: Api, mailbox: Mailbox) -> None:
    await request(ada, EVE)
    token = await token_for(mailbox, EVE, 3)
    results = await asyncio.gather(*(ada.one(CHANGE, token=token) for _ in range(4)))
    assert sum(not result["errors"] for result in results) == 1
    assert (await ada.one(VIEWER))["version"] == 2


async def test_link_ends_with_expiry_newer_link_or_password_change(idle_server: Running, mailbox: Mailbox) -> None:
    ada = await idle_server.api.sign_up()
    await request(ada, EVE)
    first = await token_for(mailbox, EVE, 3)
    await request(ada, "new@example.com")
    second = await token_for(mailbox, "new@example.com", 5)
    assert await is_invalid(ada, first), "only the newest link is valid"
    assert await MailToken.filter(used_at=None, purpose="CHANGE").update(expires_at=datetime.now(UTC))
    assert await is_invalid(ada, second)
    await request(ada, "new@example.com")
    third = await token_for(mailbox, "new@example.com", 7)
    assert (await ada.one(CHANGE_PASSWORD))["errors"] == []
    assert await is_invalid(ada, third), "the notice to the present address advises to change the password"
    error = await ada.refused(REQUEST, input={"email": EVE})
    assert error["code"] == "QUOTA_EXCEEDED", "three links an hour"


async def test_link_is_bound_to_the_address_it_was_requested_with(ada: Api, mailbox: Mailbox) -> None:
    await request(ada, EVE)
    token = await token_for(mailbox, EVE, 3)
    await rows("UPDATE users SET email = 'moved@example.com' WHERE id = $1 RETURNING id", ada.user["id"])
    assert await is_invalid(ada, token)


async def test_link_of_a_suspended_account_is_invalid_also_after_the_suspension(ada: Api, mailbox: Mailbox) -> None:
    await request(ada, EVE)
    token = await token_for(mailbox, EVE, 3)
    admin = await make_admin(ada)
    for suspended in (True, False):
        await admin.one(SUSPEND, userId=ada.user["id"], suspended=suspended)
        assert await is_invalid(ada, token)


async def test_signing_out_everywhere_cancels_the_change(ada: Api, mailbox: Mailbox) -> None:
    other = await sign_in(ada, ADA)
    assert other is not None
    await request(ada, EVE)
    token = await token_for(mailbox, EVE, 3)
    assert (await other.one(SIGN_OUT, everywhere=False))["sessionsEnded"] == 1
    assert (await ada.one(SIGN_OUT, everywhere=True))["sessionsEnded"] == 1
    assert await is_invalid(ada, token)


@pytest.mark.parametrize("email", ["no address", ADA, "eve@example.com\r\nBcc: x@example.com"])
async def test_malformed_and_present_addresses_are_refused(ada: Api, mailbox: Mailbox, email: str) -> None:
    error = await ada.refused(REQUEST, input={"email": email})
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["email"])


async def test_notice_is_sent_although_mail_to_the_other_address_is_refused(ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    mailbox.refusal = "554 never"
    for _ in range(3):
        assert await request(ada, EVE) == SENT
    error = await ada.refused(REQUEST, input={"email": EVE})
    assert error["code"] == "QUOTA_EXCEEDED", "the present address got a notice each time"


async def test_wrong_passwords_count_as_failures_of_the_account(settings: Settings, mailbox: Mailbox) -> None:
    async with running(settings.model_copy(update={"rate_limits": Switch.ON}), idle=True) as server:
        ada = await server.api.sign_up()
        for _ in range(10):
            error = await ada.refused(REQUEST, input={"email": EVE, "password": "wrong"})
            assert error["code"] == "INVALID_INPUT"
        error = await ada.refused(REQUEST, input={"email": EVE, "password": PASSWORD})
        assert error["code"] == "RATE_LIMITED"
        assert await sign_in(server.api, ADA) is None


async def test_requests_are_limited_per_mailbox_that_gets_the_mails(settings: Settings, mailbox: Mailbox) -> None:
    async with running(settings.model_copy(update={"rate_limits": Switch.ON}), idle=True) as server:
        users = [await server.api.sign_up(f"user{number}@example.com") for number in range(2)]
        for number in range(5):
            assert await request(users[number % 2], f"victim+{number}@example.com") == SENT
        error = await users[1].refused(REQUEST, input={"email": "victim@example.com"})
        assert error["code"] == "RATE_LIMITED"


async def test_sign_up_bonus_is_not_granted_again(ada: Api, mailbox: Mailbox) -> None:
    await request(ada, EVE)
    assert (await ada.one(CHANGE, token=await token_for(mailbox, EVE, 3)))["errors"] == []
    assert len(await ada.ledger()) == 1
    again = await ada.sign_up(ADA)
    assert (await again.ledger(), await again.credits()) == ([], 0), "the mailbox had its bonus"


async def test_bonus_that_requires_verification_is_granted_by_the_first_change(
    idle_server: Running, mailbox: Mailbox
) -> None:
    idle_server.services.billing.signup_bonuses._requires_verification = True  # as a profile does
    ada = await idle_server.api.sign_up()
    assert await ada.credits() == 0
    await request(ada, EVE)
    assert (await ada.one(CHANGE, token=await token_for(mailbox, EVE, 3)))["errors"] == []
    assert [line["type"] for line in await ada.ledger()] == ["BONUS"]


async def test_change_to_an_admin_address_appoints_only_its_proven_owner(settings: Settings, mailbox: Mailbox) -> None:
    named = settings.model_copy(update={"admin_emails": (BOSS, "head@example.com")})
    async with running(named, idle=True) as server:
        attacker = await server.api.sign_up(EVE)
        await request(attacker, BOSS)
        # The owner of the address opens the link in the mail, without being signed in.
        assert (await server.api.one(CHANGE, token=await token_for(mailbox, BOSS, 3)))["errors"] == []
        again = await sign_in(server.api, BOSS)
        assert again is not None
        assert again.user["role"] == "USER", "the one who knows the password has not read the mail"

        head = await server.api.sign_up(ADA)
        await mailbox.wait_for(5)
        await request(head, "head@example.com")
        changed = await head.one(CHANGE, token=await token_for(mailbox, "head@example.com", 7))
        assert changed["user"]["role"] == "ADMIN"


async def test_other_spelling_of_the_address_keeps_what_its_owner_has_proven(
    settings: Settings, mailbox: Mailbox
) -> None:
    named = settings.model_copy(update={"admin_emails": (BOSS,)})
    async with running(named, idle=True) as server:
        boss = await server.api.sign_up(BOSS)
        await request(boss, "Boss@example.com")
        changed = await boss.one(CHANGE, token=await token_for(mailbox, "Boss@example.com", 3))
        assert (changed["user"]["email"], changed["user"]["role"]) == ("Boss@example.com", "ADMIN")
        await request(boss, "BOSS@example.com")
        assert (await server.api.one(CHANGE, token=await token_for(mailbox, "BOSS@example.com", 5)))["errors"] == []
        assert (await User.get(email=BOSS)).owner_proven
        await server.services.accounts.mail.aclose()
        assert len(mailbox.mails) == 5, "no notice that the former address does not sign in any more"


async def test_admin_address_that_an_account_left_appoints_no_second_admin(
    settings: Settings, mailbox: Mailbox
) -> None:
    named = settings.model_copy(update={"admin_emails": (BOSS,)})
    async with running(named, idle=True) as server:
        boss = await server.api.sign_up(BOSS)
        assert (await boss.one(VERIFY, token=await mailbox.token(1)))["user"] == {"role": "ADMIN"}
        await request(boss, EVE)
        changed = await boss.one(CHANGE, token=await token_for(mailbox, EVE, 3))
        assert (changed["user"]["email"], changed["user"]["role"]) == (EVE, "ADMIN")
        await mailbox.wait_for(4)
        second = await server.api.sign_up(BOSS)
        assert (await second.one(VERIFY, token=await mailbox.token(5)))["user"] == {"role": "USER"}
        assert await User.filter(role=Role.ADMIN).count() == 1
        assert BOSS not in str(await AuditEntry.all().values())


async def test_reset_after_a_change_that_was_confirmed_signed_out_ends_api_keys(
    ada: Api, api: Api, mailbox: Mailbox
) -> None:
    await mailbox.wait_for(1)
    await ada.verify_address()
    script = replace(ada, token=(await ada.one(CREATE_KEY))["key"])
    await request(ada, EVE)
    assert (await api.one(CHANGE, token=await token_for(mailbox, EVE, 3)))["errors"] == []
    await mailbox.wait_for(4)
    await api.one(FORGOT, email=EVE)
    assert (await api.one(RESET, token=await token_for(mailbox, EVE, 5)))["errors"] == []
    assert not await script.is_signed_in()
