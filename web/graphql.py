"""The GraphQL endpoint: GET and POST, graphql-transport-ws and server-sent events at one URL."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from cross_web import AsyncHTTPRequestAdapter, HTTPException, StarletteRequestAdapter
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError, MissingQueryError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.streaming import SSETransport
from strawberry.http.types import QueryParams
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult, SubscriptionExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UnsetType

from models.database.connection import is_outage
from schema.root import schema
from schema.runtime.access import Audience
from schema.runtime.context import Context
from schema.runtime.kept_answers import KeptAnswers
from schema.runtime.pipeline import OperationRequest, respond
from schema.runtime.response_json import encode_json
from services.core.error import Refusal, UnauthenticatedError, UnavailableError
from services.services import Services
from web.accept import content_type, negotiate
from web.body import MAX_JSON_BYTES, RefusedRequestError, decode_json, limited
from web.connection_limit import ConnectionLimits, TooManyConnectionsError
from web.cookie import SessionCookie
from web.graphiql import GraphiQL
from web.graphql_response import (
    error_response,
    format_result,
    is_form,
    is_query_of_other_site,
)
from web.json_request import JsonRequests
from web.multipart import MULTIPART_OVERHEAD_BYTES, check_preflight, read_multipart
from web.socket import MAX_OPERATIONS, TOO_MANY_CONNECTIONS, SocketAdapter, SocketHandler, protocol_of
from web.socket_frames import TOO_MANY
from web.upload_slots import UploadSlots, announced_bytes

_BY_GET = (OperationType.QUERY,)
_BY_POST = (OperationType.QUERY, OperationType.MUTATION)


class _SubscriptionError(HTTPException):
    """A subscription was sent in a request that accepts only a single response."""

    def __init__(self) -> None:
        super().__init__(406, "Subscriptions need `Accept: text/event-stream`, or a WebSocket.")


class LineFeedSSE(SSETransport):
    """Server-sent events with LF line endings, the only ones at which urql splits frames."""

    def encode_event(self, event: str, data: str | None = None) -> str:
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        return super().encode_comment(comment).replace("\r\n", "\n")


def bearer(value: object) -> str | None:
    """Return the token of an `Authorization: Bearer ...` value, or None."""
    scheme, _, token = value.partition(" ") if isinstance(value, str) else ("", "", "")
    return token.strip() or None if scheme.casefold() == "bearer" else None


class _RequestAdapter(StarletteRequestAdapter):
    """Strawberry's adapter, with access to the request that it wraps."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.request = request


class GraphQLEndpoint(GraphQL[Context, None]):
    """Strawberry's ASGI view with this API's context, limits and error format."""

    request_adapter_class = _RequestAdapter
    websocket_adapter_class = SocketAdapter  # type: ignore[assignment]  # any AsyncWebSocketAdapter is used alike

    def __init__(
        self,
        *,
        graphiql: GraphiQL | None,
        introspection: Audience,
        allowed_origins: Sequence[str],
        init_seconds: float,
        heartbeat_seconds: float,
        cookie: SessionCookie,
        connections: ConnectionLimits,
        uploads: UploadSlots,
        compiles_operations: bool,
        answers_json: bool,
        kept_answers_bytes: int,
    ) -> None:
        class HeartbeatSSE(LineFeedSSE):
            """The transport with its heartbeat interval bound: Strawberry instantiates it without arguments."""

            def __init__(self) -> None:
                super().__init__(heartbeat_seconds)

        class LimitedSocketHandler(SocketHandler):
            """The handler with the limits of connections bound, for the same reason."""

        LimitedSocketHandler.connections = connections
        self.graphql_transport_ws_handler_class = LimitedSocketHandler
        self.stream_transport_classes_by_protocol = {GRAPHQL_SSE_PROTOCOL: HeartbeatSSE}
        self._graphiql = graphiql
        self._introspection = introspection
        self._cookie = cookie
        self._connections = connections
        self._uploads = uploads
        self._compiles_operations = compiles_operations
        answers = KeptAnswers(schema._schema, kept_answers_bytes) if kept_answers_bytes else None
        execute = partial(self._execute, answers=answers)
        self.json = JsonRequests(schema, cookie, self._context_of, execute) if answers_json else None
        super().__init__(
            schema,
            graphql_ide="graphiql" if graphiql else None,  # only switches it on: render_graphql_ide serves our own page
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=timedelta(seconds=init_seconds),
            multipart_uploads_enabled=True,
            max_subscriptions_per_connection=MAX_OPERATIONS,
            allowed_origins=allowed_origins,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            with suppress(WebSocketDisconnect):  # during the handshake
                await self._serve_socket(scope, receive, send)
            return
        request = Request(scope)
        services: Services = request.state.services
        max_bytes = MAX_JSON_BYTES
        if is_form(request):
            max_bytes = services.media.files.limits.max_bytes + MULTIPART_OVERHEAD_BYTES
        request.state.max_bytes = max_bytes
        async with AsyncExitStack() as request.state.stack:
            try:
                request = Request(scope, limited(receive, request.headers, max_bytes))
                response: Response = await self.run(request)
            except HTTPException as error:
                response = error_response(request, error)
            except ClientDisconnect:
                return  # in the middle of the body: a response could not be delivered
            await response(scope, receive, send)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        client: str = socket.state.client
        try:
            self._connections.open_client(client)
        except TooManyConnectionsError:
            # Accepted first: browsers hide the status of a refused handshake, and clients try again.
            await socket.accept(subprotocol=await self.pick_websocket_subprotocol(socket))
            await socket.close(TOO_MANY, TOO_MANY_CONNECTIONS)
            return
        try:
            await self._connections.wait_to_connect(client)
            await self.run(socket)
        finally:
            if not protocol_of(scope).is_served:  # otherwise its handler counts it until it ends
                self._connections.close_client(client)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        request.state.context = context = self._context_of(request.scope, request.headers)
        return context

    def _context_of(self, scope: Scope, headers: Mapping[str, str]) -> Context:
        authorization = headers.get("authorization")
        is_socket = scope["type"] == "websocket"
        state: dict[str, Any] = scope["state"]
        cookie = device_cookie = None
        if "cookie" in headers:
            connection = HTTPConnection(scope)
            device_cookie = self._cookie.device_token(connection)
            if authorization is None and (is_socket or not is_query_of_other_site(scope, headers)):
                cookie = self._cookie.token(connection)
        return Context(
            state["services"],
            token=cookie or bearer(authorization),
            is_cookie=cookie is not None,
            device_cookie=device_cookie,
            client=state["client"],
            accept_language=headers.get("accept-language", ""),
            is_socket=is_socket,
            introspection=self._introspection,
            compiles_operations=self._compiles_operations,
        )

    async def render_graphql_ide(self, request: Request) -> Response:
        assert self._graphiql is not None  # noqa: S101 - without graphql_ide, Strawberry answers 404 before this
        return await self._graphiql.page(request)

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        params: Mapping[str, Any] = context.connection_params
        authorization = params.get("Authorization", params.get("authorization"))
        token = bearer(authorization) or params.get("token")
        wanted = params.get("locale")
        context.connect(token if isinstance(token, str) else None, wanted if isinstance(wanted, str) else None)
        # An invalid token is an error of the client; an expired cookie is not: browsers send it with every request.
        if context.token is not None and await context.authenticate() is None and not context.is_cookie:
            raise ConnectionRejectionError
        return UnsetType()  # acknowledge without a payload

    def decode_json(self, data: str | bytes) -> object:
        return decode_json(data)

    def parse_query_params(self, params: QueryParams) -> dict[str, Any]:
        return super().parse_query_params({name: value for name, value in params.items() if value != ""})

    def parse_json(self, data: str | bytes) -> Any:
        parsed = super().parse_json(data)
        if not isinstance(parsed, dict | list):
            raise HTTPException(400, "A GraphQL request is a JSON object.")
        return parsed

    def encode_json(self, data: object) -> str:
        return encode_json(data).decode()

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        response: Response = await super().get_sub_response(request)
        response.media_type = negotiate(request.headers.get("accept", "*/*"))
        request.state.sub_response = response
        return response

    async def parse_multipart(self, request: AsyncHTTPRequestAdapter) -> Any:
        assert isinstance(request, _RequestAdapter)  # noqa: S101 - see request_adapter_class
        check_preflight(request.request)
        await self._admit_upload(request.request)
        return await read_multipart(request.request)

    async def _admit_upload(self, request: Request) -> None:
        """Check the token and count the upload before its body is read. Raises RefusedRequestError."""
        context: Context = request.state.context
        stack: AsyncExitStack = request.state.stack
        try:
            context.has_files = True
            viewer = await context.authenticate()
            if viewer is None:
                raise UnauthenticatedError
            size = announced_bytes(request.headers, request.state.max_bytes)
            stack.enter_context(self._uploads.receiving(viewer.id, context.client, size))
            stack.push_async_callback(request.close)  # otherwise its temporary files stay until they are collected
        except Refusal as refusal:
            is_signed_out = isinstance(refusal, UnauthenticatedError)
            raise RefusedRequestError(refusal, as_operation=is_signed_out) from None
        except Exception as error:
            if not is_outage(error):
                raise
            raise RefusedRequestError(UnavailableError(), as_operation=True) from error

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData | list[GraphQLRequestData]:
        request_data = await super().parse_http_body(request)
        if isinstance(request_data, GraphQLRequestData) and not isinstance(request_data.operation_name, str | None):
            raise HTTPException(400, "`operationName` must be a string.")
        return request_data

    async def execute_operation(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        request_data: GraphQLRequestData | list[GraphQLRequestData],
        context: Context,
        root_value: None,
        sub_response: Response,
    ) -> ExecutionResult | list[ExecutionResult] | SubscriptionExecutionResult:
        accepts_json = sub_response.media_type is not None
        if isinstance(request_data, GraphQLRequestData) and request_data.protocol == "sse" and accepts_json:
            # urql accepts JSON and event streams in every request: only subscriptions are streamed, the rest is JSON.
            try:
                return await self.execute_single(
                    request, request_adapter, sub_response, context, root_value, request_data
                )
            except _SubscriptionError:
                pass
        if isinstance(request_data, GraphQLRequestData) and request_data.protocol == "sse":
            await self._count_stream(request, context)
        return await super().execute_operation(
            request, request_adapter, request_data, context, root_value, sub_response
        )

    async def _count_stream(self, request: Request, context: Context) -> None:
        """Count an event stream until its response has ended. Raises TooManyConnectionsError."""
        stack: AsyncExitStack = request.state.stack
        stack.enter_context(self._connections.client(context.client))
        try:
            viewer = await context.authenticate()
        except Exception as error:
            if not is_outage(error):  # which the operation then reports
                raise
            viewer = None
        if viewer is not None:
            most = context.services.products.profile.limits.connections_per_account
            stack.enter_context(self._connections.account(viewer.id, most))

    async def execute_single(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,
        context: Context,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        result = await self._execute(request_data, context, request.method)
        self._cookie.write(sub_response, context)
        return result

    async def _execute(
        self, data: GraphQLRequestData, context: Context, method: str, answers: KeptAnswers | None = None
    ) -> ExecutionResult:
        """Execute a query or mutation. Raises HTTPException if there is none that this method may execute."""
        context.takes_cookies = True
        allowed = _BY_GET if method == "GET" else _BY_POST
        try:
            return await respond(
                schema,
                OperationRequest(data.query, data.variables, data.operation_name, context, allowed, data.extensions),
                answers,
            )
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                raise _SubscriptionError from None
            raise HTTPException(405, "Mutations are sent by POST.") from None
        except CannotGetOperationTypeError as error:
            raise HTTPException(400, error.as_http_error_reason()) from None
        except MissingQueryError:
            raise HTTPException(400, "No GraphQL query found in the request") from None

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        sub_response: Response = request.state.sub_response
        status, response = format_result(result, sub_response.media_type)
        if status != 200:
            sub_response.status_code = status
        return response

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        response = super().create_response(response_data, sub_response)
        response.headers["content-type"] = content_type(sub_response.media_type)
        return response
