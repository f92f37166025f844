"""Puts the changes of one account into version order, from messages that arrive in any order or never."""

from typing import Any

from services.events.account_change import GenerationChange
from services.events.payload import decode_generations

Step = tuple[int, tuple[GenerationChange, ...] | None]  # the account's version and its changes; None: read again


class VersionBuffer:
    """The version that a subscriber has received, and the messages that arrived out of order.

    Processes publish in another order than they commit: a message that arrives early waits for those before it.
    """

    def __init__(self, version: int) -> None:
        self.version = version
        self._early: dict[int, tuple[GenerationChange, ...] | None] = {}

    @property
    def has_gap(self) -> bool:
        """Whether a message arrived early; those before it may have been lost."""
        return bool(self._early)

    def add(self, payload: dict[str, Any]) -> list[Step] | None:
        """Add a message; return the steps that can be delivered now, in order. None: the message is not readable."""
        version = payload.get("version")
        if not isinstance(version, int):
            return None
        if version > self.version:
            self._early[version] = decode_generations(payload)
        return self._due()

    def resync(self, version: int) -> list[Step]:
        """Discard what was missed: return one step that requests a new read, up to the row's `version`."""
        self.version = max(version, self.version)
        self._early.clear()  # published after their commits, so the row that was read includes them all
        return [(self.version, None)]

    def _due(self) -> list[Step]:
        steps: list[Step] = []
        while self.version + 1 in self._early:
            self.version += 1
            steps.append((self.version, self._early.pop(self.version)))
        return steps
