"""The interface of moderators: which of a user's texts go against the rules."""

from collections.abc import Sequence
from typing import Protocol


class Moderator(Protocol):
    """Judges texts, in any language. The caller limits the time."""

    async def rejected(self, texts: Sequence[str]) -> frozenset[int]:
        """Return the positions of the texts that are rejected; one call, never retried.

        Raises:
            ProviderError: there is no judgement.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
