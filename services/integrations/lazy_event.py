"""An event of which there may be thousands, most of which are never awaited."""

import asyncio


class LazyEvent:
    """An asyncio.Event that takes a tenth of its memory unless it is awaited."""

    __slots__ = ("_awaited", "_is_set")

    def __init__(self, *, is_set: bool = False) -> None:
        self._is_set = is_set
        self._awaited: asyncio.Event | None = None

    def is_set(self) -> bool:
        """Whether `wait` returns at once."""
        return self._is_set

    def set(self) -> None:
        """Let all who wait go on, and all who come until `clear`."""
        self._is_set = True
        if self._awaited is not None:
            self._awaited.set()
            self._awaited = None

    def clear(self) -> None:
        """Let all who come wait."""
        self._is_set = False

    async def wait(self) -> None:
        """Return once the event is set."""
        if self._is_set:
            return
        if self._awaited is None:
            self._awaited = asyncio.Event()
        await self._awaited.wait()
