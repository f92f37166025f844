"""Connections that send too much, too slowly, or nothing: straight TCP, as no HTTP client would."""

import asyncio
import contextlib
import re

from tests.campaigns.attack import Attack, Target

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_CHUNK = 64 * 1024
_POST = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\n"


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
    """Keep so many connections open; those that the server closes are replaced until the time is over."""

    async def one() -> None:
        while not target.is_over:
            await _open(target, first, endless, pause)
            await asyncio.sleep(0.1)

    await asyncio.gather(*(one() for _ in range(connections)))


async def endless_heads(target: Target) -> None:
    """One header that does not end."""
    await _keep_open(target, 2, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"a" * _CHUNK, 0.01)


async def endless_urls(target: Target) -> None:
    """A request line that does not end."""
    await _keep_open(target, 2, b"GET /", b"a" * _CHUNK, 0.01)


async def countless_headers(target: Target) -> None:
    """Headers without end, each short."""
    await _keep_open(target, 2, b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-A: b\r\n" * 4000, 0.01)


async def half_sent_heads(target: Target) -> None:
    """Slowloris: 200 heads, each sent one byte at a time."""
    await _keep_open(target, 200, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"a", 0.5)


async def half_sent_bodies(target: Target) -> None:
    """200 bodies that stop after the first bytes."""
    head = _POST + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    await _keep_open(target, 200, head + b'{"query": "', b"a", 0.5)


async def half_sent_uploads(target: Target) -> None:
    """60 multipart bodies of 10 MB without a token, held before their end."""
    head = _POST + (
        b"Content-Type: multipart/form-data; boundary=x\r\n"
        b"GraphQL-Require-Preflight: 1\r\nContent-Length: 10000000\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="0"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    await _keep_open(target, 60, head + b"a" * 9_000_000, pause=0.5)


async def silent_connections(target: Target) -> None:
    """1,100 connections that send nothing: more than the usual number of file descriptors."""
    await _keep_open(target, 1100, b"", pause=0.5)


ATTACKS: tuple[Attack, ...] = (
    endless_heads,
    endless_urls,
    countless_headers,
    half_sent_heads,
    half_sent_bodies,
    half_sent_uploads,
    silent_connections,
)
