"""What ends the wait for an order before its pictures do: time, its client, its session, or the server's stop."""

import asyncio
import contextlib
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from starlette.types import Receive

from schema.runtime.context import Context
from services.integrations.lazy_event import LazyEvent


class Interruption(Enum):
    """Why an order is not waited for any longer; it is made all the same."""

    TIMEOUT = auto()
    STOP = auto()  # of the server
    SIGN_OUT = auto()  # the caller's token no longer works
    DEPARTURE = auto()  # of the client


@contextlib.contextmanager
def watched_session(context: Context) -> Iterator[asyncio.Event]:
    """Check the caller for the length of the block; the event is set once its token no longer works."""
    ended = asyncio.Event()
    connections = context.services.accounts.connections

    def check() -> None:
        if connection.signed_out:
            ended.set()

    connection = connections.register(context.credential, context.require_viewer(), check, is_program=True)
    try:
        yield ended
    finally:
        connections.unregister(connection)


async def interruption(
    signed_out: asyncio.Event, stopping: LazyEvent, seconds: float, receive: Receive | None = None
) -> Interruption:
    """Return what ends the wait, once it does.

    `receive`: of a request whose body was read; None: its response notices by itself that the client has left.
    """
    waits: dict[asyncio.Task[Any], Interruption] = {
        asyncio.create_task(signed_out.wait()): Interruption.SIGN_OUT,
        asyncio.create_task(stopping.wait()): Interruption.STOP,
    }
    if receive is not None:
        waits[asyncio.create_task(_departure(receive))] = Interruption.DEPARTURE
    try:
        done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return waits[done.pop()] if done else Interruption.TIMEOUT
    finally:
        for task in waits:
            task.cancel()


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
