"""The graphql-transport-ws handler: follows the specification where Strawberry's is stricter or laxer."""

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

# The close code after which clients do not reconnect.
SIGNED_OUT = 4401
_GRACE_SECONDS = 2.0  # for running operations when the session ends: signOut is answered, streams get their error
MAX_OPERATIONS = 20  # concurrent operations per socket
_TOO_MANY_OPERATIONS = message("At most {limit} operations can run at once on one connection.", limit=MAX_OPERATIONS)


class SocketHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One socket, which is closed when the session that opened it ends, even while it is idle."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._exit_stack = ExitStack()
        self._open_connection: OpenConnection | None = None
        self._closing: asyncio.Task[None] | None = None

    async def handle_message(self, message: Message) -> None:
        if not _is_message(message):
            await self.handle_invalid_message("Failed to parse message")
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        if message.get("payload") is None:  # the specification allows null
            message = {"type": "connection_init", "payload": {}}
        await super().handle_connection_init(message)
        token, viewer = self.context.token, self.context.viewer
        if self.connection_acknowledged and self._open_connection is None and token is not None and viewer is not None:
            connections = self.context.services.accounts.connections
            self._open_connection = self._exit_stack.enter_context(
                connections.register(token, viewer, self._check_session)
            )

    def _check_session(self) -> None:
        if self._open_connection is not None and self._open_connection.signed_out and self._closing is None:
            self._closing = asyncio.create_task(self._close())

    async def _close(self) -> None:
        if running := [operation.task for operation in self.operations.values() if operation.task]:
            await asyncio.wait(running, timeout=_GRACE_SECONDS)
        with suppress(RuntimeError):  # the client closed it first
            await self.websocket.close(code=SIGNED_OUT, reason="Unauthorized")

    async def shutdown(self) -> None:
        self._exit_stack.close()
        if self._closing is not None:
            self._closing.cancel()
        await super().shutdown()

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        is_new = self.connection_acknowledged and message["id"] not in self.operations
        if is_new and len(self.operations) >= MAX_OPERATIONS:
            text = self.context.translate(_TOO_MANY_OPERATIONS)
            error = GraphQLError(text, extensions={"code": ErrorCode.RATE_LIMITED.value})
            await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
            return
        await super().handle_subscribe(message)

    async def handle_ping(self, message: PingMessage) -> None:
        payload = message.get("payload")
        await self.send_message({"type": "pong", "payload": payload} if payload else {"type": "pong"})

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        return None  # an invalid document ends only its own operation, not the socket


def _is_message(message: Any) -> bool:
    """Return whether the message has the shape that the specification requires for its type."""
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
