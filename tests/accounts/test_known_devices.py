"""Devices that signed in before: guesses of others do not lock them out, and each has guesses of its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.mail_server import Mailbox

pytestmark = pytest.mark.any_database

RIGHT, WRONG, NEW = "correct horse", "incorrect horse", "battery staple"
ADA = "ada@example.com"
DEVICE = "darkroom_device"
ERRORS = "errors { code field }"
SIGN_UP = f"mutation($input: SignUpInput!) {{ signUp(input: $input) {{ token deviceToken {ERRORS} }} }}"
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ token deviceToken {ERRORS} }} }}"
CHANGE = f"mutation($input: ChangePasswordInput!) {{ changePassword(input: $input) {{ {ERRORS} }} }}"
CHANGE_EMAIL = f"mutation($input: RequestEmailChangeInput!) {{ requestEmailChange(input: $input) {{ {ERRORS} }} }}"
DELETE = f"mutation($input: DeleteAccountInput!) {{ deleteAccount(input: $input) {{ {ERRORS} }} }}"
SIGN_OUT = "mutation { signOut { sessionsEnded } }"
FORGOT = f'mutation {{ requestPasswordReset(email: "{ADA}") {{ sent }} }}'
RESET = (
    "mutation($token: String!, $password: String!)"
    f" {{ resetPassword(token: $token, password: $password) {{ token deviceToken {ERRORS} }} }}"
)


@pytest.fixture
async def server(settings: Settings, mailbox: Mailbox) -> AsyncIterator[Running]:
    changed = {"rate_limits": Switch.ON, "smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"}
    async with running(settings.model_copy(update=changed), idle=True) as server:
        yield server


@pytest.fixture
async def ada(server: Running) -> Api:
    """An account; `user` has the device token of its sign-up."""
    made = await server.api.one(SIGN_UP, input={"email": ADA, "password": RIGHT})
    return replace(server.api, token=made["token"], user=made)


@pytest.fixture
async def browser(server: Running, ada: Api) -> AsyncIterator[Api]:
    """A client with its own cookies, signed in by cookie."""
    async with httpx.AsyncClient(base_url=server.api.address, timeout=30) as http:
        api = replace(server.api, http=http)
        response = await api.raw(SIGN_IN, input={"email": ADA, "password": RIGHT, "cookie": True})
        assert response.json()["data"]["signIn"] == {"token": None, "deviceToken": None, "errors": []}
        yield api


def code(payload: Any) -> str:
    return str(payload["errors"][0]["code"]) if payload["errors"] else "OK"


async def sign_in(api: Api, password: str = RIGHT, device: str | None = None, email: str = ADA) -> str:
    """Return OK, or the code of the error."""
    return code(await api.one(SIGN_IN, input={"email": email, "password": password, "deviceToken": device}))


async def lock(api: Api) -> None:
    """Use up the guesses of clients that are not known."""
    assert [await sign_in(api, WRONG) for _ in range(11)] == ["INVALID_INPUT"] * 10 + ["RATE_LIMITED"]


async def test_known_devices_sign_in_while_others_are_locked_out(api: Api, ada: Api, browser: Api) -> None:
    second = (await api.one(SIGN_IN, input={"email": ADA, "password": RIGHT}))["deviceToken"]
    assert (await browser.one(SIGN_OUT))["sessionsEnded"] == 1
    await lock(api)
    assert await sign_in(api) == "RATE_LIMITED"
    for device in (ada.user["deviceToken"], second):
        assert await sign_in(api, device=device) == "OK"
    assert DEVICE in browser.http.cookies, "signing out keeps it"
    assert await sign_in(browser) == "OK"
    assert await sign_in(ada) == "OK", "an open session is proof, too"
    assert await sign_in(api) == "RATE_LIMITED", "sign-ins of known devices do not allow others new guesses"


async def test_known_device_has_ten_guesses_of_its_own(api: Api, ada: Api) -> None:
    device = ada.user["deviceToken"]
    codes = [await sign_in(api, WRONG, device) for _ in range(11)]
    assert codes == ["INVALID_INPUT"] * 10 + ["RATE_LIMITED"]
    assert await sign_in(api, RIGHT, device) == "RATE_LIMITED"
    assert await sign_in(api, WRONG) == "INVALID_INPUT", "they do not count for other clients"
    made = await api.one(SIGN_IN, input={"email": ADA, "password": RIGHT})
    assert await sign_in(api, RIGHT, made["deviceToken"]) == "OK", "nor for other devices"


async def test_concurrent_guesses_of_a_known_device_do_not_exceed_its_limit(api: Api, ada: Api) -> None:
    device = ada.user["deviceToken"]
    codes = await asyncio.gather(*(sign_in(api, f"{WRONG} {number}", device) for number in range(30)))
    assert (codes.count("INVALID_INPUT"), codes.count("RATE_LIMITED")) == (10, 20)


async def test_forged_foreign_and_malformed_device_tokens_prove_nothing(api: Api, ada: Api) -> None:
    eve = await api.one(SIGN_UP, input={"email": "eve@example.com", "password": RIGHT})
    device = ada.user["deviceToken"]
    head, _, signature = device.rpartition(".")
    await lock(api)
    for wrong in (
        eve["deviceToken"],
        f"{head}.{signature[::-1]}",
        f"x{device}",
        head,
        "",
        "x" * 5000,
        "é",
        "\x00",
        ".",
    ):
        assert await sign_in(api, device=wrong) == "RATE_LIMITED", wrong
    assert await sign_in(replace(api, token=eve["token"])) == "RATE_LIMITED", "a session of another account"
    assert await sign_in(api, device=device) == "OK"


async def test_device_token_alone_does_not_sign_in(api: Api, ada: Api) -> None:
    device = ada.user["deviceToken"]
    assert not await replace(api, token=device).is_signed_in()
    assert await sign_in(api, WRONG, device) == "INVALID_INPUT"


async def test_password_reset_and_change_revoke_device_tokens(api: Api, ada: Api, mailbox: Mailbox) -> None:
    await api.one(FORGOT)
    made = await api.one(RESET, token=await mailbox.token(2, "reset-password"), password=NEW)
    await lock(api)
    assert await sign_in(api, NEW, ada.user["deviceToken"]) == "RATE_LIMITED"
    assert await sign_in(api, NEW, made["deviceToken"]) == "OK"
    change = {"current": NEW, "new": RIGHT, "deviceToken": made["deviceToken"]}
    assert code(await replace(api, token=made["token"]).one(CHANGE, input=change)) == "OK"
    assert await sign_in(api, RIGHT, made["deviceToken"]) == "RATE_LIMITED"


async def test_browser_that_changes_the_password_stays_known(api: Api, browser: Api) -> None:
    before = browser.http.cookies[DEVICE]
    assert code(await browser.one(CHANGE, input={"current": RIGHT, "new": NEW})) == "OK"
    assert browser.http.cookies[DEVICE] != before
    await browser.one(SIGN_OUT)
    await lock(api)
    assert await sign_in(browser, NEW) == "OK"
    assert await sign_in(browser, NEW, before) == "OK", "an outdated token beside the cookie does no harm"
    browser.http.cookies.clear()
    assert await sign_in(browser, NEW) == "RATE_LIMITED"


async def test_mutations_that_ask_for_the_password_accept_device_tokens(api: Api, ada: Api) -> None:
    device = ada.user["deviceToken"]
    await lock(api)
    change = {"email": "new@example.com", "password": RIGHT}
    assert code(await ada.one(CHANGE_EMAIL, input=change)) == "RATE_LIMITED"
    assert code(await ada.one(CHANGE_EMAIL, input={**change, "deviceToken": device})) == "OK"
    delete = {"password": RIGHT, "confirmEmail": ADA}
    assert code(await ada.one(DELETE, input=delete)) == "RATE_LIMITED"
    assert code(await ada.one(DELETE, input={**delete, "deviceToken": device})) == "OK"


async def test_device_cookie_is_hidden_from_scripts_and_other_origins(settings: Settings) -> None:
    public = {"public_url": "https://api.example.com", "rate_limits": Switch.ON}
    async with running(settings.model_copy(update=public), idle=True) as server:
        await server.api.sign_up()
        response = await server.api.raw(SIGN_IN, input={"email": ADA, "password": RIGHT, "cookie": True})
        (kept,) = [each for each in response.headers.get_list("set-cookie") if DEVICE in each]
        assert kept.startswith(f"__Host-{DEVICE}=")
        parts = {part.strip().casefold() for part in kept.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/", "secure", "max-age=31536000"} <= parts
        await lock(server.api)
        cookie = kept.partition(";")[0]
        answers = {}
        for origin in ("https://api.example.com", "https://evil.example.com"):
            guess = {"email": ADA, "password": RIGHT}
            made = await server.api.raw(SIGN_IN, headers={"cookie": cookie, "origin": origin}, input=guess)
            answers[origin] = code(made.json()["data"]["signIn"])
        assert answers == {"https://api.example.com": "OK", "https://evil.example.com": "RATE_LIMITED"}
