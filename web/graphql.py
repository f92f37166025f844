"""The GraphQL endpoint: POST, graphql-transport-ws and SSE at one address."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException, StarletteRequestAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.streaming import SSETransport
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.unset import UnsetType

from models.enum import ErrorCode
from schema.context import Context
from schema.root import schema
from services.services import Services
from web.body import MAX_JSON_BYTES, MULTIPART_OVERHEAD_BYTES, decode_json, limited, read_multipart
from web.socket import SocketHandler

_RESPONSE_JSON = "application/graphql-response+json"
_INIT_SECONDS = 10  # a socket that says nothing is closed with 4408
_MAX_OPERATIONS = 20  # at once on one socket


class LineFeedSSE(SSETransport):
    """Server-sent events with LF line ends: urql splits frames at nothing else."""

    def encode_event(self, event: str, data: str | None = None) -> str:
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        return super().encode_comment(comment).replace("\r\n", "\n")


def bearer(value: object) -> str | None:
    """The token of an `Authorization: Bearer ...` value."""
    scheme, _, token = value.partition(" ") if isinstance(value, str) else ("", "", "")
    return token.strip() or None if scheme.casefold() == "bearer" else None


class _RequestAdapter(StarletteRequestAdapter):
    """The adapter, with the request that it adapts."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.request = request


class GraphQLEndpoint(GraphQL[Context, None]):
    """Strawberry's ASGI view, with our context, limits and error shapes."""

    request_adapter_class = _RequestAdapter
    graphql_transport_ws_handler_class = SocketHandler
    stream_transport_classes_by_protocol = {GRAPHQL_SSE_PROTOCOL: LineFeedSSE}  # noqa: RUF012 - Strawberry's own form

    def __init__(self, *, graphiql: bool, introspection: bool, allowed_origins: Sequence[str]) -> None:
        self._introspection = introspection
        super().__init__(
            schema,
            graphql_ide="graphiql" if graphiql else None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=timedelta(seconds=_INIT_SECONDS),
            multipart_uploads_enabled=True,
            max_subscriptions_per_connection=_MAX_OPERATIONS,
            allowed_origins=allowed_origins,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope)
        services: Services = request.state.services
        is_multipart = request.headers.get("content-type", "").startswith("multipart/form-data")
        max_bytes = services.files.limits.max_bytes + MULTIPART_OVERHEAD_BYTES if is_multipart else MAX_JSON_BYTES
        try:
            request = Request(scope, limited(receive, request.headers, max_bytes))
            response: Response = await self.run(request)
        except HTTPException as error:
            response = _refusal(error.status_code, error.reason)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        return Context(
            request.state.services,
            token=bearer(request.headers.get("authorization")),
            accept_language=request.headers.get("accept-language", ""),
            is_socket=isinstance(request, WebSocket),
            allows_introspection=self._introspection,
        )

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        said: Mapping[str, Any] = context.connection_params
        authorization = said.get("Authorization", said.get("authorization"))
        token = bearer(authorization) or said.get("token")
        wanted = said.get("locale")
        context.connect(token if isinstance(token, str) else None, wanted if isinstance(wanted, str) else None)
        if context.token is not None and await context.look_up() is None:
            raise ConnectionRejectionError
        return UnsetType()  # an acknowledgement without a payload

    def decode_json(self, data: str | bytes) -> object:
        return decode_json(data)

    def parse_json(self, data: str | bytes) -> Any:
        found = super().parse_json(data)
        if not isinstance(found, dict | list):
            raise HTTPException(400, "A GraphQL request is a JSON object.")
        return found

    def encode_json(self, data: object) -> str:
        return orjson.dumps(data).decode()

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        request.state.sub_response = await super().get_sub_response(request)
        response: Response = request.state.sub_response
        return response

    async def parse_multipart(self, request: AsyncHTTPRequestAdapter) -> Any:
        assert isinstance(request, _RequestAdapter)  # noqa: S101 - ours is the only one there is
        return await read_multipart(request.request)

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData | list[GraphQLRequestData]:
        found = await super().parse_http_body(request)
        if isinstance(found, GraphQLRequestData) and not isinstance(found.operation_name, str | None):
            raise HTTPException(400, "`operationName` must be a string.")
        return found

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        response = await super().process_result(request, result)
        if isinstance(result, PreExecutionError) and _RESPONSE_JSON in request.headers.get("accept", ""):
            # GraphQL over HTTP, 6.4.2: nothing was executed, so there is no data and the status says so.
            request.state.sub_response.status_code = 400
            response.pop("data", None)
        return response

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        response = super().create_response(response_data, sub_response)
        if sub_response.status_code == 400:
            response.headers["content-type"] = f"{_RESPONSE_JSON}; charset=utf-8"
        return response


def _refusal(status: int, reason: str) -> Response:
    code = ErrorCode.INVALID_INPUT
    error = {"message": reason, "extensions": {"code": code.value}}
    return JSONResponse({"errors": [error]}, status_code=status)
