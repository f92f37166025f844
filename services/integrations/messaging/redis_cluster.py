"""The Redis Cluster backend of the bus: each channel on the server that owns its slot, wherever the slots move.

Servers from Redis 7 on (and Valkey) have sharded channels, whose messages stay on the servers of one slot. Older ones
forward every message to all servers, so that one connection to any of them serves all channels.
"""

import asyncio
import random
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import structlog

from services.integrations.messaging.redis_backend import KEEPALIVE, TIMEOUT, Channel, Outgoing, SharedBackend
from services.integrations.messaging.redis_pubsub import MIN_PAUSE, OUTBOX, RedisBackend
from services.integrations.redis_client import (
    Address,
    ClusterDownError,
    MovedError,
    NoBackoff,
    PubSub,
    Redis,
    ResponseError,
    Retry,
    client_of,
    key_slot,
    node_addresses,
    node_url,
)
from telemetry import metric
from telemetry.outage import REDIS

log = structlog.get_logger(__name__)

_REFRESH = 10.0  # seconds between looks at the layout of a cluster that works
_HURRY = 0.5  # seconds, while a server is unreachable
_MAX_REDIRECTS = 3  # of one message
_SCOPE = "cluster"  # of an outage: its layout is unknown
_SHARDED = 7  # the first version of Redis with sharded channels; Valkey names its own and this


@dataclass(frozen=True)
class Layout:
    """Which server owns which slots. `ranges`: first slot, last slot and primary, in the order of slots."""

    ranges: tuple[tuple[int, int, Address], ...]
    servers: frozenset[Address]  # with replicas
    is_sharded: bool
    any_server: Address  # of all channels, where they are not sharded

    @cached_property
    def _starts(self) -> list[int]:
        return [first for first, _, _ in self.ranges]

    @property
    def used(self) -> set[Address]:
        """The servers that the bus connects to."""
        return {address for _, _, address in self.ranges} if self.is_sharded else {self.any_server}

    def owner(self, channel: str) -> Address | None:
        """Return the server of the channel; None if no server owns its slot."""
        if not self.is_sharded:
            return self.any_server
        slot = key_slot(channel.encode())
        index = bisect_right(self._starts, slot) - 1
        if index < 0 or self.ranges[index][1] < slot:
            return None
        return self.ranges[index][2]


async def read_layout(url: str, addresses: list[Address]) -> Layout:
    """Return the layout that the first of the servers knows which sees a working cluster.

    A server that is cut off from the others, or whose cluster misses slots, is not believed.

    Raises:
        ConnectionError: none does.
    """
    problem = "no address is known"
    for address in addresses:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await _layout_of(url, address)
        except Exception as error:  # noqa: BLE001 - whatever redis-py raises, the next server is asked
            problem = f"{address[0]}:{address[1]}: {error!r}"
    raise ConnectionError(f"no server of the cluster knows its layout; {problem}")


def _client(url: str, address: Address) -> Redis:
    return client_of(node_url(url, address), protocol=2, retry=Retry(NoBackoff(), 0))


async def _layout_of(url: str, address: Address) -> Layout:
    async with _client(url, address) as client:
        state: bytes = await client.execute_command("CLUSTER", "INFO")  # type: ignore[no-untyped-call]  # of redis-py
        if b"cluster_state:ok" not in state:
            raise ConnectionError("its cluster does not work")
        found: list[list[Any]] = await client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]  # ditto
    ranges, servers = [], set()
    for first, last, *nodes in found:
        # A server that does not know its own address names none.
        places = [((host or b"").decode().strip("?") or address[0], port) for host, port, *_ in nodes]
        ranges.append((first, last, places[0]))
        servers.update(places)
    primaries = {place for _, _, place in ranges}
    versions = await asyncio.gather(*(_version(url, place) for place in sorted(primaries)))
    return Layout(tuple(sorted(ranges)), frozenset(servers), min(versions, default=0) >= _SHARDED, address)


async def _version(url: str, address: Address) -> int:
    async with _client(url, address) as client:
        found = await client.info("server")
    return int(str(found["redis_version"]).partition(".")[0])


class _Node(RedisBackend):
    """The connections to one server of the cluster."""

    redirections = (MovedError, ClusterDownError)

    def __init__(self, cluster: "ClusterBackend", address: Address, keepalive: float, *, is_sharded: bool) -> None:
        super().__init__(node_url(cluster.url, address), keepalive)
        self.deliver = lambda channel, data: cluster.deliver(channel, data)
        self.publish_command = "SPUBLISH" if is_sharded else "PUBLISH"
        self.keeps_messages = is_sharded
        self.outage_scope = f"{address[0]}:{address[1]}"
        self._is_sharded = is_sharded
        self._cluster = cluster

    async def _send(self, pubsub: PubSub, name: str, channels: list[str]) -> None:
        if not self._is_sharded or not channels:
            await super()._send(pubsub, name, channels)
            return
        # One command may only name channels of one slot.
        assert pubsub.connection is not None  # noqa: S101 - connected by the caller
        packed = pubsub.connection.pack_commands([(f"S{name}", channel) for channel in channels])
        await pubsub.connection.send_packed_command(packed)

    def _finish(self, batch: list[Outgoing], results: list[Any]) -> None:
        failed: Exception | None = None
        for outgoing, result in zip(batch, results, strict=True):
            if isinstance(result, self.redirections):
                self._cluster.redirect(outgoing, result)
            elif isinstance(result, Exception):
                outgoing.fail(result)
                failed = result
            else:
                outgoing.succeed()
        if failed is not None:
            raise failed

    def _refuse(self, channel: Channel, error: ResponseError) -> None:
        if not isinstance(error, self.redirections):
            raise error
        self._cluster.place_again(channel)

    def _lose(self, name: str) -> None:
        channel = self._channels.get(name)
        if channel is not None:
            self._cluster.place_again(channel)

    def _set_connected(self, connected: bool) -> None:
        super()._set_connected(connected)
        self._cluster.notice()


class ClusterBackend(SharedBackend):
    """Connections to every primary of a Redis Cluster, or to one of its servers if channels are not sharded.

    The layout is read when a server is lost or answers that a slot has moved, and every _REFRESH seconds. Channels
    then move to their new servers, and receive MISSED there. A server that fails concerns only its own channels.
    """

    def __init__(self, url: str, keepalive: float = KEEPALIVE) -> None:
        super().__init__()
        self.url = url
        self._keepalive = keepalive
        self._layout: Layout | None = None
        self._nodes: dict[Address, _Node] = {}
        self._channels: dict[str, Channel] = {}
        self._places: dict[str, Address] = {}  # where each channel was subscribed to
        self._redirected: list[Outgoing] = []  # messages that wait for the next layout
        self._stale = asyncio.Event()
        self._connected = asyncio.Event()
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()  # the one that follows the layout, and those that close nodes

    @property
    def is_connected(self) -> bool:
        return self._connected.is_set()

    @property
    def is_sharded(self) -> bool:
        """Whether channels are sharded."""
        return self._layout is not None and self._layout.is_sharded

    async def connect(self) -> None:
        """Start, and wait up to TIMEOUT for all servers; start without them if they do not respond."""
        self._keep(asyncio.create_task(self._follow(), name="bus-cluster"))
        with suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                await self._connected.wait()

    async def disconnect(self) -> None:
        """Stop; messages not yet sent are sent within TIMEOUT where the servers respond, else dropped."""
        self._closing = True
        for task in self._tasks:
            if task.get_name() == "bus-cluster":
                task.cancel()
        await asyncio.gather(*(node.disconnect() for node in self._nodes.values()))
        while self._tasks:
            await asyncio.wait(self._tasks)
        REDIS.forget(_SCOPE)

    async def subscribe(self, group: str) -> None:
        """Return once the channel's server has acknowledged the subscription; concurrent calls share it.

        Raises:
            ConnectionError: it has not acknowledged it in time. The subscription is kept, and MISSED is delivered once
                it is acknowledged.
        """
        channel = self._channels.get(group)
        if channel is None:
            channel = self._channels[group] = Channel(group)
            self._place(channel)
        node = self._node_of(group)
        await channel.wait(is_connected=node is not None and node.is_connected)

    async def unsubscribe(self, group: str) -> None:
        """Unsubscribe from the channel. Never suspends, so it is safe in a task that is being canceled."""
        del self._channels[group]
        self._remove(group)

    def put(self, outgoing: Outgoing) -> None:
        """Hand one message over, as SharedBackend says."""
        node = self._node_of(outgoing.channel)
        if node is None:
            raise ConnectionError("no server of the cluster owns the channel")
        node.put(outgoing)

    async def kept(self, channel: str) -> list[bytes | str]:
        node = self._node_of(channel)
        return await node.kept(channel) if node is not None and node.keeps_messages else []

    def redirect(self, outgoing: Outgoing, error: Exception) -> None:
        """Publish the message again once the layout has been read, since its server does not own the channel."""
        if outgoing.redirects >= _MAX_REDIRECTS or len(self._redirected) >= OUTBOX:
            self._drop([outgoing], error)
            return
        outgoing.redirects += 1
        self._redirected.append(outgoing)
        self._stale.set()

    def place_again(self, channel: Channel) -> None:
        """Subscribe again once the layout has been read, since the channel's server does not own it any more."""
        channel.lose()
        self._remove(channel.name)
        self._stale.set()

    def notice(self) -> None:
        """Handle that a server was reached or lost."""
        connected = bool(self._nodes) and all(node.is_connected for node in self._nodes.values())
        metric.bus_connected.set(connected)
        if connected:
            self._connected.set()
        else:
            self._connected.clear()
            self._stale.set()

    def _node_of(self, channel: str) -> _Node | None:
        address = self._layout.owner(channel) if self._layout is not None else None
        return self._nodes.get(address) if address is not None else None

    def _place(self, channel: Channel) -> None:
        address = self._layout.owner(channel.name) if self._layout is not None else None
        if address in self._nodes:
            self._places[channel.name] = address
            self._nodes[address].add(channel)

    def _remove(self, name: str) -> None:
        place = self._places.pop(name, None)
        if place in self._nodes:
            self._nodes[place].remove(name)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self) -> None:
        pause = MIN_PAUSE
        while not self._closing:
            self._stale.clear()
            try:
                self._apply(await self._read())
                REDIS.worked(_SCOPE)
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the layout is read again
                REDIS.failed(error, _SCOPE)
                log.warning("bus.cluster_unavailable", error=error, pause=pause)
                self._drop(self._redirected, error)
                self._redirected = []
                await asyncio.sleep(pause)
                pause = min(2 * pause, _HURRY)
                continue
            pause = MIN_PAUSE
            with suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH if self.is_connected else _HURRY):
                    await self._stale.wait()
            await asyncio.sleep(MIN_PAUSE)  # a move of many slots is followed in steps

    async def _read(self) -> Layout:
        connected = [address for address, node in self._nodes.items() if node.is_connected]
        random.shuffle(connected)
        known = sorted(self._layout.servers) if self._layout is not None else []
        layout = await read_layout(self.url, list(dict.fromkeys([*connected, *known, *node_addresses(self.url)])))
        present = self._layout.any_server if self._layout is not None else None
        if present in connected and present in layout.servers:  # no need to go to another one
            return Layout(layout.ranges, layout.servers, layout.is_sharded, present)
        return layout

    def _apply(self, layout: Layout) -> None:
        before, self._layout = self._layout, layout
        if before is not None and before.is_sharded != layout.is_sharded:
            self._close(set(self._nodes))
        for address in layout.used - set(self._nodes):
            self._nodes[address] = _Node(self, address, self._keepalive, is_sharded=layout.is_sharded)
            self._nodes[address].start()
        for channel in self._channels.values():
            if self._places.get(channel.name) != layout.owner(channel.name) or channel.name not in self._places:
                channel.lose()
                self._remove(channel.name)
                self._place(channel)
        self._close(set(self._nodes) - layout.used)
        self.notice()
        redirected, self._redirected = self._redirected, []
        for outgoing in redirected:
            try:
                self.put(outgoing)
            except OSError as error:
                self._drop([outgoing], error)

    def _close(self, addresses: set[Address]) -> None:
        for address in addresses:
            node = self._nodes.pop(address)
            self._keep(asyncio.create_task(node.disconnect(), name="bus-close"))
        for channel in self._channels.values():
            if self._places.get(channel.name) in addresses:
                del self._places[channel.name]
                channel.lose()

    @staticmethod
    def _drop(messages: list[Outgoing], error: Exception) -> None:
        if posted := sum(outgoing.sent is None for outgoing in messages):
            log.warning("bus.publish_failed", messages=posted, error=error)
        for outgoing in messages:
            outgoing.fail(error)
