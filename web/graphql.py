"""The GraphQL endpoint: GET and POST, graphql-transport-ws and server-sent events at one URL."""

from collections.abc import AsyncIterator, Callable, Mapping
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
from strawberry.exceptions import MissingQueryError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.base import BaseRequestProtocol
from strawberry.http.types import QueryParams
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult, SubscriptionExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UnsetType

from models.database.connection import is_outage
from schema.root import schema
from schema.runtime.access import Audience
from schema.runtime.context import Context
from schema.runtime.kept_answers import KeptAnswers
from schema.runtime.pipeline import respond
from schema.runtime.preparation import OperationRequest
from schema.runtime.response_json import encode_json
from services.core.error import InvalidCredentialError, Refusal, UnavailableError
from services.core.rate_limit import LimitUsage, limit_usage
from services.integrations.persisted_documents import PersistedDocuments
from services.services import Services
from telemetry import metric
from web.accept import content_type, negotiate
from web.admission import admit_form, admit_json
from web.body import MAX_JSON_BYTES, decode_json, limited
from web.caching import add_entity_tag, caching_headers
from web.connection_limit import ConnectionLimits, TooManyConnectionsError
from web.cookie import SessionCookie
from web.credential import token_of, token_of_payload
from web.data_url import parse_with_data_urls
from web.graphiql import GraphiQL
from web.graphql_response import (
    challenge,
    error_response,
    format_result,
    is_form,
    is_json,
    is_query_of_other_site,
)
from web.http_exchange import STOPPING
from web.json_request import JsonRequests
from web.limit_headers import limit_headers
from web.multipart import check_preflight, form_bytes, read_multipart
from web.origin import AllowedOrigins
from web.persisted import ID_PARAMETERS, named_document, with_named_document
from web.public_address import PublicAddress
from web.repeated_request import REPETITION
from web.socket import MAX_OPERATIONS, TOO_MANY_CONNECTIONS, SocketAdapter, SocketHandler, protocol_of
from web.socket_frames import TOO_MANY
from web.streaming import PROTOCOLS, opened, stop_parts, transports, until_stop
from web.upload_slots import UploadSlots

_BY_GET = (OperationType.QUERY,)
_BY_POST = (OperationType.QUERY, OperationType.MUTATION)


class _SubscriptionError(HTTPException):
    """A subscription was sent in a request that accepts only a single response."""

    def __init__(self) -> None:
        super().__init__(406, "Subscriptions need `Accept: text/event-stream`, or a WebSocket.")


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
        origins: AllowedOrigins,
        public_address: PublicAddress,
        init_seconds: float,
        socket_max_seconds: float,
        heartbeat_seconds: float,
        cookie: SessionCookie,
        connections: ConnectionLimits,
        uploads: UploadSlots,
        compiles_operations: bool,
        answers_json: bool,
        kept_answers_bytes: int,
    ) -> None:
        class LimitedSocketHandler(SocketHandler):
            """The handler with its limits bound: Strawberry instantiates it without them."""

        LimitedSocketHandler.connections = connections
        LimitedSocketHandler.max_seconds = socket_max_seconds
        self.graphql_transport_ws_handler_class = LimitedSocketHandler
        self.stream_transport_classes_by_protocol = transports(heartbeat_seconds)
        self._graphiql = graphiql
        self._introspection = introspection
        self.origins = origins
        self._public_address = public_address
        self._cookie = cookie
        self._connections = connections
        self._uploads = uploads
        self._compiles_operations = compiles_operations
        self.answers = KeptAnswers(schema._schema, kept_answers_bytes) if kept_answers_bytes and answers_json else None
        execute = partial(self._execute, answers=self.answers)
        self.json = JsonRequests(schema, cookie, self._context_of, execute) if answers_json else None
        super().__init__(
            schema,
            graphql_ide="graphiql" if graphiql else None,  # only switches it on: render_graphql_ide serves our own page
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, *self.stream_transport_classes_by_protocol),
            connection_init_wait_timeout=timedelta(seconds=init_seconds),
            multipart_uploads_enabled=True,
            max_subscriptions_per_connection=MAX_OPERATIONS,
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
            max_bytes = form_bytes(services.media.files.limits.max_bytes)
        request.state.max_bytes = max_bytes
        async with AsyncExitStack() as request.state.stack:
            try:
                admit = partial(admit_json, request, self._uploads) if is_json(request) else None
                request = Request(scope, limited(receive, request.headers, max_bytes, admit))
                response: Response = await self.run(request)
                if caching := getattr(request.state, "caching", None):
                    add_entity_tag(response, request.headers, caching)
            except HTTPException as error:
                response = error_response(request, error)
                await request.state.stack.aclose()  # what it counts as being received is not read any more
            except ClientDisconnect:
                return  # in the middle of the body: a response could not be delivered
            await response(scope, receive, send)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        if not self.origins.admits(socket.headers):  # before Strawberry, which would log each
            await socket.close()
            return
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

    def is_websocket_origin_allowed(self, request: WebSocket, origin: str) -> bool:
        return self.origins.admits(request.headers)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        request.state.context = context = self._context_of(request.scope, request.headers)
        return context

    def _context_of(self, scope: Scope, headers: Mapping[str, str]) -> Context:
        authorization = headers.get("authorization")
        is_socket = scope["type"] == "websocket"
        state: dict[str, Any] = scope["state"]
        cookie = device_cookie = token = problem = None
        if "cookie" in headers:
            connection = HTTPConnection(scope)
            device_cookie = self._cookie.device_token(connection)
            if authorization is None and (is_socket or not is_query_of_other_site(scope, headers)):
                cookie = self._cookie.token(connection)
        if authorization is not None:
            try:
                token = token_of(authorization)
            except InvalidCredentialError as error:
                problem = error.message
        context = Context(
            state["services"],
            token=cookie or token,
            is_cookie=cookie is not None,
            device_cookie=device_cookie,
            client=state["client"],
            accept_language=headers.get("accept-language", ""),
            user_agent=headers.get("user-agent", ""),
            is_socket=is_socket,
            introspection=self._introspection,
            compiles_operations=self._compiles_operations,
            problem=problem,
            session_read=repetition.session if (repetition := state.get(REPETITION)) else None,
        )
        context.address = self._public_address.of(scope, headers)
        return context

    async def render_graphql_ide(self, request: Request) -> Response:
        assert self._graphiql is not None  # noqa: S101 - without graphql_ide, Strawberry answers 404 before this
        return await self._graphiql.page(request)

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        params: Mapping[str, Any] = context.connection_params
        wanted = params.get("locale")
        context.connect(token_of_payload(params), wanted if isinstance(wanted, str) else None)
        await context.authenticate()
        return UnsetType()  # acknowledge without a payload

    def decode_json(self, data: str | bytes) -> object:
        return decode_json(data)

    def parse_query_params(self, params: QueryParams) -> dict[str, Any]:
        return with_named_document(super().parse_query_params({k: v for k, v in params.items() if v != ""}))

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        is_named = any(request.query_params.get(name) for name in ("extensions", *ID_PARAMETERS))
        return super().should_render_graphql_ide(request) and not is_named

    def parse_json(self, data: str | bytes) -> Any:
        if isinstance(data, bytes) and len(data) > MAX_JSON_BYTES:
            parsed = parse_with_data_urls(data, super().parse_json)
        else:
            parsed = super().parse_json(data)
        if not isinstance(parsed, dict | list):
            raise HTTPException(400, "A GraphQL request is a JSON object.")
        return with_named_document(parsed) if isinstance(parsed, dict) else parsed

    def encode_json(self, data: object) -> str:
        return encode_json(data).decode()

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        response: Response = await super().get_sub_response(request)
        response.media_type = negotiate(request.headers.get("accept", "*/*"))
        request.state.sub_response = response
        return response

    async def parse_multipart(self, request: AsyncHTTPRequestAdapter) -> Any:
        assert isinstance(request, _RequestAdapter)  # noqa: S101 - see request_adapter_class
        check_preflight(request.request, self.origins)
        await admit_form(request.request, self._uploads)
        return with_named_document(await read_multipart(request.request))

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData | list[GraphQLRequestData]:
        request_data = await super().parse_http_body(request)
        if isinstance(request_data, GraphQLRequestData) and not isinstance(request_data.operation_name, str | None):
            raise HTTPException(400, "`operationName` must be a string.")
        if isinstance(request_data, GraphQLRequestData):
            assert isinstance(request, _RequestAdapter)  # noqa: S101 - see request_adapter_class
            documents: PersistedDocuments = request.request.state.services.integrations.documents
            request_data.query = await named_document(documents, request_data.query, request_data.extensions)
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
        is_stream = isinstance(request_data, GraphQLRequestData) and request_data.protocol in PROTOCOLS
        if isinstance(request_data, GraphQLRequestData) and is_stream and accepts_json:
            # urql accepts JSON and event streams in every request: only subscriptions are streamed, the rest is JSON.
            try:
                return await self.execute_single(
                    request, request_adapter, sub_response, context, root_value, request_data
                )
            except _SubscriptionError:
                pass
        if is_stream:
            await self._count_stream(request, context)
        return await super().execute_operation(
            request, request_adapter, request_data, context, root_value, sub_response
        )

    async def _count_stream(self, request: Request, context: Context) -> None:
        """Count an event stream until its response has ended. Raises TooManyConnectionsError."""
        stack: AsyncExitStack = request.state.stack
        metric.event_streams_open.inc()
        stack.callback(metric.event_streams_open.dec)
        stack.enter_context(self._connections.client(context.client))
        try:
            viewer = await context.authenticate()
        except Exception as error:
            if not (isinstance(error, Refusal) or is_outage(error)):  # which the operation then reports
                raise
            viewer = None
        if viewer is not None:
            most = context.services.products.profile.limits.connections_per_account
            stack.enter_context(self._connections.account(viewer.id, most))

    async def create_streaming_response(
        self,
        request: Request | WebSocket,
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,
        headers: Mapping[str, str],
    ) -> Response:
        end = stop_parts(headers, request.state.context.translate(UnavailableError().message), self.encode_json)
        stream = until_stop(opened(stream, headers), request.scope["extensions"][STOPPING]["event"], end)
        return await super().create_streaming_response(request, stream, sub_response, headers)

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
        if context.limits:
            sub_response.raw_headers.extend(limit_headers(context.limits))
        if request.method == "GET" and not result.errors:
            request.state.caching = caching_headers(schema, request_data, context)
        return result

    async def _execute(
        self, data: GraphQLRequestData, context: Context, method: str, answers: KeptAnswers | None = None
    ) -> ExecutionResult:
        """Execute a query or mutation. Raises HTTPException if there is none that this method may execute."""
        context.takes_cookies = True
        context.limits = LimitUsage()
        limit_usage.set(context.limits)  # for the task of this request
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
        if challenged := challenge(result):
            sub_response.headers["WWW-Authenticate"] = challenged
        return response

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        response = super().create_response(response_data, sub_response)
        response.headers["content-type"] = content_type(sub_response.media_type)
        return response
