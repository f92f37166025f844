"""Pages of other origins: those of this machine in development, refusals that name the setting, upload addresses."""

from typing import Any

import pytest
import websockets
from structlog.testing import capture_logs

from setting_types import Environment
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo

pytestmark = pytest.mark.any_database

EVIL = "https://evil.example.com"
VIEWER = "{ viewer { email } }"
UPLOAD = 'mutation { createUpload(input: {contentType: "image/jpeg", byteSize: 3}) { upload { url } errors { code } } }'
CREATE = "mutation($input: CreateGenerationInput!) { createGeneration(input: $input) { errors { code } } }"
LOCAL = ["http://localhost:5173", "https://localhost", "http://127.0.0.1:3000", "http://[::1]:8080"]


async def opens_socket(api: Api, origin: str) -> bool:
    url = api.address.replace("http", "ws", 1) + "/graphql"
    try:
        async with websockets.connect(
            url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")], additional_headers={"origin": origin}
        ):
            return True
    except websockets.InvalidStatus as error:
        return error.response.status_code != 403


async def test_pages_of_this_machine_may_use_everything_in_development(server: Running) -> None:
    ada = await server.api.sign_up()
    cookie = {"cookie": f"darkroom_session={ada.token}"}
    for origin in LOCAL:
        asked = {"origin": origin, "access-control-request-method": "POST"}
        preflight = await ada.http.options("/graphql", headers={**asked, "access-control-request-headers": "x-any"})
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == origin
        assert preflight.headers["access-control-allow-headers"] == "x-any"
        found = await server.api.raw(VIEWER, headers={"origin": origin, **cookie})
        assert found.json() == {"data": {"viewer": {"email": "ada@example.com"}}}
        assert found.headers["access-control-allow-origin"] == origin
        assert found.headers["access-control-allow-credentials"] == "true"
        exposed = set(found.headers["access-control-expose-headers"].lower().split(", "))
        assert {"x-request-id", "retry-after", "ratelimit", "ratelimit-policy", "etag", "x-should-retry"} <= exposed
        assert await opens_socket(ada, origin)


@pytest.mark.parametrize(
    "origin",
    ["http://localhost.evil.example", "http://localhost:5173.evil.example", "http://evil.example/localhost", "null",
     "http://127.0.0.2:5173", "http://localhost@evil.example", "file://localhost", "http://LOCALHOST.", EVIL],
)  # fmt: skip
async def test_other_origins_are_refused_in_development_and_all_in_production(server: Running, origin: str) -> None:
    ada = await server.api.sign_up(f"a{abs(hash(origin))}@example.com")
    found = await server.api.raw(VIEWER, headers={"origin": origin, "cookie": f"darkroom_session={ada.token}"})
    assert found.json() == {"data": {"viewer": None}}
    assert "access-control-allow-origin" not in found.headers
    assert not await opens_socket(server.api, origin)
    asked = {"origin": origin, "access-control-request-method": "POST"}
    assert (await server.api.http.options("/graphql", headers=asked)).status_code == 400


async def test_refused_origin_is_logged_once_with_the_setting_that_allows_it(settings: Settings) -> None:
    async with running(settings, is_development=False) as server:
        with capture_logs() as logs:
            for _ in range(3):
                for origin in (EVIL, LOCAL[0]):
                    assert not await opens_socket(server.api, origin)
                    await server.api.raw(VIEWER, headers={"origin": origin})
            await server.api.raw(VIEWER, headers={"origin": server.api.address})
            for number in range(100):
                await server.api.raw(VIEWER, headers={"origin": f"https://{number}.example"})
        refused = [line for line in logs if line["event"] == "http.origin_refused"]
        assert [line["origin"] for line in refused][:2] == [EVIL, LOCAL[0]]
        assert {line["setting"] for line in refused} == {"CORS_ORIGINS"}
        assert len(refused) == 50


async def test_proxy_of_a_development_server_keeps_cookies_and_uploads(server: Running) -> None:
    """Vite's proxy passes Origin on, and replaces Host with `changeOrigin`."""
    ada = await server.api.sign_up()
    own, page = server.api.address, "http://localhost:5173"
    for host, address in ((own.removeprefix("http://"), own), ("localhost:5173", page)):
        for origin in ({"origin": page}, {"sec-fetch-site": "same-origin"}):
            headers = {"host": host, "cookie": f"darkroom_session={ada.token}", **origin}
            made = (await server.api.raw(UPLOAD, headers=headers)).json()["data"]["createUpload"]
            assert made["errors"] == []
            assert made["upload"]["url"].startswith(f"{address}/uploads/")
            # What apollo-upload-client and a plain FormData send: no header of their own.
            sent = await server.api.raw(CREATE, {"input.image": photo()}, headers, input={"prompt": "A fox"})
            assert sent.status_code == 200, sent.text


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "localhost:9000"}, "http://localhost:9000"),
        ({"host": "[::1]:9000"}, "http://[::1]:9000"),
        ({"host": "localhost:9000", "origin": "https://localhost:9000"}, "https://localhost:9000"),
        ({"host": "localhost:9000", "origin": "https://evil.example"}, "http://localhost:9000"),
        ({"host": "evil.example"}, None),
        ({"host": "localhost:9000@evil.example"}, None),
        ({"x-forwarded-host": "evil.example"}, None),
    ],
)
async def test_upload_address_follows_a_host_of_this_machine_in_development(
    server: Running, headers: dict[str, str], expected: str | None
) -> None:
    ada = await server.api.sign_up()
    made = (await ada.raw(UPLOAD, headers=headers)).json()["data"]["createUpload"]["upload"]
    assert made["url"].startswith(f"{expected or server.api.address}/uploads/")


async def test_upload_address_is_the_one_that_a_trusted_proxy_names_or_public_url(settings: Settings) -> None:
    changes: dict[str, Any] = {
        "public_url": "https://api.example.com", "environment": Environment.PRODUCTION,
        "trusted_proxies": ("127.0.0.0/8",),
    }  # fmt: skip
    async with running(settings.model_copy(update=changes)) as server:
        ada = await server.api.sign_up()
        for headers, expected in (
            ({"host": "localhost:9000"}, "https://api.example.com"),
            ({"x-forwarded-host": "b.example.com"}, "https://b.example.com"),
            (
                {"x-forwarded-host": "b.example.com:81, c.example", "x-forwarded-proto": "http"},
                "http://b.example.com:81",
            ),
            ({"x-forwarded-host": "b.example.com/path?"}, "https://api.example.com"),
            ({"x-forwarded-host": "b.example.com", "x-forwarded-proto": "javascript"}, "https://b.example.com"),
        ):
            made = (await ada.raw(UPLOAD, headers=headers)).json()["data"]["createUpload"]["upload"]
            assert made["url"].startswith(f"{expected}/uploads/"), headers
