"""A TCP proxy that cuts all of its connections on request, as a bad network does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from tests.support.server_process import HOST


class CutProxy:
    """Forwards bytes to one address until they are cut; accepts new connections unless `is_down`."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self.is_down = False
        self.connections = 0

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._port}"

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            return writer.transport.abort()
        self.connections += 1
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        await asyncio.gather(self._forward(reader, back), self._forward(there, writer))
        return None

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with suppress(ConnectionError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
        finally:
            self._writers.discard(writer)
            writer.close()

    @classmethod
    @asynccontextmanager
    async def open(cls, target: str) -> AsyncIterator["CutProxy"]:
        proxy = cls(target)
        async with await asyncio.start_server(proxy._accept, HOST, 0) as server:
            proxy._port = server.sockets[0].getsockname()[1]
            yield proxy
            proxy.cut()
