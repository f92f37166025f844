"""Connections that send too much, too slowly, or nothing: straight TCP, as no HTTP client would."""

import asyncio
import contextlib
import re

from tests.campaigns.attack import Attack, Target

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_CHUNK = 64 * 1024
_HEAD = b" HTTP/1.1\r\nHost: localhost\r\n"
_JSON = b"POST /graphql" + _HEAD + b"Content-Type: application/json\r\n"
_CHUNKED = _JSON + b"Transfer-Encoding: chunked\r\n\r\n"


def _upload(authorization: str = "") -> bytes:
    """Return all of a multipart request of 10 MB except its end."""
    lines = f"Authorization: Bearer {authorization}\r\n" if authorization else "GraphQL-Require-Preflight: 1\r\n"
    head = b"POST /graphql" + _HEAD + lines.encode()
    return (
        head
        + (
            b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 10000000\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="0"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        )
        + bytes(9_000_000)
    )


async def _open(target: Target, first: bytes, endless: bytes = b"", pause: float = 0.0) -> None:
    """Open a connection, send `first`, then `endless` until the server closes; count its status line or "closed"."""
    try:
        reader, writer = await target.connect()
    except OSError as error:
        target.outcomes[type(error).__name__] += 1
        return
    answer = asyncio.create_task(reader.read(4096))
    try:
        writer.write(first)
        while not target.is_over and not answer.done():
            if endless:
                writer.write(endless)
            await writer.drain()
            await asyncio.wait([answer], timeout=pause or 0.001)
    except OSError:
        pass  # the server closed it while we were sending
    finally:
        with contextlib.suppress(OSError, TimeoutError):
            found = _STATUS.match(await asyncio.wait_for(answer, 0.5))
            target.outcomes[found[1].decode() if found else "closed"] += 1
        if answer.cancelled():
            target.outcomes["open"] += 1
        writer.transport.abort()


async def _keep_open(target: Target, connections: int, first: bytes, endless: bytes = b"", pause: float = 0.0) -> None:
    """Keep so many connections open; those that the server closes are replaced within 1.5 s."""

    async def one() -> None:
        while not target.is_over:
            await _open(target, first, endless, pause)
            await asyncio.sleep(min(target.rng.uniform(0.1, 1.5), target.seconds))

    await asyncio.gather(*(one() for _ in range(connections)))


async def endless_heads(target: Target) -> None:
    """One header that does not end."""
    await _keep_open(target, 4, b"GET /" + _HEAD + b"X-Long: ", b"a" * _CHUNK)


async def endless_urls(target: Target) -> None:
    """A request line that does not end."""
    await _keep_open(target, 4, b"GET /", b"a" * _CHUNK)


async def countless_headers(target: Target) -> None:
    """Headers without end, each short."""
    await _keep_open(target, 4, b"GET /" + _HEAD, b"X-A: b\r\n" * 8000)


async def endless_bodies(target: Target) -> None:
    """A chunked body that does not end."""
    await _keep_open(target, 2, _CHUNKED, b"8000\r\n" + b" " * 0x8000 + b"\r\n")


async def tiny_chunks(target: Target) -> None:
    """A chunked body of one byte per chunk."""
    await _keep_open(target, 2, _CHUNKED, b"1\r\n \r\n" * 2000)


async def endless_chunk_extensions(target: Target) -> None:
    """The extension of a chunk that does not end."""
    await _keep_open(target, 4, _CHUNKED + b"1;", b"e" * _CHUNK)


async def half_sent_heads(target: Target) -> None:
    """Slowloris: 200 heads, each sent one byte at a time."""
    await _keep_open(target, 200, b"GET /" + _HEAD + b"X-Slow: ", b"a", 0.5)


async def half_sent_bodies(target: Target) -> None:
    """200 bodies that stop after the first bytes."""
    await _keep_open(target, 200, _JSON + b'Content-Length: 90000\r\n\r\n{"query": "', b"a", 0.5)


async def half_sent_uploads(target: Target) -> None:
    """60 multipart bodies of 10 MB without a token, held before their end."""
    await _keep_open(target, 60, _upload(), pause=0.5)


async def half_sent_uploads_of_an_account(target: Target) -> None:
    """The same, signed in."""
    mallory = await target.sign_up()
    await _keep_open(target, 60, _upload(mallory.token or ""), pause=0.5)


async def long_handshakes(target: Target) -> None:
    """WebSocket handshakes with a header of 9 KB."""
    handshake = (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nX-Long: " + b"a" * 9000 + b"\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    )
    await _keep_open(target, 20, b"GET /graphql" + _HEAD + handshake, pause=0.5)


async def silent_connections(target: Target) -> None:
    """1,100 connections that send nothing: more than the usual number of file descriptors."""
    await _keep_open(target, 1100, b"", pause=0.5)


ATTACKS: tuple[Attack, ...] = (
    endless_heads,
    endless_urls,
    countless_headers,
    endless_bodies,
    tiny_chunks,
    endless_chunk_extensions,
    half_sent_heads,
    half_sent_bodies,
    half_sent_uploads,
    half_sent_uploads_of_an_account,
    long_handshakes,
    silent_connections,
)
