"""The floor of a server that fans out: an ASGI function on uvicorn that speaks graphql-transport-ws without GraphQL.

It reads Redis itself, decodes each message once, and sends every subscriber one text that differs only in its id.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson
import uvicorn

FIELDS = ("id", "status", "stage", "progress", "version", "attempts")
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Hub:
    """One connection to Redis, and the sockets that listen on each channel."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._sockets: dict[bytes, dict[str, tuple[str, Send]]] = {}
        self._writer: asyncio.StreamWriter

    async def connect(self) -> None:
        reader, self._writer = await asyncio.open_connection(self._url.hostname, self._url.port, limit=2**20)
        self._task = asyncio.create_task(self._read(reader))

    def subscribe(self, channel: bytes, socket: str, id: str, send: Send) -> None:
        sockets = self._sockets.setdefault(channel, {})
        if not sockets:
            self._writer.write(b"*2\r\n$9\r\nSUBSCRIBE\r\n$%d\r\n%b\r\n" % (len(channel), channel))
        sockets[socket] = (id, send)

    def unsubscribe(self, channel: bytes, socket: str) -> None:
        self._sockets.get(channel, {}).pop(socket, None)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        buffer = b""
        while data := await reader.read(2**16):
            buffer += data
            at = 0
            while message := _parse(buffer, at):
                channel, payload, at = message
                if payload:
                    await self._deliver(channel, payload)
            buffer = buffer[at:]

    async def _deliver(self, channel: bytes, payload: bytes) -> None:
        found = orjson.loads(payload)
        value = orjson.dumps({name: found[name] for name in FIELDS}).decode()
        rest = f'","type":"next","payload":{{"data":{{"generationProgress":{value}}}}}}}'
        for id, send in list(self._sockets.get(channel, {}).values()):
            await send({"type": "websocket.send", "text": f'{{"id":"{id}{rest}'})


def _parse(buffer: bytes, at: int) -> tuple[bytes, bytes, int] | None:
    """Return channel, payload and end of the reply at `at`; None if it is not complete."""
    parts: list[bytes] = []
    end = buffer.find(b"\r\n", at)
    if end < 0:
        return None
    at = end + 2
    for _ in range(3):
        end = buffer.find(b"\r\n", at)
        if end < 0:
            return None
        if buffer[at : at + 1] == b":":  # the acknowledgement's count
            parts.append(b"")
            at = end + 2
            continue
        size = int(buffer[at + 1 : end])
        if len(buffer) < end + 4 + size:
            return None
        parts.append(buffer[end + 2 : end + 2 + size])
        at = end + 4 + size
    return parts[1], parts[2], at


class App:
    """The ASGI application."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._number = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await self._hub.connect()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._socket(receive, send)

    async def _socket(self, receive: Any, send: Any) -> None:
        self._number += 1
        name, channel = str(self._number), b""
        with contextlib.suppress(OSError):
            while True:
                event = await receive()
                if event["type"] == "websocket.connect":
                    await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
                elif event["type"] == "websocket.disconnect":
                    break
                elif (message := orjson.loads(event["text"]))["type"] == "connection_init":
                    await send({"type": "websocket.send", "text": '{"type":"connection_ack"}'})
                else:
                    generation = message["payload"]["variables"]["id"]
                    channel = f"generation:{generation}".encode()
                    self._hub.subscribe(channel, name, message["id"], send)
                    first = f'{{"data":{{"generationProgress":{{"id":"{generation}","version":1}}}}}}'
                    text = f'{{"id":"{message["id"]}","type":"next","payload":{first}}}'
                    await send({"type": "websocket.send", "text": text})
        self._hub.unsubscribe(channel, name)


def main() -> None:
    port, redis_url = sys.argv[1:]
    options = {"log_level": "error", "ws": "websockets-sansio", "ws_per_message_deflate": False}
    uvicorn.run(App(Hub(redis_url)), port=int(port), **options)  # type: ignore[arg-type]  # valid options


if __name__ == "__main__":
    main()
