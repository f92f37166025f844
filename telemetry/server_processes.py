"""The `process_...` metrics of several server processes: sums over those that run."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_START = "process_start_time_seconds"
_CPU = "process_cpu_seconds"


class ServerProcessesCollector(Collector):
    """Adds up the memory, descriptors and CPU time of all processes that keep metrics in `folder`.

    The CPU time of those that have ended is added as well, so that it never decreases. The start is that of the first.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._supervisor = os.getppid()

    def collect(self) -> Iterable[Metric]:
        found: dict[str, Metric] = {}
        values: dict[str, list[float]] = {}
        for pid in self._pids():
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]  # a bound default
                found[metric.name] = metric
                values.setdefault(metric.name, []).append(metric.samples[0].value)
        for name, each in values.items():
            total = min(each) if name == _START else sum(each)
            if name == _CPU:
                yield CounterMetricFamily(name, found[name].documentation, value=total + self._ended_seconds())
            else:
                yield GaugeMetricFamily(name, found[name].documentation, value=total)

    def _pids(self) -> Iterator[int]:
        found = {int(re.findall(r"\d+", file.name)[-1]) for file in self._folder.glob("gauge_live*.db")}
        for pid in sorted(found):
            if _status(pid)[1:2] == [str(self._supervisor)]:
                yield pid

    def _ended_seconds(self) -> float:
        """Return the CPU time of the supervisor's children that it has waited for."""
        ticks = _status(self._supervisor)[13:15]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _status(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, the state first; empty if there is no such process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return []
