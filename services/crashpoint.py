"""Named places where a test may kill the process, to prove that nothing is lost there."""

import os
from dataclasses import dataclass


@dataclass
class _Plan:
    name: str | None = None
    skip: int = 0  # how often the place is passed unharmed


_plan = _Plan()


def arm(name: str, skip: int = 0) -> None:
    """Kill this process as kill -9 would when it reaches `name` for the `skip` + first time."""
    _plan.name, _plan.skip = name, skip


def crashpoint(name: str) -> None:
    """A place that `arm` can name; does nothing otherwise."""
    if _plan.name == name:
        if _plan.skip == 0:
            os._exit(137)
        _plan.skip -= 1
