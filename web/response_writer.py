"""The transport of one response, which sends its head together with the beginning of its body."""

import asyncio


class ResponseWriter:
    """Stands between uvicorn and the transport: of two writes, one packet and one system call.

    uvicorn writes the head of a response when the application sends it, although the body usually follows in the same
    step of the event loop. A head whose body does not is written in the next step.
    """

    __slots__ = ("_has_begun", "_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._has_begun = False
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Write a part of the response; the first waits for the second."""
        if not self._has_begun:
            self._has_begun, self._head = True, data
            self._loop.call_soon(self._write_head)
            return
        head, self._head = self._head, None
        self._transport.write(data if head is None else head + data)

    def close(self) -> None:
        """Close the connection once everything is written."""
        self._write_head()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is closed or about to be."""
        return self._transport.is_closing()

    def _write_head(self) -> None:
        head, self._head = self._head, None
        if head is not None and not self._transport.is_closing():
            self._transport.write(head)
