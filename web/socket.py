"""graphql-transport-ws as its specification has it, where Strawberry's handler is stricter or looser."""

import asyncio
from contextlib import ExitStack, suppress
from typing import Any

from graphql import GraphQLError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    PingMessage,
    SubscribeMessage,
)

from models.enum import ErrorCode
from schema.runtime.context import Context
from services.accounts.connection_registry import OpenConnection
from services.core.message import message

# What a client takes as final: with a sign-in that has ended it need not come again.
SIGNED_OUT = 4401
_LAST_WORDS = 2.0  # seconds for what is under way when the sign-in ends: signOut is answered, streams say why they end
MAX_OPERATIONS = 20  # at once on one socket
_TOO_MANY = message("At most {limit} operations can run at once on one connection.", limit=MAX_OPERATIONS)


class SocketHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One socket; it ends with the sign-in that opened it, even where nobody says anything on it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._until_closed = ExitStack()
        self._presence: OpenConnection | None = None
        self._ending: asyncio.Task[None] | None = None

    async def handle_message(self, message: Message) -> None:
        if not _is_message(message):
            await self.handle_invalid_message("Failed to parse message")
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        if message.get("payload") is None:  # allowed: the payload is optional
            message = {"type": "connection_init", "payload": {}}
        await super().handle_connection_init(message)
        token, viewer = self.context.token, self.context.viewer
        if self.connection_acknowledged and self._presence is None and token is not None and viewer is not None:
            presences = self.context.services.accounts.connections
            self._presence = self._until_closed.enter_context(presences.register(token, viewer, self._look_up))

    def _look_up(self) -> None:
        if self._presence is not None and self._presence.signed_out and self._ending is None:
            self._ending = asyncio.create_task(self._end())

    async def _end(self) -> None:
        if under_way := [operation.task for operation in self.operations.values() if operation.task]:
            await asyncio.wait(under_way, timeout=_LAST_WORDS)
        with suppress(RuntimeError):  # the client was faster
            await self.websocket.close(code=SIGNED_OUT, reason="Unauthorized")

    async def shutdown(self) -> None:
        self._until_closed.close()
        if self._ending is not None:
            self._ending.cancel()
        await super().shutdown()

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        is_new = self.connection_acknowledged and message["id"] not in self.operations
        if is_new and len(self.operations) >= MAX_OPERATIONS:
            text = self.context.translate(_TOO_MANY)
            error = GraphQLError(text, extensions={"code": ErrorCode.RATE_LIMITED.value})
            await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
            return
        await super().handle_subscribe(message)

    async def handle_ping(self, message: PingMessage) -> None:
        payload = message.get("payload")
        await self.send_message({"type": "pong", "payload": payload} if payload else {"type": "pong"})

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        return None  # a wrong document ends its own operation, not the socket and everything else on it


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    payload = message.get("payload")
    if message["type"] == "subscribe":
        return (
            isinstance(message.get("id"), str)
            and bool(message["id"])
            and isinstance(payload, dict)
            and isinstance(payload.get("query"), str)
            and isinstance(payload.get("variables"), dict | None)
            and isinstance(payload.get("operationName"), str | None)
        )
    if message["type"] == "complete":
        return isinstance(message.get("id"), str)
    return isinstance(payload, dict | None)
