"""What this process is: a server, a worker or a command. Logs, metrics, crash reports and PostgreSQL name it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["server", "worker", "command"]


@dataclass
class _Process:
    kind: Kind = "command"


# Process-wide, like the registry of metrics.
_process = _Process()


def name_process(kind: Kind) -> None:
    """Say what this process is, before it opens anything."""
    _process.kind = kind


def process_kind() -> Kind:
    """Return what this process is."""
    return _process.kind
