"""Pings to quiet sockets, which find out that a client is gone: one timer for all instead of one for each."""

import asyncio
from typing import Protocol


class Pinged(Protocol):
    """An open socket."""

    def send_keepalive_ping(self) -> None:
        """Send a ping, and call `Keepalive.expect_pong`."""

    def keepalive_timeout(self) -> None:
        """Close the socket, whose client has not answered."""


class Keepalive:
    """When each open socket of a server is pinged, and until when its client has to answer.

    `step`: seconds between two looks at what is due.
    """

    def __init__(self, step: float = 1.0) -> None:
        self._step = step
        # By the time of the event loop, in seconds. In the order of the times, because each is as much later.
        self._pings: dict[Pinged, float] = {}
        self._pongs: dict[Pinged, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def ping_after(self, seconds: float, socket: Pinged) -> None:
        """Ping a socket once it was open, or has been quiet, for so long."""
        self.stop(socket)
        self._pings[socket] = self._start() + seconds

    def expect_pong(self, seconds: float, socket: Pinged) -> None:
        """Close a socket that has not answered by then."""
        self._pongs[socket] = self._start() + seconds

    def stop(self, socket: Pinged) -> None:
        """Forget a socket that is closed."""
        self._pings.pop(socket, None)
        self._pongs.pop(socket, None)

    def _start(self) -> float:
        """Start the timer unless it runs, and return the time."""
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_later(self._step, self._look)
        return loop.time()

    def _look(self) -> None:
        self._timer = None
        for socket in self._take_due(self._pongs):
            socket.keepalive_timeout()
        for socket in self._take_due(self._pings):
            socket.send_keepalive_ping()
        if self._pings or self._pongs:
            self._start()

    @staticmethod
    def _take_due(times: dict[Pinged, float]) -> list[Pinged]:
        now, due = asyncio.get_running_loop().time(), []
        for socket, time in times.items():
            if time > now:
                break
            due.append(socket)
        for socket in due:
            del times[socket]
        return due
