"""The session cookie: a browser keeps it, scripts cannot read it, and pages of other origins cannot use it."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import websockets

from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo

pytestmark = pytest.mark.any_database

NAME, HOST_NAME = "darkroom_session", "__Host-darkroom_session"
PAGE, EVIL = "https://app.example.com", "https://evil.example.com"
VIEWER = "{ viewer { email } }"
ADA = {"data": {"viewer": {"email": "ada@example.com"}}}
SIGNED_OUT = {"data": {"viewer": None}}
SIGN_IN = """
mutation($input: SignInInput!) {
  signIn(input: $input) { token expiresAt user { email } errors { code field } }
}"""
INPUT = {"email": "ada@example.com", "password": "correct horse", "cookie": True}
SIGN_UP = """
mutation($input: SignUpInput!) {
  signUp(input: $input) { token deviceToken expiresAt user { id } errors { code field } }
}"""
SIGN_OUT_EVERYWHERE = "mutation { signOut(everywhere: true) { sessionsEnded } }"
SIGN_OUT = "mutation { signOut { sessionsEnded } }"
UPLOAD = "mutation($input: CreateGenerationInput!) { createGeneration(input: $input) { errors { code } } }"


@pytest.fixture
async def browser(server: Running) -> AsyncIterator[Api]:
    """A browser that is signed in as ada by cookie."""
    await server.api.sign_up()
    async with httpx.AsyncClient(base_url=server.api.address, timeout=30) as http:
        api = Api(http, server.api.address)
        assert (await api.one(SIGN_IN, input=INPUT))["errors"] == []
        yield api


async def viewer(api: Api, **headers: str) -> Any:
    """Return the whole response to a query for the viewer."""
    return (await api.raw(VIEWER, headers=headers)).json()


async def socket_viewer(api: Api, cookie: str, name: str = NAME, **headers: str) -> Any:
    """Return the same over a socket that sends only the cookie; None if the socket is refused."""
    try:
        async with websockets.connect(
            api.address.replace("http", "ws", 1) + "/graphql",
            subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
            additional_headers={"cookie": f"{name}={cookie}", **headers},
        ) as connection:
            await connection.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await connection.recv())["type"] == "connection_ack"
            await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": VIEWER}}))
            return json.loads(await connection.recv())["payload"]
    except websockets.InvalidStatus:
        return None


async def test_sign_in_with_cookie_sets_it_instead_of_returning_a_token(browser: Api) -> None:
    response = await browser.raw(SIGN_IN, input=INPUT)
    made = response.json()["data"]["signIn"]
    assert made["token"] is None
    assert made["expiresAt"]
    assert made["user"] == {"email": "ada@example.com"}
    kept, device = response.headers.get_list("set-cookie")
    assert device.startswith("darkroom_device=")
    parts = {part.strip().casefold() for part in kept.split(";")[1:]}
    assert kept.startswith(f"{NAME}=")
    assert {"httponly", "samesite=lax", "path=/"} < parts
    assert "secure" not in parts, "this server is reached by plain http"
    (age,) = (int(part.removeprefix("max-age=")) for part in parts if part.startswith("max-age="))
    assert 364 * 86400 < age <= 365 * 86400, "as long as the session may last"
    assert await viewer(browser) == ADA


async def test_cookie_is_only_set_on_request_and_on_success(browser: Api) -> None:
    response = await browser.raw(SIGN_IN, input={**INPUT, "cookie": False})
    assert "set-cookie" not in response.headers
    wrong = await browser.raw(SIGN_IN, input={**INPUT, "password": "wrong horse"})
    assert "set-cookie" not in wrong.headers


async def test_sign_up_sets_the_cookie_and_opens_one_session(server: Running) -> None:
    async with httpx.AsyncClient(base_url=server.api.address, timeout=30) as http:
        api = Api(http, server.api.address)
        made = await api.one(SIGN_UP, input=INPUT)
        assert (made["token"], made["deviceToken"], made["errors"]) == (None, None, [])
        assert made["expiresAt"]
        assert await viewer(api) == ADA
        assert {NAME, "darkroom_device"} <= set(http.cookies)
        assert await api.one(SIGN_OUT_EVERYWHERE) == {"sessionsEnded": 1}


async def test_sign_up_of_a_guest_by_cookie_leaves_only_its_own_session(server: Running) -> None:
    async with httpx.AsyncClient(base_url=server.api.address, timeout=30) as http:
        api = Api(http, server.api.address)
        guest = await api.one("mutation { createGuest(cookie: true) { user { id } } }")
        of_guest = http.cookies[NAME]
        assert (await api.one(SIGN_UP, input={**INPUT, "password": "short"}))["errors"] != []
        assert http.cookies[NAME] == of_guest, "a refused one changes nothing"
        made = await api.one(SIGN_UP, input=INPUT)
        assert made["user"]["id"] == guest["user"]["id"]
        assert await viewer(api) == ADA
        assert await viewer(api, cookie=f"{NAME}={of_guest}") == SIGNED_OUT
        (session,) = (await api.one("{ viewer { sessions { isCurrent } } }"))["sessions"]
        assert session == {"isCurrent": True}


async def test_sign_up_without_a_cookie_keeps_the_session_of_the_guest(server: Running) -> None:
    async with httpx.AsyncClient(base_url=server.api.address, timeout=30) as http:
        api = Api(http, server.api.address)
        await api.one("mutation { createGuest(cookie: true) { user { id } } }")
        made = await api.one(SIGN_UP, input={**INPUT, "cookie": False})
        assert made["token"]
        assert await viewer(api) == ADA
        assert len((await api.one("{ viewer { sessions { isCurrent } } }"))["sessions"]) == 2


async def test_sign_out_ends_the_session_and_clears_the_cookie(browser: Api) -> None:
    stolen = browser.http.cookies[NAME]
    assert await browser.one(SIGN_OUT) == {"sessionsEnded": 1}
    assert NAME not in browser.http.cookies
    assert await viewer(browser) == SIGNED_OUT
    assert await viewer(browser, cookie=f"{NAME}={stolen}") == SIGNED_OUT


async def test_authorization_header_takes_precedence_over_the_cookie(browser: Api) -> None:
    eve = await replace(browser).sign_up("eve@example.com")
    assert (await viewer(eve))["data"]["viewer"]["email"] == "eve@example.com"
    refused = await viewer(browser, authorization="Bearer wrong")
    assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_cookie_of_an_ended_session_does_not_keep_a_browser_from_signing_in(browser: Api) -> None:
    cookie = {"cookie": f"{NAME}={browser.http.cookies[NAME]}"}
    await browser.one(SIGN_OUT)
    assert await viewer(browser, **cookie) == SIGNED_OUT
    answer = await browser.raw("mutation { updateProfile(input: {}) { user { id } } }", headers=cookie)
    (error,) = answer.json()["errors"]
    assert (error["message"], error["extensions"]["code"]) == (
        "Your session has ended. Please sign in again.",
        "UNAUTHENTICATED",
    )
    again = await browser.raw(SIGN_IN, headers=cookie, input=INPUT)
    assert again.json()["data"]["signIn"]["errors"] == []
    assert await viewer(browser) == ADA


async def test_pages_of_other_origins_cannot_use_the_cookie(browser: Api) -> None:
    cookie = browser.http.cookies[NAME]
    for origin in (EVIL, PAGE, "null", "", f"{browser.address}.evil.example.com", "http://["):
        assert await viewer(browser, origin=origin) == SIGNED_OUT, origin
        assert await socket_viewer(browser, cookie, origin=origin or "null") is None, origin
    assert await viewer(browser, origin=browser.address) == ADA
    assert (await socket_viewer(browser, cookie, origin=browser.address)) == ADA
    assert await socket_viewer(browser, cookie) == SIGNED_OUT, "a page's socket always has an Origin"
    assert await socket_viewer(browser, "stale", origin=browser.address) == SIGNED_OUT


async def test_html_forms_cannot_use_the_cookie(browser: Api) -> None:
    text = json.dumps({"query": SIGN_OUT})
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "text/plain; charset=application/json"):
        response = await browser.http.post("/graphql", content=text, headers={"content-type": content_type})
        assert response.status_code in (400, 415), content_type
    form = {"operations": json.dumps({"query": UPLOAD, "variables": {"input": {"image": None}}})}
    form["map"] = json.dumps({"0": ["variables.input.image"]})
    refused = await browser.http.post("/graphql", data=form, files={"0": photo()})
    assert refused.status_code == 400
    preflighted = {"apollo-require-preflight": "1"}
    accepted = await browser.http.post("/graphql", data=form, files={"0": photo()}, headers=preflighted)
    assert accepted.json()["data"]["createGeneration"]["errors"] == [{"code": "INVALID_INPUT"}], "the style is missing"
    assert await viewer(browser) == ADA


async def test_sign_in_with_cookie_is_refused_on_a_socket(browser: Api) -> None:
    async with replace(browser).socket() as socket:
        stream = await socket.subscribe(SIGN_IN, input=INPUT)
        made = await stream.next()
    assert made["token"] is None
    assert made["errors"] == [{"code": "INVALID_INPUT", "field": ["cookie"]}]


async def test_cors_origins_can_use_the_cookie_and_https_makes_it_secure(settings: Settings) -> None:
    public = {"public_url": "https://api.example.com", "cors_origins": (PAGE,)}
    async with running(settings.model_copy(update=public)) as server:
        await server.api.sign_up()
        response = await server.api.raw(SIGN_IN, headers={"origin": PAGE}, input=INPUT)
        assert response.headers["set-cookie"].startswith(f"{HOST_NAME}=")
        attributes = {part.strip().casefold() for part in response.headers["set-cookie"].split(";")[1:]}
        assert {"httponly", "path=/", "samesite=lax", "secure"} < attributes
        assert not any(attribute.startswith("domain") for attribute in attributes), "browsers would refuse the prefix"
        assert response.headers["access-control-allow-credentials"] == "true"
        assert response.headers["access-control-allow-origin"] == PAGE
        value = response.headers["set-cookie"].split(";")[0].split("=", 1)[1]
        sent = {"cookie": f"{HOST_NAME}={value}"}
        assert await viewer(server.api, origin=PAGE, **sent) == ADA
        assert await viewer(server.api, origin="https://api.example.com", **sent) == ADA
        assert await viewer(server.api, origin=EVIL, **sent) == SIGNED_OUT
        assert await socket_viewer(server.api, value, HOST_NAME, origin=PAGE) == ADA
        planted = {"cookie": f"{NAME}={value}"}
        assert await viewer(server.api, **planted) == SIGNED_OUT, "a sibling subdomain can set a cookie of this name"


async def test_wildcard_origin_cannot_use_the_cookie(settings: Settings) -> None:
    async with running(settings.model_copy(update={"cors_origins": ("*",)})) as server:
        ada = await server.api.sign_up()
        answer = await server.api.raw(VIEWER, headers={"origin": EVIL, "cookie": f"{NAME}={ada.token}"})
        assert answer.json() == SIGNED_OUT
        assert "access-control-allow-credentials" not in answer.headers
        assert await socket_viewer(server.api, str(ada.token), origin=EVIL) == SIGNED_OUT
