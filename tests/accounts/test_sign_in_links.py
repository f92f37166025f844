"""Sign-in by mailed links, over the API and by the page behind them."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import MailToken, User
from models.database.connection import rows
from setting_types import SignupVerification, Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import SIGN_UP, Api
from tests.support.mail_server import Mailbox

REQUEST = "mutation($email: String!) { requestSignInLink(email: $email) { sent errors { code } } }"
SIGN_IN = """
mutation($input: SignInByLinkInput!) {
  signInByLink(input: $input) { token deviceToken user { email emailVerified } errors { code field message } }
}"""
BY_PASSWORD = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code } } }"
SENT = {"sent": True, "errors": []}
EMAIL = "ada@example.com"


@pytest.fixture
def settings(settings: Settings, mailbox: Mailbox) -> Settings:
    return settings.model_copy(update={"smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"})


@pytest.fixture
async def verified(ada: Api, mailbox: Mailbox) -> Api:
    """An account whose first mail has arrived and whose address is verified."""
    return await verified_after_mail(ada, mailbox)


async def verified_after_mail(ada: Api, mailbox: Mailbox) -> Api:
    await mailbox.wait_for(1)
    await ada.verify_address()
    return ada


async def token_of(api: Api, mailbox: Mailbox, count: int, email: str = EMAIL) -> str:
    assert await api.one(REQUEST, email=email) == SENT
    return await mailbox.token(count)


async def sign_in(api: Api, token: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.one(SIGN_IN, input={"token": token, **more})
    return made


async def test_link_signs_in_once(api: Api, verified: Api, mailbox: Mailbox) -> None:
    token = await token_of(api, mailbox, 2)
    mail = mailbox.mails[-1]
    assert (mail["To"], mail["Subject"]) == (EMAIL, "Sign in")
    assert f"{api.address}/sign-in?token={token}\n" in mail.get_content()
    assert "within 15 minutes" in mail.get_content()
    answers = await asyncio.gather(*(sign_in(api, token) for _ in range(4)))
    (made,) = [answer for answer in answers if answer["token"]]
    assert made["user"] == {"email": EMAIL, "emailVerified": True}
    refused = {(error["code"], *error["field"]) for answer in answers for error in answer["errors"]}
    assert refused == {("INVALID_INPUT", "token")}
    assert await replace(api, token=made["token"]).one("{ viewer { id } }") == {"id": verified.user["id"]}
    assert await verified.one("{ viewer { id } }") is not None, "other sessions stay"


async def test_expired_superseded_and_foreign_links_are_refused(api: Api, verified: Api, mailbox: Mailbox) -> None:
    first = await token_of(api, mailbox, 2)
    second = await token_of(api, mailbox, 3)
    verify = re.search(r"token=(\S+)", mailbox.mails[0].get_content())
    assert verify
    await MailToken.filter(purpose="SIGN_IN", used_at=None).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    for token in (first, second, verify[1], "", "x" * 200, "é"):
        (error,) = (await sign_in(api, token))["errors"]
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["token"])


async def test_request_answers_alike_for_any_address_and_mails_existing_accounts_only(
    server: Running, verified: Api, mailbox: Mailbox
) -> None:
    await rows("UPDATE users SET suspended_at = NOW() WHERE id = $1 RETURNING id", verified.user["id"])
    for email in ("unknown@example.com", EMAIL):
        assert await server.api.one(REQUEST, email=email) == SENT
    assert (await server.api.refused(REQUEST, email="no address"))["code"] == "INVALID_INPUT"
    await server.services.accounts.mail.aclose()
    assert len(mailbox.mails) == 1
    await rows("UPDATE users SET suspended_at = NULL WHERE id = $1 RETURNING id", verified.user["id"])
    for _ in range(5):
        assert await server.api.one(REQUEST, email=EMAIL) == SENT
    await server.services.accounts.mail.aclose()
    assert len(mailbox.mails) == 4, "three an hour"


async def test_link_to_a_suspended_account_says_so(api: Api, verified: Api, mailbox: Mailbox) -> None:
    token = await token_of(api, mailbox, 2)
    await rows("UPDATE users SET suspended_at = NOW() WHERE id = $1 RETURNING id", verified.user["id"])
    (error,) = (await sign_in(api, token))["errors"]
    assert error["code"] == "FORBIDDEN"


async def test_link_verifies_an_address_and_ends_what_someone_else_may_have_made(
    api: Api, ada: Api, mailbox: Mailbox
) -> None:
    await mailbox.wait_for(1)
    made = await sign_in(api, await token_of(api, mailbox, 2))
    assert made["user"] == {"email": EMAIL, "emailVerified": True}
    assert (await ada.refused("{ viewer { id } }"))["code"] == "UNAUTHENTICATED"
    by_password = await api.one(BY_PASSWORD, input={"email": EMAIL, "password": "correct horse"})
    assert by_password["errors"] == [{"code": "INVALID_INPUT"}]
    assert (await User.get(id=ada.user["id"])).owner_proven
    assert await replace(api, token=made["token"]).credits() == 30, "the bonus was granted once"


@pytest.mark.any_database
async def test_link_signs_in_where_verification_is_required(settings: Settings, mailbox: Mailbox) -> None:
    required = settings.model_copy(update={"signup_verification": SignupVerification.REQUIRED})
    async with running(required, idle=True) as server:
        await server.api.one(SIGN_UP, input={"email": EMAIL, "password": "correct horse"})
        await mailbox.wait_for(1)
        made = await sign_in(server.api, await token_of(server.api, mailbox, 2))
        assert await replace(server.api, token=made["token"]).credits() == 30


@pytest.mark.any_database
async def test_requests_are_limited_without_saying_so(settings: Settings, mailbox: Mailbox) -> None:
    async with running(settings.model_copy(update={"rate_limits": Switch.ON}), idle=True) as server:
        for number in range(25):
            assert await server.api.one(REQUEST, email=f"unknown{number}@example.com") == SENT
        await server.api.sign_up(EMAIL)
        await mailbox.wait_for(1)
        assert await server.api.one(REQUEST, email=EMAIL) == SENT
        await server.services.accounts.mail.aclose()
        assert len(mailbox.mails) == 1


@pytest.mark.any_database
async def test_page_signs_in_by_its_button_only(settings: Settings, mailbox: Mailbox) -> None:
    plain = settings.model_copy(update={"studio": Switch.OFF})  # whose view would be shown instead
    async with running(plain, idle=True) as server:
        ada = await server.api.sign_up()
        await check_page(server.api, await verified_after_mail(ada, mailbox), mailbox)


async def check_page(api: Api, verified: Api, mailbox: Mailbox) -> None:
    token = await token_of(api, mailbox, 2)
    for _ in range(2):  # a scanner opens links
        page = await api.http.get("/sign-in", params={"token": token})
        assert "set-cookie" not in page.headers
    assert f'value="{token}"' in page.text
    assert '<form method="post" action="sign-in">' in page.text
    other_site = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert (await api.http.post("/sign-in", data={"token": token}, headers=other_site)).status_code == 400
    done = await api.http.post("/sign-in", data={"token": token}, headers={"origin": "null"})
    assert (done.status_code, "You are signed in." in done.text) == (200, True)
    assert {"httponly", "samesite=lax"} <= {part.strip().casefold() for part in done.headers["set-cookie"].split(";")}
    assert await api.one("{ viewer { id } }") == {"id": verified.user["id"]}, "by the cookie"
    assert (await api.http.post("/sign-in", data={"token": token})).status_code == 400


@pytest.mark.any_database
async def test_link_can_set_a_cookie_instead_of_returning_a_token(api: Api, verified: Api, mailbox: Mailbox) -> None:
    made = await sign_in(api, await token_of(api, mailbox, 2), cookie=True)
    assert (made["token"], made["deviceToken"], made["errors"]) == (None, None, [])
    assert await api.one("{ viewer { id } }") == {"id": verified.user["id"]}


@pytest.mark.any_database
async def test_tokens_count_towards_the_limit_after_they_have_expired(
    server: Running, verified: Api, mailbox: Mailbox
) -> None:
    for count in (2, 3, 4):
        await token_of(server.api, mailbox, count)
    await MailToken.filter(purpose="SIGN_IN").update(expires_at=datetime.now(UTC) - timedelta(minutes=1))
    for chore in server.services.accounts.chores:
        await chore.run()
    assert await MailToken.filter(purpose="SIGN_IN").count() == 3
