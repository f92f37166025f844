"""The feed of one account: its changes in the order of its versions, from messages that come in any order or never."""

from typing import Any

from services.events.account_change import GenerationChange
from services.events.payload import decode_generations

Step = tuple[int, tuple[GenerationChange, ...] | None]  # the account's version, and what it changed; None: read again


class VersionBuffer:
    """What a subscriber has been told, up to `version`, and what came before its turn.

    Processes commit in one order and tell in another: what comes a moment early waits for what it follows.
    """

    def __init__(self, version: int) -> None:
        self.version = version
        self._early: dict[int, tuple[GenerationChange, ...] | None] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether something came early; what it follows may have been lost."""
        return bool(self._early)

    def take(self, news: dict[str, Any]) -> list[Step] | None:
        """What may be told now that this message has come, in order; None where the message cannot be understood."""
        version = news.get("version")
        if not isinstance(version, int):
            return None
        if version > self.version:
            self._early[version] = decode_generations(news)
        return self._due()

    def jump(self, version: int) -> list[Step]:
        """Give up what was missed: everything up to `version`, as the row says it now, is to be read again."""
        self.version = max(version, self.version)
        self._early.clear()  # told after their commits, so the row that was read has them all
        return [(self.version, None)]

    def _due(self) -> list[Step]:
        found: list[Step] = []
        while self.version + 1 in self._early:
            self.version += 1
            found.append((self.version, self._early.pop(self.version)))
        return found
