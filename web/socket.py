"""The graphql-transport-ws handler: follows the specification where Strawberry's is stricter or laxer."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from json import JSONDecodeError
from typing import Any, ClassVar, cast

import structlog
from graphql import GraphQLError
from strawberry.http.async_base_view import AsyncBaseHTTPView, AsyncWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    PingMessage,
    SubscribeMessage,
)
from strawberry.types.execution import ExecutionResult, PreExecutionError
from websockets.frames import CloseCode

from models.database.connection import is_outage
from models.enum import ErrorCode
from schema.root import schema
from schema.runtime.context import Context
from schema.runtime.error_formatting import format_errors
from schema.runtime.event_executor import EventOperation
from schema.runtime.live_operation import LiveOperation, live_operation
from schema.runtime.response_json import encode_json
from services.accounts.connection_registry import OpenConnection
from services.core.error import InvalidCredentialError, Refusal, UnavailableError
from services.core.message import message
from services.core.text import shortened
from telemetry import metric
from web.connection_limit import ConnectionLimits, TooManyConnectionsError
from web.credential import sends_token, token_of_payload
from web.live_subscriber import LiveSubscriber
from web.persisted import EXTENSION, PersistedQueryError, named_document
from web.socket_frames import TOO_MANY
from web.socket_message import is_message
from web.socket_protocol import SERVER_SOCKET, SocketProtocol

log = structlog.get_logger(__name__)

# The close code after which clients do not reconnect.
SIGNED_OUT = 4401
FORBIDDEN = 4403  # the token of connection_init is invalid; clients ask for another one and try again
_GRACE_SECONDS = 2.0  # for running operations when the session ends: signOut is answered, streams get their error
_AGES = (0.75, 1.25)  # of the maximum age, so that sockets which were opened together do not close together
_OLD_SECONDS = 30.0  # for operations of a socket that has reached its age
MAX_OPERATIONS = 20  # concurrent operations per socket
TOO_MANY_CONNECTIONS = "Too many connections"  # the reason of a close with TOO_MANY
_MAX_REASON = 123  # bytes of the reason in a close frame (RFC 6455, 5.5)
_TOO_MANY_OPERATIONS = message("At most {limit} operations can run at once on one connection.", limit=MAX_OPERATIONS)


class SocketAdapter(AsyncWebSocketAdapter):
    """Strawberry's access to a socket: straight to the server's protocol, past the framework's wrappers."""

    def __init__(self, view: AsyncBaseHTTPView[Any, Any, Any, Any, Any, Any, Any], request: Any, response: Any) -> None:
        super().__init__(view)
        self.protocol = protocol_of(request.scope)
        self.is_closed = False  # by this server

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        raise NotImplementedError  # SocketHandler.serve receives messages
        yield

    async def send_json(self, message: Mapping[str, object]) -> None:
        data = encode_json(message)
        if not self.protocol.writer.write(data):
            await self.send_text(data.decode())

    async def send_text(self, text: str) -> None:
        """Send a message; waits while the client does not read.

        Raises:
            WebSocketDisconnected: the socket is closed.
        """
        try:
            await self.protocol.send({"type": "websocket.send", "text": text})
        except OSError as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        self.is_closed = True
        text = shortened(reason).encode()[:_MAX_REASON].decode(errors="ignore")
        with suppress(OSError):  # it is closed
            await self.protocol.send({"type": "websocket.close", "code": code, "reason": text})


def protocol_of(scope: Mapping[str, Any]) -> SocketProtocol:
    """Return the server's protocol of a WebSocket's scope; it is served by this project's own server only."""
    protocol: SocketProtocol = scope["extensions"][SERVER_SOCKET]["protocol"]
    return protocol


class SocketHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One socket, which is closed when the session that opened it ends, even while it is idle.

    It has no task of its own: the server calls `serve` when messages have arrived.
    """

    connections: ClassVar[ConnectionLimits]
    max_seconds: ClassVar[float] = 0.0  # 0: any time

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assert isinstance(self.websocket, SocketAdapter)  # noqa: S101 - see web/graphql.py
        self.socket: SocketAdapter = self.websocket
        self.writer = self.socket.protocol.writer
        self._open_connection: OpenConnection | None = None
        self._init_timer: asyncio.TimerHandle | None = None
        self._age_timer: asyncio.TimerHandle | None = None
        self._has_received = False
        self._closing: asyncio.Task[None] | None = None
        self._extensions: dict[str, dict[str, Any]] = {}  # of operations with a document to register, until they begin

    async def handle(self) -> None:
        """Let the server call `serve`; the request, its middleware and its task end meanwhile."""
        metric.sockets_open.inc()
        self.on_request_accepted()
        self.socket.protocol.serve_with(self.serve)

    def on_request_accepted(self) -> None:
        seconds = self.connection_init_wait_timeout.total_seconds()
        loop = asyncio.get_running_loop()
        self._init_timer = loop.call_later(seconds, self._end_init)
        if self.max_seconds:
            self._age_timer = loop.call_later(self.max_seconds * random.uniform(*_AGES), self._end_age)

    def _end_init(self) -> None:
        self.connection_timed_out = True
        self._closing = asyncio.create_task(self.websocket.close(4408, "Connection initialisation timeout"))

    def _end_age(self) -> None:
        """Close a socket that is old, so that its client connects again, perhaps to a server with fewer sockets."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close_old())

    async def _close_old(self) -> None:
        """Close the socket between two operations: its streams continue where they were, an order is answered first."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _OLD_SECONDS
        while running := [
            operation.task
            for operation in self.operations.values()
            if operation.task and not isinstance(operation, LiveSubscriber)
        ]:
            if loop.time() >= give_up:
                break
            await asyncio.wait(running, timeout=give_up - loop.time())
        await self.websocket.close(CloseCode.SERVICE_RESTART, "Maximum age")

    async def serve(self) -> None:
        """Handle what has arrived."""
        is_over = True
        try:
            with suppress(WebSocketDisconnected):
                is_over = not await self._handle_received()
        finally:
            if is_over:
                try:
                    await self.shutdown()
                finally:
                    self.socket.protocol.finish()

    async def _handle_received(self) -> bool:
        """Handle messages until there are none; return whether the socket is still open."""
        protocol, client = self.socket.protocol, self.context.client
        while protocol.has_received and not self.socket.is_closed:
            received = await protocol.receive()
            if received["type"] == "websocket.disconnect":
                return False
            text = received.get("text") if received["type"] == "websocket.receive" else None
            if text is None:
                await self.handle_invalid_message("WebSocket message type must be text")
                return False
            if self._has_received:
                await self.connections.wait(client, len(text))
            else:  # the time to send it in has begun
                self.connections.count(client, len(text))
            self._has_received = True
            try:
                message = self.view.decode_json(text)
            except JSONDecodeError:
                await self.handle_invalid_message("WebSocket message must be valid JSON")
                return False
            await self.handle_message(cast(Message, message))
        return not self.socket.is_closed

    async def handle_message(self, message: Message) -> None:
        if not is_message(message):
            await self.handle_invalid_message("Failed to parse message")
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        self._stop_init_timer()
        if message.get("payload") is None:  # the specification allows null
            message = {"type": "connection_init", "payload": {}}
        try:
            await super().handle_connection_init(message)
        except WebSocketDisconnected:
            raise
        except InvalidCredentialError as error:
            await self.websocket.close(FORBIDDEN, self.context.translate(error.message))
            return
        except Exception as error:
            if not (isinstance(error, Refusal) or is_outage(error)):
                raise
            log.warning("socket.unavailable", error=error)
            await self.websocket.close(CloseCode.TRY_AGAIN_LATER, "Unavailable")
            return
        self.context.connection_params = {}
        if self.connection_acknowledged and self._open_connection is None:
            await self._register()

    async def _register(self) -> None:
        """Count the socket of a signed-in client, and check its session from now on."""
        token, viewer = self.context.token, self.context.viewer
        if token is None or viewer is None:
            return
        services = self.context.services
        try:
            self.connections.open_account(viewer.id, services.products.profile.limits.connections_per_account)
        except TooManyConnectionsError:
            await self.websocket.close(TOO_MANY, TOO_MANY_CONNECTIONS)
            return
        self._open_connection = services.accounts.connections.register(
            self.context.credential, viewer, self._check_session
        )

    def _check_session(self) -> None:
        if self._open_connection is not None and self._open_connection.signed_out and self._closing is None:
            self._closing = asyncio.create_task(self._close())

    async def _close(self) -> None:
        if running := [operation.task for operation in self.operations.values() if operation.task]:
            await asyncio.wait(running, timeout=_GRACE_SECONDS)
        await self.websocket.close(code=SIGNED_OUT, reason="Unauthorized")

    async def shutdown(self) -> None:
        self._stop_init_timer()
        if self._age_timer is not None:
            self._age_timer.cancel()
        self.context.on_sign_out = None
        if self._closing is not None:
            self._closing.cancel()
        if self._open_connection is not None:
            self.context.services.accounts.connections.unregister(self._open_connection)
            self.connections.close_account(self._open_connection.user.id)
        self.connections.close_client(self.context.client)
        try:
            await super().shutdown()
        finally:
            metric.sockets_open.dec()

    def _stop_init_timer(self) -> None:
        if self._init_timer is not None:
            self._init_timer.cancel()
            self._init_timer = None

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        is_new = self.connection_acknowledged and message["id"] not in self.operations
        if is_new and len(self.operations) >= MAX_OPERATIONS:
            text = self.context.translate(_TOO_MANY_OPERATIONS)
            error = GraphQLError(text, extensions={"code": ErrorCode.RATE_LIMITED.value})
            await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
            return
        payload = message["payload"]
        documents = self.context.services.integrations.documents
        extensions = payload.get("extensions")
        if is_new and (extensions or documents.is_needed):
            try:
                query = await named_document(documents, payload.get("query"), extensions)
            except PersistedQueryError as refused:
                error = refused.as_graphql_error()
                await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
                return
            payload["query"] = query or ""
            if self.socket.is_closed:  # while the document was looked for
                return
            if extensions and EXTENSION in extensions:
                self._extensions[message["id"]] = extensions
        await super().handle_subscribe(message)

    async def run_operation(self, operation: Operation[Context, None]) -> None:
        """Run an operation; of a subscription, the task ends when the rest is the same for all its subscribers."""
        live = LiveOperation()
        live_operation.set(live)
        try:
            source = await self.schema.stream(
                operation.query,
                variable_values=operation.variables,
                context_value=self.context,
                operation_name=operation.operation_name,
                operation_extensions=self._extensions.pop(operation.id, None),
            )
            async with aclosing(source):
                async for result in source:
                    if isinstance(result, PreExecutionError):
                        await operation.send_initial_errors(result.errors or [])
                        return
                    if not isinstance(result, ExecutionResult):
                        raise TypeError("Incremental delivery is not part of this API.")
                    await operation.send_next(result)
                    if live.feed is not None and live.feed.is_live:
                        live.is_handed_over = True
                        break
            if live.is_handed_over:
                self._continue(operation, live)
            else:
                await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except BaseException as error:
            if live.is_handed_over and live.feed is not None:
                live.feed.close()
            if not isinstance(error, Exception):
                raise
            self.operations.pop(operation.id, None)
            if not isinstance(error, WebSocketDisconnected):  # a client may leave at any time
                await self._send_error(operation, error)

    async def _send_error(self, operation: Operation[Context, None], error: Exception) -> None:
        """End an operation with what went wrong outside its execution, where nothing has reported it."""
        reported = GraphQLError(str(error), original_error=error)
        format_errors([reported], self.context)
        with suppress(WebSocketDisconnected):
            await operation.send_operation_message(
                {"id": operation.id, "type": "error", "payload": [reported.formatted]}
            )

    def _continue(self, operation: Operation[Context, None], live: LiveOperation) -> None:
        """Send the later events of a subscription without its task."""
        feed, prepared, instrumentation = live.feed, live.prepared, live.instrumentation
        assert feed is not None  # noqa: S101 - all are there once the first event was sent
        assert prepared is not None  # noqa: S101
        assert instrumentation is not None  # noqa: S101
        if self._open_connection is not None and self._open_connection.user.id == feed.viewer.id:
            self._open_connection.user = feed.viewer  # as it is now, and one row less in memory
        executed = EventOperation(schema, prepared, operation.variables, live.event_cost)
        subscriber = LiveSubscriber(self, operation.id, feed, executed, instrumentation)
        self.operations[operation.id] = subscriber  # type: ignore[assignment]  # Strawberry needs `task` only
        self.context.on_sign_out = self._check_streams
        subscriber.start()

    def _check_streams(self) -> None:
        """End the streams: another operation has signed the socket out, or found that its session has ended."""
        for operation in list(self.operations.values()):
            if isinstance(operation, LiveSubscriber):
                operation.check_session()

    async def send_text(self, text: str) -> None:
        await self.socket.send_text(text)

    def forget(self, operation_id: str) -> None:
        self.operations.pop(operation_id, None)

    async def cleanup_operation(self, operation_id: str) -> None:
        self._extensions.pop(operation_id, None)
        operation = self.operations.get(operation_id)
        if isinstance(operation, LiveSubscriber):
            operation.close()
        else:
            await super().cleanup_operation(operation_id)

    async def handle_ping(self, message: PingMessage) -> None:
        payload = message.get("payload")
        if payload and sends_token(payload):
            payload = await self._renew(payload)
        await self.send_message({"type": "pong", "payload": payload} if payload else {"type": "pong"})

    async def _renew(self, payload: Mapping[str, Any]) -> dict[str, object]:
        """Replace the socket's token by that of a ping; return the payload of the pong."""
        context = self.context
        try:
            await context.renew(token_of_payload(payload) or "")
        except Exception as error:
            if not (isinstance(error, Refusal) or is_outage(error)):
                raise
            refusal = error if isinstance(error, Refusal) else UnavailableError()
            problem = {"message": context.translate(refusal.message), "extensions": {"code": refusal.code.value}}
            return {"renewed": False, "errors": [problem]}
        return {"renewed": True}

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        return None  # an invalid document ends only its own operation, not the socket
