"""SIGNUP_VERIFICATION=required: no response and no mail quota reveals whether an address has an account."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from models import User
from setting_types import Environment, Provider, SignupVerification, Switch
from settings import Settings, SettingsError, load_settings
from tests.conftest import Running, running
from tests.support.client import Api, until
from tests.support.mail_server import Mailbox

PASSWORD, NEW, WRONG = "correct horse", "battery staple", "incorrect horse"
ADA, BOB = "ada@example.com", "bob@example.com"
ERRORS = "errors { code message field }"
SESSION = f"token expiresAt deviceToken mustVerifyEmail user {{ id email role emailVerified }} {ERRORS}"
SIGN_UP = f"mutation($input: SignUpInput!) {{ signUp(input: $input) {{ {SESSION} }} }}"
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ {SESSION} }} }}"
VERIFY = f"mutation($token: String!) {{ verifyEmail(token: $token) {{ user {{ id }} {ERRORS} }} }}"
RESET = f'mutation($token: String!) {{ resetPassword(token: $token, password: "{NEW}") {{ {SESSION} }} }}'
FORGOT = "mutation($email: String!) { requestPasswordReset(email: $email) { sent } }"
CHECK_MAIL: dict[str, Any] = {
    "token": None, "expiresAt": None, "deviceToken": None, "mustVerifyEmail": True, "user": None, "errors": [],
}  # fmt: skip


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    mail = {"smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"}
    return settings.model_copy(update={**mail, "signup_verification": SignupVerification.REQUIRED})


async def sign_up(api: Api, email: str, password: str = PASSWORD, **more: Any) -> Any:
    return await api.one(SIGN_UP, input={"email": email, "password": password, **more})


async def sign_in(api: Api, email: str, password: str = PASSWORD) -> Any:
    return await api.one(SIGN_IN, input={"email": email, "password": password})


async def verified(api: Api, mailbox: Mailbox, email: str = ADA) -> Api:
    """Create an account, open the link in its mail, and return a client signed in to it."""
    count = len(mailbox.mails)
    assert await sign_up(api, email) == CHECK_MAIL
    assert (await api.one(VERIFY, token=await mailbox.token(count + 1)))["errors"] == []
    made = await sign_in(api, email)
    return replace(api, token=made["token"], user=made["user"])


async def test_account_signs_in_after_the_link_in_the_mail_is_opened(api: Api, mailbox: Mailbox) -> None:
    assert await sign_up(api, "Ada@example.com", name="Ada") == CHECK_MAIL
    token = await mailbox.token(1)
    assert (mailbox.mails[0]["To"], mailbox.mails[0]["Subject"]) == ("Ada@example.com", "Confirm your e-mail address")
    assert (await sign_in(api, ADA))["errors"] == (await sign_in(api, ADA, WRONG))["errors"] != []
    assert await api.one(VERIFY, token=token) == {"user": None, "errors": []}
    made = await sign_in(api, ADA)
    assert made["user"] | {"id": ""} == {"id": "", "email": "Ada@example.com", "role": "USER", "emailVerified": True}
    assert made["token"]
    assert not made["mustVerifyEmail"]


async def test_sign_up_answers_the_same_for_an_address_with_an_account_and_mails_its_owner(
    api: Api, mailbox: Mailbox
) -> None:
    ada = await verified(api, mailbox)
    for mails, spelling in ((3, ADA), (5, "ADA@example.com")):
        assert await sign_up(api, spelling, WRONG) == await sign_up(api, BOB) == CHECK_MAIL
        await mailbox.wait_for(mails)  # each is sent after its response, and so in any order
    to_ada = [mail for mail in mailbox.mails[1:] if mail["To"] == ADA]
    to_bob = [mail["Subject"] for mail in mailbox.mails if mail["To"] == BOB]
    assert [mail["Subject"] for mail in to_ada] == ["You have an account already"] * 2
    assert to_bob == ["Confirm your e-mail address", "You have an account already"], "bob@ has one since"
    assert "/reset-password?token=" in to_ada[1].get_content()
    assert (await sign_in(api, ADA))["user"]["id"] == ada.user["id"], "the password has not changed"
    assert await ada.one("{ viewer { id } }") == {"id": ada.user["id"]}
    assert await User.filter(email=ADA).count() == 1


async def test_owner_completes_an_account_that_a_stranger_began(api: Api, mailbox: Mailbox) -> None:
    assert await sign_up(api, ADA, WRONG) == CHECK_MAIL, "by a stranger"
    first = await mailbox.token(1)
    assert await sign_up(api, ADA) == CHECK_MAIL
    made = await api.one(RESET, token=await mailbox.token(2, "reset-password"))
    assert (made["user"]["emailVerified"], made["errors"]) == (True, [])
    assert [(await sign_in(api, ADA, word))["token"] is not None for word in (WRONG, NEW)] == [False, True]
    assert (await api.one(VERIFY, token=first))["errors"] != []


async def test_concurrent_sign_ups_with_one_address_answer_the_same(api: Api, mailbox: Mailbox) -> None:
    answers = await asyncio.gather(*(sign_up(api, ADA, f"{PASSWORD} {number}") for number in range(4)))
    assert answers == [CHECK_MAIL] * 4
    await mailbox.wait_for(4)
    assert await User.filter(email=ADA).count() == 1


async def test_wrong_passwords_of_an_unverified_account_count_like_those_of_no_account(
    settings: Settings, mailbox: Mailbox
) -> None:
    async with running(settings.model_copy(update={"rate_limits": Switch.ON}), idle=True) as server:
        await verified(server.api, mailbox)
        await sign_up(server.api, BOB)
        await mailbox.wait_for(2)
        words = [PASSWORD, WRONG] * 6  # the password of BOB's account is the first of them
        answers = [[(await sign_in(server.api, email, word))["errors"] for word in words] for email in
                   (BOB, "unknown@example.com")]  # fmt: skip
        codes = [[error["code"] for errors in each for error in errors] for each in answers]
        assert codes == [["INVALID_INPUT"] * 10 + ["RATE_LIMITED"] * 2] * 2
        known = [(await sign_in(server.api, ADA, WRONG))["errors"] for _ in range(11)]
        assert known[:10] == answers[0][:10]
        assert [error["code"] for error in known[10]] == ["RATE_LIMITED"]


async def test_invalid_input_is_refused_before_the_address_matters(api: Api, mailbox: Mailbox) -> None:
    await verified(api, mailbox)
    for bad in ({"password": "short"}, {"locale": "not a tag"}, {"name": "x" * 101}, {"referralCode": "unknown"}):
        refusals = [(await sign_up(api, email, **bad))["errors"] for email in (ADA, BOB)]
        assert refusals[0] == refusals[1] != [], bad
    assert not await User.exists(email=BOB)


async def test_referral_code_does_not_reveal_the_address_of_its_owner(api: Api, mailbox: Mailbox) -> None:
    ada = await verified(api, mailbox)
    code = (await ada.one("{ viewer { referralCode } }"))["referralCode"]
    assert await sign_up(api, "ada+1@example.com", referralCode=code) == CHECK_MAIL
    assert await sign_up(api, BOB, referralCode=code) == CHECK_MAIL
    await mailbox.wait_for(3)
    referrers = await User.filter(email__in=["ada+1@example.com", BOB]).order_by("email").values_list("referred_by_id")
    assert list(referrers) == [(None,), (ada.user["id"],)]


async def test_bonus_of_a_mailbox_is_not_used_up_by_an_account_that_is_never_verified(
    server: Running, mailbox: Mailbox
) -> None:
    await sign_up(server.api, "a.d.a@gmail.com", WRONG)
    await mailbox.wait_for(1)
    assert await server.services.billing.signup_bonuses.grant_missing() == 0
    ada = await verified(server.api, mailbox, "ada@gmail.com")
    assert await ada.credits() == 30


async def test_demo_account_has_its_bonus(server: Running) -> None:
    demo = await server.services.accounts.users.ensure_demo_account()
    assert (demo.credits, demo.is_member, demo.email_verified) == (30, True, True)


async def test_address_that_an_earlier_release_folded_does_not_block_another_mailbox(
    api: Api, mailbox: Mailbox
) -> None:
    other = await verified(api, mailbox, "anna@strasse.example")
    await User.filter(id=other.user["id"]).update(mail_address=None)
    anna = await verified(api, mailbox, "anna@straße.example")
    assert anna.user["id"] != other.user["id"]


async def test_password_reset_completes_an_unverified_account(api: Api, mailbox: Mailbox) -> None:
    await sign_up(api, ADA)
    await mailbox.wait_for(1)
    await api.one(FORGOT, email=ADA)
    assert (await api.one(RESET, token=await mailbox.token(2, "reset-password")))["token"]
    assert (await sign_in(api, ADA, NEW))["token"]


async def test_password_is_hashed_for_known_and_unknown_addresses(
    server: Running, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    passwords = server.services.accounts.users._passwords._passwords
    original = passwords.hash

    async def counted(password: str, *, client: str) -> str:
        hashed.append(password)
        return await original(password, client=client)

    monkeypatch.setattr(passwords, "hash", counted)
    for number in range(1, 3):
        await sign_up(server.api, ADA)
        await mailbox.wait_for(number)
    assert hashed == [PASSWORD] * 2


async def test_sign_up_answers_the_same_while_the_mail_server_refuses(api: Api, mailbox: Mailbox) -> None:
    mailbox.refusal = "554 never"
    assert [await sign_up(api, ADA) for _ in range(2)] == [CHECK_MAIL] * 2

    async def exists() -> bool:
        return await User.exists(email=ADA)

    await until(exists)


async def test_mails_are_in_the_language_of_the_account_or_the_request(api: Api, mailbox: Mailbox) -> None:
    await sign_up(api, ADA, locale="zh")
    await mailbox.wait_for(1)
    await sign_up(api, ADA)
    await mailbox.wait_for(2)
    assert [mail["Subject"] for mail in mailbox.mails] == ["请确认你的电子邮箱", "你已有账户"]


def test_production_with_required_verification_refuses_to_start_without_a_mail_server() -> None:
    given: dict[str, Any] = {
        "environment": Environment.PRODUCTION,
        "image_provider": Provider.DEMO,
        "secret_key": "0123456789abcdef" * 2,
        "signup_verification": "required",
    }
    with pytest.raises(SettingsError, match="SMTP_URL is required with SIGNUP_VERIFICATION=required"):
        load_settings(_env_file=None, **given)
    load_settings(_env_file=None, **given, smtp_url="smtp://localhost", mail_from="hello@darkroom.example")
