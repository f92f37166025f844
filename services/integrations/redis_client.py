"""redis-py's asyncio client, imported without OpenTelemetry's metrics; only imported where REDIS_URL is set.

redis-py takes them, and the SDK (2.6 MiB), wherever they are installed, for metrics that no program here asks for.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from telemetry.hidden_packages import hidden

with hidden("opentelemetry.sdk", "opentelemetry.metrics"):
    from redis._parsers.hiredis import NOT_ENOUGH_DATA
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.client import PubSub
    from redis.asyncio.cluster import ClusterNode, RedisCluster
    from redis.asyncio.connection import DefaultParser, SSLConnection, parse_url
    from redis.asyncio.retry import Retry
    from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
    from redis.backoff import NoBackoff
    from redis.crc import key_slot
    from redis.exceptions import ClusterDownError, MovedError, RedisError, ResponseError
    from redis.exceptions import ConnectionError as RedisConnectionError

__all__ = [
    "Address",
    "Batch",
    "BatchParser",
    "ClusterDownError",
    "ConnectionPool",
    "MovedError",
    "NoBackoff",
    "PubSub",
    "Redis",
    "RedisCluster",
    "RedisError",
    "ResponseError",
    "Retry",
    "client_of",
    "cluster_options",
    "find_url_problem",
    "is_cluster",
    "key_slot",
    "node_addresses",
    "node_url",
    "ping",
    "pool_of",
]

_SENTINEL = ("redis+sentinel://", "rediss+sentinel://")  # the second: TLS to the masters
_MESSAGES = (b"message", b"smessage")  # the first element of a message of a channel
_CLUSTER = ("redis+cluster://", "rediss+cluster://")  # the second: TLS

Address = tuple[str, int]


class Batch(list[Sequence[Any]]):
    """Messages of channels that arrived together."""


class BatchParser(DefaultParser):  # type: ignore[misc, valid-type]  # a variable: there are two parsers
    """The parser of a connection with subscriptions: it returns the messages of channels that have arrived together.

    Returned one by one, each takes three coroutines. Other replies are returned alone, also where they end a Batch.
    """

    def __init__(self, socket_read_size: int) -> None:
        super().__init__(socket_read_size=socket_read_size)
        self._following: Any = NOT_ENOUGH_DATA  # the reply after a batch

    def on_connect(self, connection: Any) -> None:
        """Begin with the replies of a new connection."""
        self._following = NOT_ENOUGH_DATA
        super().on_connect(connection)

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next reply, or a Batch of messages."""
        reply, self._following = self._following, NOT_ENOUGH_DATA
        if reply is NOT_ENOUGH_DATA:
            reply = await super().read_response(*args, **kwargs)
        if isinstance(reply, RedisConnectionError):
            raise reply
        batch, read = Batch(), self._reader.gets
        while type(reply) is list and reply and reply[0] in _MESSAGES:
            batch.append(reply)
            reply = read()
        if not batch:
            return reply
        self._following = reply
        return batch


class _SentinelPool(SentinelConnectionPool):
    """Connections to the master that the sentinels name, asked again for each new connection."""

    async def aclose(self) -> None:
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


def pool_of(url: str, **options: Any) -> ConnectionPool:
    """Return a pool of connections to the one Redis, or to the master, of REDIS_URL; not for a cluster.

    `url`: redis://, rediss://, unix://, or redis+sentinel://user:password@host:port,host:port/service/database, with
    user, password and database of the master. `options`: arguments of each connection, which override the URL's query.
    """
    if not url.startswith(_SENTINEL):
        pool = ConnectionPool.from_url(url, **options)
        pool.connection_kwargs.update(options)
        return pool
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    addresses = _addresses(hosts)
    waits = {name: value for name, value in options.items() if name.startswith("socket_") or name == "retry"}
    if (patience := options.get("socket_connect_timeout")) is not None:
        # They are asked one after another, and the master is connected to after them: all within the time of one
        # connection, because who waits for that gives up then, and would ask the same sentinel first again.
        share = patience / (len(addresses) + 1)
        waits |= {"socket_timeout": share, "socket_connect_timeout": share}
    master = {"username": unquote(user) or None, "password": unquote(password) or None, "db": int(database or 0)}
    if parts.scheme.startswith("rediss"):
        master["ssl"] = True
    sentinels = Sentinel(addresses, sentinel_kwargs=waits)  # type: ignore[no-untyped-call]  # of redis-py
    return _SentinelPool(unquote(service), sentinels, **master, **options)  # type: ignore[no-untyped-call]  # of redis-py


def client_of(url: str, **options: Any) -> Redis:
    """Return a client with a pool of its own; see `pool_of`."""
    return Redis.from_pool(pool_of(url, **options))


def is_cluster(url: str) -> bool:
    """Return whether `url` names nodes of a Redis Cluster."""
    return url.startswith(_CLUSTER)


def node_addresses(url: str) -> list[Address]:
    """Return the addresses of nodes in a redis+cluster:// URL."""
    return _addresses(urlsplit(url).netloc.rpartition("@")[2])


def node_url(url: str, address: Address) -> str:
    """Return the URL of one node of the cluster `url`: the same user, password and options."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return parts._replace(
        scheme=parts.scheme.removesuffix("+cluster"), netloc=f"{credentials}{at}{host}:{address[1]}", path="/0"
    ).geturl()


def cluster_options(url: str) -> dict[str, Any]:
    """Return the arguments of RedisCluster for `url`.

    `url`: redis+cluster:// or rediss+cluster://user:password@host:port,host:port; any of the servers will do, since
    they name the others.
    """
    addresses = node_addresses(url)
    options: dict[str, Any] = dict(parse_url(node_url(url, addresses[0])))
    for name in ("host", "port", "db"):
        options.pop(name, None)
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    return {**options, "startup_nodes": [ClusterNode(host, port) for host, port in addresses]}


def find_url_problem(url: str) -> str:
    """Return why no client can be made for `url`, in one line without its password; empty: one can. Nothing is sent."""
    try:
        if is_cluster(url):
            RedisCluster(**cluster_options(url))
        else:
            pool_of(url).make_connection()  # type: ignore[no-untyped-call]  # of redis-py
    except TypeError as error:  # which Python ends with the name of an argument that does not exist
        return f"it has an unknown option: {str(error).rpartition(' ')[2]}"
    except (ValueError, RedisError) as error:
        return " ".join(str(error).split())
    return ""


async def ping(url: str) -> None:
    """Return once the Redis at `url` responds; of a cluster, every primary.

    Raises:
        RedisError, OSError: it does not respond, or refuses.
    """
    waits = {"socket_connect_timeout": 2, "socket_timeout": 2, "retry": Retry(NoBackoff(), 0)}
    if not is_cluster(url):
        async with client_of(url, **waits) as client:
            await client.ping()
        return
    async with RedisCluster(**cluster_options(url) | waits) as cluster:
        await cluster.ping(target_nodes=RedisCluster.PRIMARIES)


def _addresses(hosts: str) -> list[Address]:
    return [(host.strip("[]"), int(port)) for host, _, port in (one.rpartition(":") for one in hosts.split(","))]
