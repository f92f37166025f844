"""The open connections of a server: how many there may be, in total and of one client, and which one makes room."""

import asyncio
import contextlib
import resource
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from services.integrations.lazy_event import LazyEvent
from telemetry import metric
from web.client_address import client_key, networks, parse_address

MAX_CONNECTIONS = 10_000  # by default; a process takes about 20 KB for each
MAX_PER_CLIENT = 256  # by default: a browser opens six and its sockets, and an office may share one address
_RESERVED_DESCRIPTORS = 192  # for the database, storage, providers, child processes, logs and accepted connections
_DESCRIPTORS_EACH = 2  # the connection itself, and the file that is sent or received over it
_MIN_CONNECTIONS = 16
_UNLIMITED_DESCRIPTORS = 10_240  # OPEN_MAX of macOS
_MAX_BACKLOG = 2048
_STOP_SECONDS = 0.5  # for a client that does not read, once the server stops
_MAX_REFUSED = 64  # refused connections whose client may still read the response; more are reset


@dataclass(frozen=True)
class ServerLimits:
    """How many connections may be open, and how long each stage of one may take, in seconds."""

    total: int = MAX_CONNECTIONS
    per_client: int | None = MAX_PER_CLIENT  # None: unlimited
    trusted_proxies: tuple[str, ...] = ()  # networks whose connections carry many clients: only `total` applies
    head: float = 10.0  # from the first byte, or from the connection, to the end of a request's head
    body: float = 20.0  # for a body, plus one second for each `body_rate` bytes of it that have arrived
    body_rate: float = 16 * 1024
    idle: float = 75.0  # between the end of a response and the next request
    write: float = 30.0  # for the client to read what was written
    linger: float = 1.0  # for the client to read the response to a refused request before the connection is closed
    backlog: int = _MAX_BACKLOG  # connections that the system accepts before the server does


def raise_descriptor_limit() -> int:
    """Raise RLIMIT_NOFILE to its hard limit, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:  # which macOS reports, and does not accept
        hard = max(soft, _UNLIMITED_DESCRIPTORS)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def max_connections(descriptors: int, database_pool: int) -> int:
    """Return the number of connections for which a process with this RLIMIT_NOFILE has enough file descriptors."""
    reserved = max(_RESERVED_DESCRIPTORS + database_pool, descriptors // 4)
    return max((descriptors - reserved) // _DESCRIPTORS_EACH, _MIN_CONNECTIONS)


def max_backlog(descriptors: int) -> int:
    """Return how many connections may be accepted at once: they need descriptors before they can be refused."""
    return min(max(descriptors // 8, _MIN_CONNECTIONS), _MAX_BACKLOG)


class Connection(Protocol):
    """A connection that waits for a request."""

    def make_room(self) -> None:
        """Close it, because a newer one takes its place."""


class OpenConnections:
    """Counts connections by client, and closes the one that has waited longest for a request if there are too many.

    `headers`: of responses that do not come from the application.
    """

    def __init__(self, limits: ServerLimits, headers: Mapping[str, str]) -> None:
        self.limits = limits
        self.headers = headers
        self._proxies = [network for proxy in limits.trusted_proxies for network in networks(proxy)]
        self._client: dict[asyncio.BaseTransport, str | None] = {}  # None: counted in the total only
        self._count: Counter[str] = Counter()
        # Insertion order: the one that has waited longest comes first.
        self._waiting: dict[Connection, str | None] = {}
        self._waiting_by_client: dict[str, dict[Connection, None]] = {}
        self._refused: set[asyncio.BaseTransport] = set()

    def admit(self, transport: asyncio.BaseTransport, peer: tuple[str, int | None] | None) -> bool:
        """Count a new connection; False if there are too many, and none of them waits for a request."""
        client = self._client_of(peer)
        reason = self._exceeded_limit(client)
        if reason is not None:
            metric.connections_refused.labels(reason).inc()
            waiting = self._waiting_by_client.get(client or "", {}) if reason == "client_connections" else self._waiting
            longest = next(iter(waiting), None)
            if longest is None:
                self._refused.add(transport)
                return False
            self.stop_waiting(longest)
            longest.make_room()
        self._client[transport] = client
        if client is not None:
            self._count[client] += 1
        return True

    def may_linger(self) -> bool:
        """Whether the client of a refused connection gets time to read the response."""
        return len(self._refused) <= _MAX_REFUSED

    def release(self, transport: asyncio.BaseTransport) -> None:
        """Stop counting a connection that is closed."""
        self._refused.discard(transport)
        client = self._client.pop(transport, None)
        if client is not None:
            self._count[client] -= 1
            if not self._count[client]:
                del self._count[client]

    def wait(self, connection: Connection, transport: asyncio.BaseTransport) -> None:
        """Note that a connection waits for a request, from now on."""
        if transport not in self._client:
            return
        client = self._waiting[connection] = self._client[transport]
        if client is not None:
            self._waiting_by_client.setdefault(client, {})[connection] = None

    def stop_waiting(self, connection: Connection) -> None:
        """Note that a connection has received a request, or is closed."""
        client = self._waiting.pop(connection, None)
        if client is not None:
            waiting = self._waiting_by_client[client]
            del waiting[connection]
            if not waiting:
                del self._waiting_by_client[client]

    def _client_of(self, peer: tuple[str, int | None] | None) -> str | None:
        """Return the key that a peer is counted by; None for trusted proxies and Unix sockets."""
        address = parse_address(peer)
        if address is None or any(address in network for network in self._proxies):
            return None
        return client_key(address)

    def _exceeded_limit(self, client: str | None) -> str | None:
        per_client = self.limits.per_client
        if client is not None and per_client is not None and self._count[client] >= per_client:
            return "client_connections"
        return "connections" if len(self._client) >= self.limits.total else None


class WriteDeadline(asyncio.Protocol):
    """A protocol that resets its connection if the client does not read what was written to it."""

    # Replaced by web/server.py in a subclass: uvicorn creates the instances.
    open_connections: ClassVar[OpenConnections] = OpenConnections(ServerLimits(), {})
    stopping: ClassVar[LazyEvent] = LazyEvent()  # set once the server stops
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _write_timer: asyncio.TimerHandle | None = None

    def shutdown(self) -> None:
        """Stop as uvicorn's protocols do, without waiting for a client that does not read."""
        super().shutdown()  # type: ignore[misc]  # of the class that this one is mixed into
        self.stopping.set()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = self.loop.call_later(_STOP_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.open_connections.limits.write, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_write_timer()
        self.open_connections.release(self.transport)
        super().connection_lost(exc)

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
