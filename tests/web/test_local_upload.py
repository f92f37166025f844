"""The local storage's upload endpoint: a form with one file, limited while it streams."""

import asyncio
import contextlib
import json
from dataclasses import replace
from typing import Any

from services.integrations.storage.local import LocalStorage
from tests.conftest import Running
from tests.support.client import Api, photo, until
from tests.support.integrity import stored_keys
from tests.support.raw_multipart import CONTENT_TYPE, Part, form

HEAD = Part(b"file", b"", b"photo.jpg", b"text/html")
MIB = 2**20


async def target(server: Running, size: int, seconds: int = 60, key: str = "uploads/usr_1/upl_1") -> str:
    """Return an upload URL that accepts `size` bytes."""
    made = await server.services.integrations.storage.upload_target(key, "image/jpeg", byte_size=size, seconds=seconds)
    return made.url


async def post(api: Api, url: str, *parts: Part, closed: bool = True) -> tuple[int, str]:
    headers = {"content-type": CONTENT_TYPE}
    response = await api.http.post(url, content=form(parts, closed=closed), headers=headers)
    return response.status_code, response.text


async def test_upload_is_stored_under_its_key_and_replaced_by_the_next(module_server: Running) -> None:
    first, key = photo(), "uploads/usr_1/upl_twice"
    second = first[::-1]
    url = await target(module_server, len(first), key=key)
    for data in (first, second):
        noise = Part(b"key", b"originals/usr_2/fil_2")
        assert await post(module_server.api, url, noise, replace(HEAD, body=data)) == (204, "")
        assert await module_server.services.integrations.storage.get(key) == data
    assert {name for name in await stored_keys(module_server.services) if name.startswith("uploads/usr_1/")} == {key}


async def test_only_valid_upload_urls_are_accepted(module_server: Running) -> None:
    data = photo()
    valid, expired = (
        await target(module_server, len(data), key="uploads/usr_1/upl_no"),
        await target(module_server, len(data), seconds=0),
    )
    link = (await module_server.services.integrations.storage.link("uploads/usr_1/upl_no", "image/jpeg")).url
    signature = link.rpartition("=")[2]
    forged = f"{valid[:-2]}{'a' if valid[-2] != 'a' else 'b'}{valid[-1]}"
    for url in (
        expired,
        forged,
        f"{module_server.api.address}/uploads/x",
        f"{module_server.api.address}/uploads/{signature}",
    ):
        assert await post(module_server.api, url, replace(HEAD, body=data)) == (404, "Not found.")
    assert (await module_server.api.http.get(valid)).status_code == 405
    assert "uploads/usr_1/upl_no" not in await stored_keys(module_server.services)


async def test_upload_that_outlasts_its_url_is_not_stored(module_server: Running) -> None:
    storage = module_server.services.integrations.storage
    assert isinstance(storage, LocalStorage)
    url, key = await target(module_server, 10, seconds=1, key="uploads/usr_1/upl_slow"), "uploads/usr_1/upl_slow"
    body = form([replace(HEAD, body=b"x" * 10)])

    async def has_expired() -> bool:
        return storage.resolve_upload(url.rsplit("/", 1)[1]) is None

    async def slowly() -> Any:
        yield body[:20]
        await until(has_expired)
        yield body[20:]

    response = await module_server.api.http.post(url, content=slowly(), headers={"content-type": CONTENT_TYPE})
    assert response.status_code == 404
    assert key not in await stored_keys(module_server.services)


async def test_body_that_is_not_a_form_with_one_file_is_refused(module_server: Running) -> None:
    url = await target(module_server, 100, key="uploads/usr_1/upl_odd")
    whole = replace(HEAD, body=b"x" * 100)
    for parts, status in (
        ([], 400),
        ([Part(b"file", b"no file")], 400),
        ([Part(b"photo", b"x", b"a.jpg")], 400),
        ([HEAD], 400),
        ([whole, whole], 400),
        ([Part(b"a", b"b")] * 21, 400),
        ([replace(HEAD, body=b"x" * 99)], 400),
        ([replace(HEAD, body=b"x" * 101)], 413),
    ):
        assert (await post(module_server.api, url, *parts))[0] == status, parts
    assert (await module_server.api.http.post(url, content=json.dumps({}))).status_code == 400
    assert (await module_server.api.http.post(url, data={"file": "x"})).status_code == 400
    assert "uploads/usr_1/upl_odd" not in await stored_keys(module_server.services)


async def test_body_over_the_limit_is_aborted_and_not_stored(module_server: Running) -> None:
    before = await stored_keys(module_server.services)
    address = (await target(module_server, 1000, key="uploads/usr_1/upl_big")).removeprefix(module_server.api.address)
    start = form([HEAD], closed=False).removesuffix(b"\r\n")
    for announced in (True, False):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(module_server.api.address.rsplit(":", 1)[1]))
        length = f"Content-Length: {len(start) + 300 * MIB}" if announced else "Transfer-Encoding: chunked"
        lines = [f"POST {address} HTTP/1.1", "Host: localhost", f"Content-Type: {CONTENT_TYPE}", length, "", ""]
        writer.write("\r\n".join(lines).encode())
        answer, sent = asyncio.create_task(reader.read(4096)), 0
        with contextlib.suppress(ConnectionError):  # the server closes the connection
            while sent < 300 * MIB and not answer.done():
                piece = bytes(64 * 1024) if sent else start
                writer.write(piece if announced else b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
                sent += len(piece)
        assert (await asyncio.wait_for(answer, 20)).startswith(b"HTTP/1.1 413 ")
        writer.close()
        assert sent < 16 * MIB  # the size of the kernel's buffers
    assert await stored_keys(module_server.services) == before
