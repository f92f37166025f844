"""A server that a test run starts from a wheel's program, and that is gone when the run is gone.

Start it from the main thread: Linux ends a server together with the thread that started it.
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
PATIENCE = 15.0  # seconds for a server to answer or to end; they need about one, on a busy machine more
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def free_port() -> int:
    """A TCP port of the loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """A server that runs in a folder of its own, and as nobody when the tests run as root (PostgreSQL insists)."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"darkroom-test-{name}-"))
        self.log = self.folder / "log"
        self._user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def programs(self, package: str, folder: str) -> Path:
        """The folder of the programs that the wheel of `package` brought; RuntimeError if it is not installed."""
        spec = importlib.util.find_spec(package)
        home = Path(spec.origin).parent if spec and spec.origin else Path("missing")
        if not (home / folder).is_dir():
            raise RuntimeError(f"The tests need the wheel of {package}: install the project's dev dependencies.")
        if self._user and not all(parent.stat().st_mode & 0o001 for parent in (home / folder / "program").parents):
            # An environment under /root, which nobody may enter: the server gets a copy, with the libraries beside it.
            for part in (home, home.with_name(f"{package}.libs")):
                if part.exists():
                    shutil.copytree(part, self.folder / part.name, dirs_exist_ok=True)
            home = self.folder / package
        return home / folder

    def spawn(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """Start `command` as the server's user; what it prints goes to the log."""
        parent = os.getpid()
        libc = ctypes.CDLL(None)  # loaded here: little is safe between fork and exec

        def end_with_the_tests() -> None:
            if sys.platform == "linux":
                # For PostgreSQL this is an immediate shutdown that leaves no shared memory; Redis dies of it, too.
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
                if os.getppid() != parent:
                    os._exit(1)  # they were gone before the line above

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
                start_new_session=True,  # Ctrl-C is for pytest, which then stops us
                preexec_fn=end_with_the_tests,
            )

    def serve(self, *command: str | Path, ready: Callable[[int], bool]) -> bool:
        """Start the server and wait for `ready(pid)`; False if it ended instead, RuntimeError if neither comes."""
        self._popen = self.spawn(*command)
        deadline = time.monotonic() + PATIENCE
        while self._popen.poll() is None:
            if ready(self._popen.pid):
                return True
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"A test server is not ready after {PATIENCE} s:\n{self.story()}")
            time.sleep(0.005)
        return False

    def story(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens if the server has ended."""
        if self._popen:
            self._popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._popen:
            self._popen.kill()
            self._popen.wait()

    def end(self, number: signal.Signals) -> None:
        """Ask the server to end by signal `number`, then insist, then remove the folder."""
        self.send(signal.SIGCONT)  # a paused server hears nothing else
        self.send(number)
        if self._popen:
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(PATIENCE)
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
