"""uvicorn's server for tests: it stops as soon as it may, where uvicorn looks ten times per second."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

_TICK = 1.0  # seconds between updates of the Date header, as uvicorn's
_LOOK = 0.002  # seconds between two looks whether the connections have closed: they set no event


class QuickServer(uvicorn.Server):
    """A server in the tests' process; nearly every test starts one, and would wait 0.15 s for its end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # Ctrl-C is handled by pytest

    def stop(self) -> None:
        """Let `serve` end: new connections are refused, and requests get `timeout_graceful_shutdown` seconds."""
        self.should_exit = True
        self._stopped.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Do what uvicorn does, without its waits: close, let connections and tasks end, then the lifespan."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while state.connections or state.tasks:  # noqa: ASYNC110 - they set no event
                    await asyncio.sleep(_LOOK)
                for server in self.servers:
                    await server.wait_closed()
        except TimeoutError:
            for task in state.tasks:
                task.cancel()
        await self.lifespan.shutdown()
