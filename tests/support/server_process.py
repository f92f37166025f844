"""A server process that a test run starts from a wheel's program, and that ends with the test run.

Start it from the main thread: Linux kills a server together with the thread that started it.
"""

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"
PATIENCE = 15.0  # seconds for a server to start or to exit; it needs about one, on a busy machine more
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def free_port() -> int:
    """Return a TCP port of the loopback interface that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """A server in a temporary folder; unprivileged if the tests run as root, which PostgreSQL refuses."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"darkroom-test-{name}-"))
        self.log = self.folder / "log"
        self._user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Return whether it was started and has not exited."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        """Return the process id; RuntimeError if it was not started."""
        if self._popen is None:
            raise RuntimeError("The server was not started.")
        return self._popen.pid

    def program_folder(self, package: str, folder: str) -> Path:
        """Return the folder of the programs in the wheel of `package`; RuntimeError if it is missing."""
        spec = importlib.util.find_spec(package)
        home = Path(spec.origin).parent if spec and spec.origin else Path("missing")
        if not (home / folder).is_dir():
            raise RuntimeError(f"The tests need the wheel of {package}: install the project's dev dependencies.")
        if self._user and not all(parent.stat().st_mode & 0o001 for parent in (home / folder / "program").parents):
            # An environment under /root, which the server's user cannot read: copy programs and libraries.
            for part in (home, home.with_name(f"{package}.libs")):
                if part.exists():
                    shutil.copytree(part, self.folder / part.name, dirs_exist_ok=True)
            home = self.folder / package
        return home / folder

    def spawn(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """Start `command` as the server's user; its output goes to the log."""
        parent = os.getpid()
        libc = ctypes.CDLL(None)  # loaded here, because little is safe between fork and exec

        def exit_with_tests() -> None:
            if sys.platform == "linux":
                # SIGQUIT is an immediate shutdown for PostgreSQL, which frees its shared memory; Redis exits, too.
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
                if os.getppid() != parent:
                    os._exit(1)  # the tests exited before the line above

        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the wheels' programs, with arguments made here
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": os.defpath, "TZ": "UTC"},
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
                start_new_session=True,  # Ctrl-C goes to pytest only, which then stops the server
                preexec_fn=exit_with_tests,
            )

    def serve(self, *command: str | Path, ready: Callable[[int], bool]) -> bool:
        """Start the server and wait for `ready(pid)`; False if it exits instead, RuntimeError after a timeout."""
        self._popen = self.spawn(*command)
        deadline = time.monotonic() + PATIENCE
        while self._popen.poll() is None:
            if ready(self._popen.pid):
                return True
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"A test server is not ready after {PATIENCE} s:\n{self.log_tail()}")
            time.sleep(0.005)
        return False

    def log_tail(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the server was started."""
        if self._popen:
            self._popen.send_signal(number)

    def kill(self) -> None:
        """Send SIGKILL and wait for the exit."""
        if self._popen:
            self._popen.kill()
            self._popen.wait()

    def terminate(self, number: signal.Signals) -> None:
        """Stop the server by signal `number`, after a timeout by SIGKILL, and remove its folder."""
        self.send(signal.SIGCONT)  # a paused server handles no other signal
        self.send(number)
        if self._popen:
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(PATIENCE)
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
