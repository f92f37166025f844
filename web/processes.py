"""Several server processes on one port: uvicorn's supervisor, with metrics of all of them and a log of each restart."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from telemetry import metric

log = structlog.get_logger(__name__)

Build = Callable[[], uvicorn.Config]
_PARENT_CHECK_SECONDS = 1.0  # between checks whether the supervisor still exists


class _SharedConfig(uvicorn.Config):
    """A configuration that each process builds by itself, instead of receiving the supervisor's.

    `build` is called in the new process; it must be importable there. `folder`: of the metrics.
    """

    def __init__(self, build: Build, folder: str, **options: Any) -> None:
        super().__init__("built by each process", **options)
        self._build = build
        self._folder = folder

    def __reduce__(self) -> tuple[Callable[[], uvicorn.Config], tuple[()]]:
        return partial(_in_new_process, self._build, self._folder, os.getpid()), ()


def _in_new_process(build: Build, folder: str, parent: int) -> uvicorn.Config:
    threading.Thread(target=_stop_after, args=(parent,), name="supervisor-watch", daemon=True).start()
    metric.share_with_processes(folder)
    return build()


def _stop_after(parent: int) -> None:
    """Stop this process once its supervisor has died: a new one could not bind the port."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


class _Supervisor(Multiprocess):
    """Starts the processes, replaces those that died or hang, and stops all on SIGTERM.

    uvicorn's own check also kills a process that is still importing: on a busy machine, each one again and again.
    """

    def __init__(self, config: _SharedConfig, folder: str) -> None:
        super().__init__(config, [config.bind_socket()])
        self._folder = folder
        self._serving: set[int | None] = set()  # ids of processes that have started

    @property
    def has_failed(self) -> bool:
        """Whether a process could not start."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)

    def keep_subprocess_alive(self) -> None:
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set() or (process.process.is_alive() and not self._hangs(process)):
                continue
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE:  # and would fail again
                log.error("server.process_failed", process=process.pid)
                self.should_exit.set()
                return
            new = self.processes[index] = Process(self.config, self.sockets)
            new.start()
            log.error("server.process_died", died=process.pid, code=process.exitcode, replaced_by=new.pid)
            self._forget(process)

    def restart_all(self) -> None:
        before = list(self.processes)
        super().restart_all()
        for process in set(before) - set(self.processes):
            log.info("server.process_replaced", ended=process.pid)
            self._forget(process)

    def _hangs(self, process: Process) -> bool:
        if process.pid in self._serving:
            return not process.ping(self.config.timeout_worker_healthcheck)
        if process.is_ready(timeout=0):
            self._serving.add(process.pid)
        return False

    def _forget(self, process: Process) -> None:
        self._serving.discard(process.pid)
        metric.forget_process(process.pid or 0, self._folder)


def serve_with_processes(count: int, host: str, port: int, build: Build) -> int:
    """Serve on one port by `count` processes until SIGTERM or SIGINT; return the exit code.

    On a signal, every process stops as a single server does. One that dies is replaced.
    """
    with tempfile.TemporaryDirectory(prefix="darkroom-metrics-") as folder:
        # Inherited by the processes, whose metrics library reads it when it is imported. Not for this process.
        os.putenv("PROMETHEUS_MULTIPROC_DIR", folder)
        config = _SharedConfig(build, folder, host=host, port=port, workers=count, log_config=None)
        supervisor = _Supervisor(config, folder)
        supervisor.run()
        return STARTUP_FAILURE if supervisor.has_failed else 0
