"""The proxies of deploy/, run by real nginx and Caddy: what clients do passes through them unchanged."""

import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import quick_settings, running
from tests.support.client import CREATE, CREDITS, PROGRESS, Api, photo
from tests.support.proxy_server import CERTIFICATE, PROXIES, Proxy
from tests.support.server_process import HOST, free_port

_LARGE = 12 * 2**20  # bytes of a picture that is larger than the profile accepts
SHARE = "mutation($id: ID!) { shareGeneration(id: $id) { generation { shareUrl } errors { code } } }"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { errors { code } } }"


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    """What a client trusts: the certificate of the proxies."""
    return ssl.create_default_context(cafile=CERTIFICATE)


@pytest.fixture(scope="module", params=PROXIES, ids=lambda proxy: proxy.name)
async def proxied(
    request: pytest.FixtureRequest, templates: Path, tmp_path_factory: pytest.TempPathFactory, tls: ssl.SSLContext
) -> AsyncIterator[Api]:
    """A client of the proxy, behind which a server is."""
    proxy: Proxy = request.param
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    shutil.copy(templates, folder / "test.sqlite3")
    address = proxy.address(port)
    settings = quick_settings(f"sqlite://{folder}/test.sqlite3", folder)
    settings = settings.model_copy(update={"public_url": address, "trusted_proxies": (f"{HOST}/32",)})
    async with (
        running(settings) as server,
        httpx.AsyncClient(base_url=address, timeout=30, verify=tls) as http,
    ):
        with pytest.MonkeyPatch.context() as patch, proxy.run(server.api.address.removeprefix("http://"), port):
            patch.setenv("SSL_CERT_FILE", str(CERTIFICATE))  # of sockets
            yield Api(http, address)


async def test_multipart_upload_websocket_and_signed_link_pass(proxied: Api) -> None:
    ada = await proxied.sign_up()
    async with ada.socket() as live:
        credits = await live.subscribe(CREDITS)
        await credits.next()
        (generation,) = (await ada.create(photo(), styleId=await ada.style("cute", "plushify")))["generations"]
        progress = await live.subscribe(PROGRESS, id=generation["id"])
        assert (await progress.rest())[-1]["status"] == "COMPLETED"
        await credits.next()
    result = (await ada.generation(generation["id"]))["result"]
    assert result["url"].startswith(ada.address)
    picture = await ada.http.get(result["url"])
    assert (picture.status_code, len(picture.content)) == (200, result["byteSize"])
    part = await ada.http.get(result["url"], headers={"range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, picture.content[:10])


async def test_event_stream_arrives_event_by_event(proxied: Api) -> None:
    ada = await proxied.sign_up("sse@example.com")
    body = {"query": CREDITS, "variables": {}}
    headers = ada.headers(accept="text/event-stream")
    async with ada.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        frames = response.aiter_text()
        # The stream stays open: a proxy that waits for its end or for a full buffer would pass nothing on.
        assert "event: next" in await anext(frames)
        await ada.create(photo(), styleId=await ada.style("cute", "plushify"))
        assert "event: next" in await anext(frames)


async def test_shared_page_and_its_picture_pass(proxied: Api) -> None:
    ada = await proxied.sign_up("share@example.com")
    (made,) = (await ada.create(prompt="A fox in the snow"))["generations"]
    assert (await ada.wait_for_end(made["id"]))["status"] == "COMPLETED"
    shared = (await ada.one(SHARE, id=made["id"]))["generation"]["shareUrl"]
    assert shared.startswith(f"{ada.address}/s/")
    page = await proxied.http.get(shared)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f'content="{shared}' in page.text


async def test_cookie_signs_a_page_in_from_the_clients_own_address(proxied: Api, tls: ssl.SSLContext) -> None:
    await proxied.sign_up("page@example.com")
    # Another address of the loopback network: the proxy's is trusted, a client's is not.
    elsewhere = httpx.AsyncHTTPTransport(verify=tls, local_address="127.9.9.9")
    own = {"origin": proxied.address, "x-forwarded-for": "203.0.113.9"}
    async with httpx.AsyncClient(base_url=proxied.address, timeout=30, transport=elsewhere) as browser:
        given = {"email": "page@example.com", "password": "correct horse", "cookie": True}
        signed_in = await browser.post("/graphql", json={"query": SIGN_IN, "variables": {"input": given}}, headers=own)
        assert signed_in.json()["data"]["signIn"]["errors"] == []
        assert ("__Host-" in signed_in.headers["set-cookie"]) == proxied.address.startswith("https")
        query = {"query": "{ viewer { email sessions { place isCurrent } } }"}
        viewer = (await browser.post("/graphql", json=query, headers=own)).json()["data"]["viewer"]
        assert viewer["email"] == "page@example.com"
        assert [each["place"] for each in viewer["sessions"] if each["isCurrent"]] == ["127.9.9.0/24"]
        foreign = await browser.post("/graphql", json=query, headers={"origin": "https://evil.example.com"})
        assert "page@example.com" not in foreign.text


async def test_picture_that_is_too_large_gets_the_servers_own_refusal(proxied: Api) -> None:
    ada = await proxied.sign_up("large@example.com")
    input = {"styleId": await ada.style("cute", "plushify"), "image": None}
    refused = await ada.raw(CREATE, {"input.image": photo() + b"\0" * _LARGE}, input=input)
    assert refused.status_code == 413
    assert "up to 10 MiB" in refused.json()["errors"][0]["message"]


async def test_clients_reach_no_metrics_and_name_no_other_address(proxied: Api) -> None:
    assert (await proxied.http.get("/metrics")).status_code == 404
    assert (await proxied.http.get("/health/live")).status_code == 200
    ada = await proxied.sign_up("eve@example.com")
    mutation = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { url } } }"
    given = {"input": {"contentType": "image/jpeg", "byteSize": 1000}}
    headers = ada.headers(**{"x-forwarded-host": "evil.example.com", "forwarded": "host=evil.example.com"})
    answer = await ada.http.post("/graphql", json={"query": mutation, "variables": given}, headers=headers)
    assert answer.json()["data"]["createUpload"]["upload"]["url"].startswith(ada.address)
