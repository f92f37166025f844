"""Security headers: every kind of response has them, by the rules of Mozilla's HTTP Observatory."""

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from composition import web_options
from services.services import Services
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo
from web.app import create_app

REQUIRED = {
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
JSON = {"query": "{ viewer { id } }"}
SHARE = 'mutation($id: ID!) { shareGeneration(id: $id, slug: "the-fox") { errors { code } } }'
PUBLIC = {"public_url": "https://api.example.com", "cors_origins": ("https://app.example.com",)}


def check(response: httpx.Response | websockets.Response, what: object) -> dict[str, str]:
    """Assert the headers that every response has, and return all of them."""
    headers = {name.casefold(): value for name, value in response.headers.items()}
    assert REQUIRED.items() <= headers.items(), what
    assert re.search(r"camera=\((self)?\)", headers["permissions-policy"]), what  # the studio takes photos
    assert headers["cross-origin-resource-policy"] in ("same-origin", "cross-origin"), what
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'", what
    assert policy["frame-ancestors"] == "'none'", what
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:", "data:"} & {
        *policy.get("script-src", "").split(), *policy.get("object-src", "").split()
    }, what  # fmt: skip
    assert "cache-control" in headers, what
    return headers


async def responses(api: Api) -> AsyncIterator[tuple[str, httpx.Response]]:
    """Yield a response of each kind that needs no picture: JSON, HTML, text, redirects and refusals."""
    send = api.http.request
    for method, path in [
        ("GET", "/"),
        ("GET", "/nowhere"),
        ("GET", "/files/invalid"),
        ("GET", "/s/nothing"),
        ("GET", "/s/nothing/else"),
        ("GET", "/verify-email"),
        ("POST", "/reset-password"),
        ("GET", "/checkout/nothing"),
        ("POST", "/uploads/invalid"),
        ("PUT", "/webhooks/polar"),
        ("POST", "/webhooks/polar"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/metrics"),
        ("DELETE", "/graphql"),
        ("GET", "/graphiql/tabs"),
        ("GET", "/graphiql/nothing.js"),
    ]:
        yield f"{method} {path}", await send(method, path)
    yield "GraphiQL", await send("GET", "/graphql", headers={"accept": "text/html"})
    yield "data", await send("POST", "/graphql", json=JSON)
    yield "invalid body", await send("POST", "/graphql", content=b"null", headers={"content-type": "application/json"})
    yield "too large", await send("POST", "/graphql", content=b" " * (5 << 20), headers={"content-type": "text/plain"})
    yield (
        "not a form",
        await send("POST", "/graphql", content=b"x", headers={"content-type": "multipart/form-data; boundary=x"}),
    )
    stream = {"accept": "text/event-stream"}
    yield "event stream", await send("POST", "/graphql", json={"query": "subscription { x }"}, headers=stream)


@pytest.mark.any_database
async def test_every_kind_of_response_has_security_headers(server: Running) -> None:
    statuses = set()
    async for what, response in responses(server.api):
        headers = check(response, what)
        statuses.add(response.status_code)
        assert "strict-transport-security" not in headers, "browsers ignore it over http"
    assert {200, 400, 401, 404, 405, 413} <= statuses


async def test_https_deployment_adds_hsts_to_every_response_and_to_preflights(settings: Settings) -> None:
    async with running(settings.model_copy(update=PUBLIC)) as server:
        seen = [found async for found in responses(server.api)]
        preflight = {"origin": "https://app.example.com", "access-control-request-method": "POST"}
        seen += [("preflight", await server.api.http.options("/graphql", headers=preflight))]
    for what, response in seen:
        (age,) = (
            int(part.removeprefix("max-age="))
            for part in check(response, what)["strict-transport-security"].split(";")
            if part.startswith("max-age=")
        )
        assert age >= 180 * 86400, what


@pytest.mark.any_database
async def test_pictures_have_security_headers_and_can_be_embedded(server: Running) -> None:
    ada = await server.api.sign_up()
    (made,) = (await ada.create(photo(640, 480), styleId=await ada.style("cute", "plushify")))["generations"]
    generation: Any = await ada.wait_for_end(made["id"])
    await ada.one(SHARE, id=made["id"])
    url = generation["result"]["url"]
    file = await ada.http.get(url)
    for response in (
        file,
        await ada.http.get(url, headers={"if-none-match": file.headers["etag"]}),
        await ada.http.get(url, headers={"range": "bytes=0-9"}),
        await ada.http.get("/s/the-fox/picture"),
        await ada.http.get("/s/the-fox/picture", headers={"range": "bytes=0-9"}),
        await ada.http.get("/s/the-fox/thumbnail"),
        await ada.http.get("/s/the-fox/preview.jpg"),
    ):
        assert response.status_code in (200, 206, 304)
        assert check(response, response.url)["cross-origin-resource-policy"] == "cross-origin"
    assert check(await ada.http.get("/s/the-fox"), "page")["cross-origin-resource-policy"] == "same-origin"


async def test_answers_with_tokens_are_not_stored(api: Api) -> None:
    await api.sign_up()
    signed_in = await api.http.post(
        "/graphql",
        json={"query": 'mutation { signIn(input: {email: "ada@example.com", password: "correct horse"}) { token } }'},
    )
    assert signed_in.json()["data"]["signIn"]["token"]
    assert signed_in.headers["cache-control"] == "no-store"
    assert (await api.http.post("/graphql", json=JSON)).headers["cache-control"] == "no-store"


async def test_refused_socket_handshake_has_security_headers(api: Api) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with websockets.connect(
            api.address.replace("http", "ws", 1) + "/graphql",
            subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
            additional_headers={"origin": "https://evil.example.com", "cookie": "darkroom_session=x"},
        ):
            pass
    assert refused.value.response.status_code == 403
    check(refused.value.response, "handshake")


async def test_handshake_that_no_websocket_can_have_has_security_headers(api: Api) -> None:
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "7"}
    response = await api.http.get("/graphql", headers=upgrade | {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="})
    assert response.status_code == 400
    check(response, "version 7")


async def test_internal_error_has_security_headers(settings: Settings) -> None:
    @contextlib.asynccontextmanager
    async def never_opened() -> AsyncIterator[Services]:
        raise AssertionError
        yield

    app = create_app(never_opened, web_options(settings))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        response = await http.get("/files/x")  # fails, because the lifespan has set no state
    assert response.status_code == 500
    check(response, "500")
