"""The pages behind mailed links: forms without scripts, which change nothing until they are submitted."""

import html
import re
from dataclasses import replace

import httpx
import pytest

from models import User
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.mail_server import Mailbox

pytestmark = pytest.mark.any_database

FORGOT = 'mutation { requestPasswordReset(email: "ada@example.com") { sent } }'
CHANGE_EMAIL = 'mutation { requestEmailChange(input: {email: "new@example.com"}) { sent } }'
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code } } }"
EVIL = "\"><script>alert('x')</script>"


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    mail = {"smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"}
    return settings.model_copy(update={**mail, "studio": Switch.OFF})  # whose views would be shown instead


def link(box: Mailbox) -> str:
    """Return the link in the latest mail."""
    found = re.search(r"https?://\S+", box.mails[-1].get_content())
    assert found is not None
    return found[0]


async def submit(
    http: httpx.AsyncClient, page: httpx.Response, *, cookie: str | None = None, **typed: str
) -> httpx.Response:
    """Submit the page's form as a browser does, with the typed fields; `cookie`: the session token of the browser."""
    found = re.search(r'<form method="post" action="([^"]*)">', page.text)
    assert found is not None, page.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
    sent = {name: html.unescape(value) for name, value in fields.items()}
    # The Origin that browsers send from a page with `Referrer-Policy: no-referrer`.
    headers = {"origin": "null", **({"cookie": f"darkroom_session={cookie}"} if cookie else {})}
    return await http.post(str(page.url.join(found[1])), data={**sent, **typed}, headers=headers)


async def signs_in(api: Api, password: str) -> bool:
    made = await replace(api, token=None).one(SIGN_IN, input={"email": "ada@example.com", "password": password})
    return made["token"] is not None


def is_safe(page: httpx.Response) -> bool:
    policy = page.headers["content-security-policy"]
    forms = "'self'" if "<form" in page.text else "'none'"
    return (
        "default-src 'none'" in policy
        and f"form-action {forms}" in policy
        and page.headers["cache-control"] == "no-store"
        and page.headers["referrer-policy"] == "no-referrer"
        and "<script" not in page.text
        and "http" not in page.text
    )


async def test_submitting_the_form_verifies_the_address_and_opening_the_page_does_not(
    ada: Api, mailbox: Mailbox
) -> None:
    await mailbox.wait_for(1)
    for _ in range(2):
        page = await ada.http.get(link(mailbox))
        assert (page.status_code, is_safe(page)) == (200, True)
    assert not (await ada.one("{ viewer { emailVerified } }"))["emailVerified"]
    done = await submit(ada.http, page)
    assert (done.status_code, is_safe(done)) == (200, True)
    assert "Your address is confirmed." in done.text
    assert not await ada.is_signed_in(), "the first proof ends sessions of other browsers"
    made = await replace(ada, token=None).one(SIGN_IN, input={"email": "ada@example.com", "password": "correct horse"})
    assert (await replace(ada, token=made["token"]).one("{ viewer { emailVerified } }"))["emailVerified"]
    again = await submit(ada.http, page)
    assert again.status_code == 400
    assert "This link is invalid or has expired." in again.text


async def test_verification_appoints_a_configured_admin_only_if_that_account_is_signed_in(
    settings: Settings, mailbox: Mailbox
) -> None:
    names = ("ada@example.com", "bob@example.com", "eve@example.com")
    async with running(settings.model_copy(update={"admin_emails": names}), idle=True) as server:
        users: list[Api] = []
        other = await server.api.sign_up("other@example.com")
        await mailbox.wait_for(1)
        for number, name in enumerate(names, 2):
            users.append(await server.api.sign_up(name))
            await mailbox.wait_for(number)
            page = await server.api.http.get(link(mailbox))
            cookie = {"ada@example.com": None, "bob@example.com": other.token, "eve@example.com": users[-1].token}
            assert (await submit(server.api.http, page, cookie=cookie[name])).status_code == 200
        answers = []
        for name, user in zip(names, users, strict=True):
            made = await server.api.one(SIGN_IN, input={"email": name, "password": "correct horse"})
            answers.append(await replace(user, token=made["token"]).one("{ viewer { emailVerified role } }"))
        assert all(answer["emailVerified"] for answer in answers)
        assert [answer["role"] for answer in answers] == ["USER", "USER", "ADMIN"]


async def test_submitting_the_form_changes_the_address_and_opening_the_page_does_not(
    ada: Api, mailbox: Mailbox
) -> None:
    await ada.execute(CHANGE_EMAIL)
    await mailbox.wait_for(3)
    mailbox.mails = [mail for mail in mailbox.mails if mail["To"] == "new@example.com"]
    for _ in range(2):
        page = await ada.http.get(link(mailbox))
        assert (page.status_code, is_safe(page)) == (200, True)
    assert (await ada.one("{ viewer { email } }"))["email"] == "ada@example.com"
    done = await submit(ada.http, page, cookie=ada.token)
    assert (done.status_code, is_safe(done)) == (200, True)
    assert "Your new address is confirmed" in done.text
    assert await ada.one("{ viewer { email emailVerified } }") == {"email": "new@example.com", "emailVerified": True}
    assert (await submit(ada.http, page)).status_code == 400


async def test_pages_behind_https_use_the_prefixed_cookie_only(settings: Settings, mailbox: Mailbox) -> None:
    """A page of a sibling subdomain can plant the other one, with its own session."""
    async with running(settings.model_copy(update={"public_url": "https://api.example.com"}), idle=True) as server:
        for number, name in enumerate(("darkroom_session", "__Host-darkroom_session"), 1):
            user = await server.api.sign_up(f"user{number}@example.com")
            token = await mailbox.token(number)
            headers = {"origin": "null", "cookie": f"{name}={user.token}"}
            assert (await user.http.post("/verify-email", data={"token": token}, headers=headers)).status_code == 200
            assert (await User.get(id=user.user["id"])).owner_proven is (number == 2)


async def test_reset_form_saves_the_password_without_signing_in(server: Running, ada: Api, mailbox: Mailbox) -> None:
    await mailbox.wait_for(1)
    await ada.execute(FORGOT)
    await mailbox.wait_for(2)
    page = await ada.http.get(link(mailbox))
    short = await submit(ada.http, page, password="short")
    assert (short.status_code, is_safe(short)) == (400, True)
    done = await submit(ada.http, short, password="battery staple 电池")
    assert (done.status_code, is_safe(done)) == (200, True)
    assert "Your new password is saved." in done.text
    assert "set-cookie" not in done.headers
    assert not await ada.is_signed_in()
    assert [await signs_in(ada, word) for word in ("correct horse", "battery staple 电池")] == [False, True]
    assert (await submit(ada.http, page, password="another one")).status_code == 400


async def test_invalid_tokens_are_refused_without_echoing_them(api: Api) -> None:
    for path in ("/verify-email", "/reset-password", "/change-email"):
        page = await api.http.get(path, params={"token": EVIL})
        assert (page.status_code, is_safe(page)) == (200, True)
        for data in ({}, {"token": EVIL, "password": "battery staple"}, {"token": "x" * 9000}, {"token": "\x00"}):
            answer = await api.http.post(path, data=data)
            assert (answer.status_code, is_safe(answer)) == (400, True), (path, data)
        assert (await api.http.put(path)).status_code == 405


async def test_pages_are_translated_to_chinese(api: Api) -> None:
    page = await api.http.get("/reset-password?token=x", headers={"accept-language": "zh-CN"})
    assert '<html lang="zh-CN">' in page.text
    assert "设置新密码" in page.text
    assert page.text.count('<label for="password">') == page.text.count('id="password"') == 1
