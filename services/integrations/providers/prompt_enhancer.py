"""The interface of prompt enhancers: a short description of a picture becomes a richer one."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class EnhancedPrompt:
    """The richer description, and what it cost. Its text is untrusted."""

    text: str
    cost: float | None  # US dollars as the provider reported


class PromptEnhancer(Protocol):
    """Enhances descriptions of pictures, each in its own language."""

    name: str  # the provider's

    async def enhance(self, prompt: str) -> EnhancedPrompt:
        """Make one call; the implementation never retries it.

        Raises:
            ProviderError: the call ended without a text.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
