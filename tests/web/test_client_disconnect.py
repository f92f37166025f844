"""Clients that disconnect in the middle of a request body."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.conftest import Running

HEAD = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nAuthorization: Bearer x\r\nContent-Type: "


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
async def test_incomplete_body_is_not_logged_as_an_error(
    module_server: Running, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    where = urlsplit(module_server.api.address)
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write((HEAD + kind + "\r\n\r\n--x\r\n").encode())
    await writer.drain()
    await asyncio.sleep(0)
    writer.close()
    await writer.wait_closed()
    # The server processes the disconnect before it answers the next request.
    for _ in range(3):
        assert (await module_server.api.http.get("/health/live")).status_code == 200
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_trailing_slash_is_404_and_not_redirected(module_server: Running) -> None:
    headers = {"host": "evil.example"}
    answer = await module_server.api.http.post("/graphql/", json={"query": "{ viewer { id } }"}, headers=headers)
    assert answer.status_code == 404
