"""JSON requests of one operation, answered without the framework's view, which costs as much as a small query.

Everything else goes the ordinary way, with the body that was read here: other methods and media types, streams,
malformed and too large bodies. The middleware around the endpoint is the same for both.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from cross_web import HTTPException
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from strawberry.http import GraphQLRequestData
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from schema.runtime.context import Context
from schema.runtime.kept_answers import AnsweredResult
from schema.runtime.pipeline import DarkroomSchema
from web.accept import negotiate
from web.body import MAX_JSON_BYTES, decode_json
from web.conditional import etag_matches
from web.cookie import SessionCookie
from web.graphql_response import content_type, encode_json, error_response, format_result

# A cached answer is sent again only after this server has confirmed it, to the same account in the same language.
_REVALIDATED = [
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization, Cookie, Accept, Accept-Language"),
]
_EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True)
class JsonRequests:
    """Answers requests that are an ordinary JSON object.

    `context_of`: returns the context of a request. `execute`: executes an operation of a request with this method.
    """

    schema: DarkroomSchema
    cookie: SessionCookie
    context_of: Callable[[HTTPConnection], Context]
    execute: Callable[[GraphQLRequestData, Context, str], Awaitable[ExecutionResult]]

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """Answer the request and return None; else return what the framework's view receives the request from."""
        if scope["method"] not in ("POST", "GET"):
            return receive
        accept, kind = "*/*", b""
        is_first_accept = is_first_kind = True
        for name, value in scope["headers"]:  # in lower case; the first of several counts
            if name == b"accept" and is_first_accept:
                accept, is_first_accept = value.decode("latin-1"), False
            elif name == b"content-type" and is_first_kind:
                kind, is_first_kind = value, False
            elif name == b"content-length" and value.isdigit() and int(value[:12]) > MAX_JSON_BYTES:
                return receive  # too large, and refused before the client sends it
        messages: list[Message] = []
        if scope["method"] == "GET":
            data = _query_data(scope["query_string"])
        elif kind.partition(b";")[0].strip() == b"application/json":
            body = await _body(receive, messages)
            data = None if body is None else _request_data(body)
        else:
            return receive
        if data is None or not self._is_single(data, accept):
            return _replay(messages, receive)
        await self._respond(data, accept, scope, receive, send)
        return None

    def _is_single(self, data: GraphQLRequestData, accept: str) -> bool:
        """Whether the response is JSON: urql accepts event streams in every request, so the document decides."""
        if _EVENT_STREAM not in accept.lower():
            return True
        known = self.schema.documents.find(data.query or "", data.operation_name)
        is_single = known is not None and known.kind in (OperationType.QUERY, OperationType.MUTATION)
        return is_single and negotiate(accept) is not None

    async def _respond(self, data: GraphQLRequestData, accept: str, scope: Scope, receive: Receive, send: Send) -> None:
        context = self.context_of(HTTPConnection(scope))
        try:
            result = await self.execute(data, context, scope["method"])
        except HTTPException as error:
            response = error_response(Request(scope), error)
            await response(scope, receive, send)
            return
        media_type = negotiate(accept)
        answer = result.answer if isinstance(result, AnsweredResult) else None
        status, body = 200, answer.body if answer else b""
        if answer is None:
            status, content = format_result(result, media_type)
            body = encode_json(content)
        headers = [
            (b"content-length", str(len(body)).encode()),
            (b"content-type", content_type(media_type).encode()),
        ]
        if context.changes_cookie or context.new_device_cookie is not None:
            cookies = Response()
            self.cookie.write(cookies, context)
            headers += [header for header in cookies.raw_headers if header[0] == b"set-cookie"]
        if answer is not None and scope["method"] == "GET":
            headers += [(b"etag", answer.etag.encode()), *_REVALIDATED]
            if etag_matches(Headers(scope=scope).get("if-none-match", ""), answer.etag):
                status, body, headers = 304, b"", headers[2:]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive, messages: list[Message]) -> bytes | None:
    """Return the body; None if it is too large or not complete. `messages`: receives what was read."""
    message = await receive()
    messages.append(message)
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        return body if len(body) <= MAX_JSON_BYTES else None
    parts, size = [message.get("body", b"")], len(message.get("body", b""))
    while message["type"] == "http.request" and message.get("more_body") and size <= MAX_JSON_BYTES:
        message = await receive()
        messages.append(message)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    return b"".join(parts) if message["type"] == "http.request" and size <= MAX_JSON_BYTES else None


def _request_data(body: bytes) -> GraphQLRequestData | None:
    """Return the operation of a body; None if the view refuses it, which then says why."""
    try:
        found: Any = decode_json(body)
    except json.JSONDecodeError:
        return None
    if not isinstance(found, dict):
        return None
    query, variables = found.get("query"), found.get("variables")
    name, extensions = found.get("operationName"), found.get("extensions")
    is_valid = (
        isinstance(query, str)
        and isinstance(variables, dict | None)
        and isinstance(name, str | None)
        and isinstance(extensions, dict | None)
    )
    return GraphQLRequestData(query, variables, name, extensions) if is_valid else None


def _query_data(query_string: bytes) -> GraphQLRequestData | None:
    """Return the operation of a GET; None if there is none, or if the view refuses it, which then says why."""
    found = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    given = {name: value for name, value in found.items() if value}
    if "query" not in given:
        return None
    objects: dict[str, Any] = {}
    for name in ("variables", "extensions"):
        if name in given:
            try:
                objects[name] = decode_json(given[name])
            except json.JSONDecodeError:
                return None
            if not isinstance(objects[name], dict):
                return None
    return GraphQLRequestData(
        given["query"], objects.get("variables"), given.get("operationName"), objects.get("extensions")
    )


def _replay(messages: list[Message], receive: Receive) -> Receive:
    """Return a `receive` that begins with the messages that were read."""
    remaining = iter(messages)

    async def receive_again() -> Message:
        message = next(remaining, None)
        return message if message is not None else await receive()

    return receive_again
