"""A TCP proxy that cuts all of its connections on request, as a bad network does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from tests.support.server_process import HOST


class _Exchange:
    """The last request of a connection, and what has been answered to it."""

    def __init__(self) -> None:
        self.request = self.answer = b""

    def add(self, data: bytes, *, is_request: bool) -> None:
        if not is_request:
            self.answer += data
        elif self.answer:
            self.request, self.answer = data, b""
        else:
            self.request += data


class CutProxy:
    """Forwards bytes to one address until they are cut; accepts new connections unless `is_down`."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self.is_down = False
        self._silent: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self._lost: tuple[bytes, bytes] | None = None
        self.has_lost = asyncio.Event()  # set when the answer that `lose` was about has been lost

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._port}"

    def forward_to(self, target: str) -> None:
        """Forward the connections from now on to this address."""
        self._target = urlsplit(target)

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def silence(self) -> None:
        """Forward nothing more on the connections of now, and leave them open, as a network does that has gone."""
        self._silent |= self._writers

    def lose(self, request: bytes, answer: bytes) -> None:
        """Do not deliver the first answer that contains `answer`, to what contains `request`; cut its connection."""
        self._lost = request, answer

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            return writer.transport.abort()
        self.connections += 1
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        if self.is_down:  # since then
            back.transport.abort()
            return writer.transport.abort()
        exchange = _Exchange()
        await asyncio.gather(self._forward(reader, back, exchange, asks=True), self._forward(there, writer, exchange))
        return None

    def _must_lose(self, exchange: "_Exchange") -> bool:
        if self._lost is None or self._lost[0] not in exchange.request or self._lost[1] not in exchange.answer:
            return False
        self._lost = None
        self.has_lost.set()
        return True

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, exchange: "_Exchange", *, asks: bool = False
    ) -> None:
        self._writers.add(writer)
        try:
            with suppress(ConnectionError):
                while data := await reader.read(65536):
                    if self._lost is not None:
                        exchange.add(data, is_request=asks)
                    if not asks and self._must_lose(exchange):
                        writer.transport.abort()
                        return
                    if writer not in self._silent:
                        writer.write(data)
                        await writer.drain()
        finally:
            self._writers.discard(writer)
            self._silent.discard(writer)
            writer.close()

    @classmethod
    @asynccontextmanager
    async def open(cls, target: str) -> AsyncIterator["CutProxy"]:
        proxy = cls(target)
        async with await asyncio.start_server(proxy._accept, HOST, 0) as server:
            proxy._port = server.sockets[0].getsockname()[1]
            yield proxy
            proxy.cut()
