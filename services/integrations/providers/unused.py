"""The provider of a process that processes no generations: the real one's name, without its SDK (22 MiB)."""

from collections.abc import AsyncIterator

from services.integrations.providers.protocol import ImageRequest, KeyStatus, ProviderEvent


class UnusedProvider:
    """An ImageProvider that is never called, because workers are other processes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        """Raises RuntimeError."""
        raise RuntimeError("This process was opened without a provider.")

    def generate(self, request: ImageRequest) -> AsyncIterator[ProviderEvent]:
        """Raises RuntimeError."""
        raise RuntimeError("This process was opened without a provider.")

    async def check_key(self) -> KeyStatus | None:
        """Return None: the processes that call the provider ask about its key."""
        return None

    async def aclose(self) -> None:
        """Do nothing."""
