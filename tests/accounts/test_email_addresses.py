"""E-mail addresses: mailed as typed, with the domain in ASCII, and compared so that no two mailboxes become one."""

from typing import Any

import pytest

from models.database.connection import rows
from setting_types import Switch
from settings import Settings
from tests.conftest import running
from tests.support.client import SIGN_UP, Api, tasks_ended
from tests.support.integrity import make_admin
from tests.support.mail_server import Mailbox

PASSWORD = "correct horse"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token user { id email } errors { code } } }"
REQUEST_RESET = "mutation($email: String!) { requestPasswordReset(email: $email) { sent } }"
VERIFY = "mutation($token: String!) { verifyEmail(token: $token) { user { emailVerified } errors { code } } }"
RESET = 'mutation($token: String!) { resetPassword(token: $token, password: "battery staple") { user { id email } } }'
DELETE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedIds errors { code field } } }"
ASCII_DOMAIN = "xn--strae-oqa.de"  # straße.de by IDNA 2008; IDNA 2003 would make strasse.de of it


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    return settings.model_copy(update={"smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"})


async def sign_in(api: Api, email: str, password: str = PASSWORD) -> Any:
    made = await api.one(SIGN_IN, input={"email": email, "password": password})
    return made["user"] and made["user"]["id"]


async def test_address_is_shown_as_typed_and_mailed_with_its_domain_in_ascii(api: Api, mailbox: Mailbox) -> None:
    anna = await api.sign_up("Anna.B@Straße.DE")
    assert anna.user["email"] == "Anna.B@straße.de"
    token = await mailbox.token(1)
    assert (await anna.one(VERIFY, token=token))["user"] == {"emailVerified": True}
    await api.one(REQUEST_RESET, email=f"ANNA.B@{ASCII_DOMAIN.upper()}")
    made = await api.one(RESET, token=await mailbox.token(2, "reset-password"))
    assert made["user"] == {"id": anna.user["id"], "email": "Anna.B@straße.de"}
    assert [recipients for _, recipients in mailbox.envelopes] == [[f"Anna.B@{ASCII_DOMAIN}"]] * 2
    assert {mail["To"] for mail in mailbox.mails} == {f"Anna.B@{ASCII_DOMAIN}"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@straße.de", "anna@strasse.de"),
        ("anna@faß.example", "anna@fass.example"),
        ("anna@βόλος.example", "anna@βόλοσ.example"),  # a final sigma, which case folding replaces
        ("straße@example.com", "strasse@example.com"),
        ("ﬁona@example.com", "fiona@example.com"),
    ],
)
async def test_mailboxes_that_case_folding_merges_stay_different_accounts(
    api: Api, mailbox: Mailbox, one: str, other: str
) -> None:
    first = await api.sign_up(one)
    await mailbox.wait_for(1)
    assert await sign_in(api, other) is None
    await api.one(REQUEST_RESET, email=other)
    await tasks_ended("mail")  # before the address has an account
    second = await api.sign_up(other, password="battery staple")
    await mailbox.wait_for(2)
    assert await sign_in(api, one) == first.user["id"]
    assert await sign_in(api, other, "battery staple") == second.user["id"] != first.user["id"]
    assert len({recipients[0] for _, recipients in mailbox.envelopes}) == 2, "neither gets a mail of the other"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@straße.de", "Anna@STRAßE.de"),
        ("anna@straße.de", f"anna@{ASCII_DOMAIN}"),
        ("用户@例子.广告", "用户@例子。广告"),
        ("jose\u0301@example.com", "José@Example.com"),
        ("ÄNNE@example.com", "änne@example.com"),
    ],
)
async def test_spellings_of_one_mailbox_are_one_account(api: Api, one: str, other: str) -> None:
    anna = await api.sign_up(one)
    assert (await api.refused(SIGN_UP, input={"email": other, "password": PASSWORD}))["code"] == "CONFLICT"
    assert await sign_in(api, other) == anna.user["id"]
    confirmation = {"password": PASSWORD, "confirmEmail": f" {other}\n"}
    assert (await anna.one(DELETE, input=confirmation))["errors"] == []


async def test_delete_account_refuses_the_address_of_another_mailbox(api: Api) -> None:
    anna = await api.sign_up("anna@straße.de")
    for address in ("anna@strasse.de", "anna", ""):
        error = await anna.refused(DELETE, input={"password": PASSWORD, "confirmEmail": address})
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["confirmEmail"])


async def test_account_of_an_earlier_release_signs_in_as_typed_but_mail_goes_nowhere_else(
    api: Api, mailbox: Mailbox
) -> None:
    anna = await api.sign_up("anna@strasse.de")
    await mailbox.wait_for(1)
    # An earlier release stored this for anna@straße.de as well, and nothing else.
    await rows("UPDATE users SET mail_address = NULL WHERE id = $1 RETURNING id", anna.user["id"])
    assert await sign_in(api, "Anna@Straße.de") == anna.user["id"]
    await api.one(REQUEST_RESET, email="anna@straße.de")
    await tasks_ended("mail")  # before the address has an account
    other = await api.sign_up("anna@straße.de", password="battery staple")
    await mailbox.wait_for(2)
    assert await sign_in(api, "anna@straße.de") is None, "the address has an account of its own now"
    assert await sign_in(api, "anna@strasse.de") == anna.user["id"] != other.user["id"]
    assert [mail["Subject"] for mail in mailbox.mails] == ["Confirm your e-mail address"] * 2
    confirmation = {"password": PASSWORD, "confirmEmail": "anna@straße.de"}
    assert (await anna.one(DELETE, input=confirmation))["errors"] == [], "what its owner typed"


async def test_admins_find_accounts_by_either_form_of_an_address(api: Api) -> None:
    admin, anna = await make_admin(api), await api.sign_up("Anna@Straße.de")
    search = "query($search: String!) { admin { users(search: $search) { nodes { email } } } }"
    for part in ("anna@", "ANNA", "straße", "@Straße.de", "xn--strae"):
        assert (await admin.one(search, search=part))["users"]["nodes"] == [{"email": "Anna@straße.de"}], part
    user = "query($email: String!) { admin { user(email: $email) { id } } }"
    for address in ("anna@straße.de", f"anna@{ASCII_DOMAIN}"):
        assert (await admin.one(user, email=address))["user"] == {"id": anna.user["id"]}
    assert (await admin.one(user, email="anna@strasse.de"))["user"] is None


async def test_wrong_passwords_count_for_the_mailbox_in_every_spelling(settings: Settings) -> None:
    async with running(settings.model_copy(update={"rate_limits": Switch.ON}), idle=True) as server:
        api = server.api
        await api.sign_up("anna@straße.de")
        for number in range(10):
            email = ("anna@straße.de", "ANNA@STRAßE.DE", f"anna@{ASCII_DOMAIN}")[number % 3]
            assert await sign_in(api, email, "a wrong one") is None
        made = await api.one(SIGN_IN, input={"email": "anna@straße.de", "password": PASSWORD})
        assert made["errors"] == [{"code": "RATE_LIMITED"}]
