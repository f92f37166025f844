"""Subscriptions over plain HTTP: event streams, and the parts of a multipart response as Apollo Client reads them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError
from strawberry.http.streaming import HTTPStreamTransport, JSONEncoder, MultipartSubscriptionTransport, SSETransport
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, MULTIPART_SUBSCRIPTION_PROTOCOL
from strawberry.types.graphql import OperationType

from models.enum import ErrorCode
from services.integrations.lazy_event import LazyEvent

PROTOCOLS = frozenset({"sse", "multipart-subscription"})  # Strawberry's names of requests that are streamed
MULTIPART = "multipart/mixed"
# What marks a request for a stream in Accept; without the second, multipart/mixed asks for @defer.
_EVENTS, _PARTS = "text/event-stream", "subscriptionspec"
_DELIMITER = "--graphql"


def accepts_stream(accept: str) -> bool:
    """Whether a client accepts a stream; most that do accept JSON as well."""
    text = accept.lower()
    return _EVENTS in text or _PARTS in text


class LineFeedSSE(SSETransport):
    """Server-sent events with LF line endings, the only ones at which urql splits frames."""

    def encode_event(self, event: str, data: str | None = None) -> str:
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        return super().encode_comment(comment).replace("\r\n", "\n")


class MultipartSubscriptions(MultipartSubscriptionTransport):
    """Apollo's multipart protocol, 1.0: each part ends with its delimiter, so that clients read it at once.

    Strawberry's own begins without a delimiter, ends with an empty part, and names two media types.
    """

    headers: Mapping[str, str] = {
        "Content-Type": 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
        "Cache-Control": "no-cache, no-transform",
        "X-Accel-Buffering": "no",  # nginx must not collect parts
    }

    def __init__(self, heartbeat_interval: float) -> None:
        super().__init__()
        self.heartbeat_interval = heartbeat_interval

    def accepts(self, accept: str) -> bool:
        return any(
            MULTIPART in media and "subscriptionspec=" in media for media in accept.lower().replace(" ", "").split(",")
        )

    def allowed_operation_types(self, allowed_operation_types: set[OperationType]) -> tuple[OperationType, ...]:
        return (OperationType.SUBSCRIPTION,)

    def encode_multipart_data(self, data: object, encode_json: JSONEncoder) -> str:
        return f"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{encode_json(data)}\r\n{_DELIMITER}"

    def encode_complete(self) -> str:
        return "--\r\n"


def transports(heartbeat_seconds: float) -> dict[str, type[HTTPStreamTransport]]:
    """Return the transports by Strawberry's protocols, which it instantiates without arguments."""

    class HeartbeatSSE(LineFeedSSE):
        """The transport with its heartbeat interval bound."""

        def __init__(self) -> None:
            super().__init__(heartbeat_seconds)

    class HeartbeatMultipart(MultipartSubscriptions):
        """The same."""

        def __init__(self) -> None:
            super().__init__(heartbeat_seconds)

    return {MULTIPART_SUBSCRIPTION_PROTOCOL: HeartbeatMultipart, GRAPHQL_SSE_PROTOCOL: HeartbeatSSE}


def opened(stream: Callable[[], AsyncIterator[str]], headers: Mapping[str, str]) -> Callable[[], AsyncIterator[str]]:
    """Return a stream with the delimiter before its first part, if it has parts."""
    if not headers["Content-Type"].startswith(MULTIPART):
        return stream

    async def with_delimiter() -> AsyncIterator[str]:
        yield _DELIMITER
        async for part in stream():
            yield part

    return with_delimiter


def stop_parts(headers: Mapping[str, str], text: str, encode: JSONEncoder) -> tuple[str, str]:
    """Return the end of a stream when the server stops: an error, because what it reports has not ended, and the end.

    `text`: the error's message.
    """
    transport = MultipartSubscriptions(0) if headers["Content-Type"].startswith(MULTIPART) else LineFeedSSE()
    error = GraphQLError(text, extensions={"code": ErrorCode.UNAVAILABLE.value})
    return transport.encode_next({"data": None, "errors": [error.formatted]}, encode), transport.encode_complete()


@dataclass(frozen=True)
class Heartbeat:
    """What is sent whenever nothing else was for some time, so that proxies keep a stream open."""

    text: str
    seconds: float


def interrupted(
    stream: Callable[[], AsyncIterator[str]],
    end: Callable[[], Coroutine[Any, Any, Sequence[str]]],
    heartbeat: Heartbeat | None = None,
) -> Callable[[], AsyncGenerator[str, None]]:
    """Return a stream that ends in order once `end` returns: with what that has returned."""

    async def interruptible() -> AsyncGenerator[str, None]:
        source = stream()
        ending = asyncio.create_task(end())
        following: asyncio.Task[str | None] | None = None
        try:
            while True:
                following = following or asyncio.create_task(_next(source))
                patience = heartbeat.seconds if heartbeat else None
                await asyncio.wait([following, ending], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    if (item := following.result()) is None:
                        return
                    following = None
                    yield item
                elif ending.done():
                    break
                elif heartbeat is not None:
                    yield heartbeat.text
            for item in ending.result():
                yield item
        finally:
            ending.cancel()
            if following is not None and not following.done():
                following.cancel()
                await asyncio.wait([following])
            if isinstance(source, AsyncGenerator):
                await source.aclose()

    return interruptible


def until_stop(
    stream: Callable[[], AsyncIterator[str]], stopping: LazyEvent, end: Sequence[str]
) -> Callable[[], AsyncGenerator[str, None]]:
    """Return a stream that ends in order, with `end`, once the server stops."""

    async def stopped() -> Sequence[str]:
        await stopping.wait()
        return end

    return interrupted(stream, stopped)


async def _next(source: AsyncIterator[str]) -> str | None:
    return await anext(source, None)
