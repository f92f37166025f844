"""JSON requests of one operation, answered without the framework's view, which costs as much as a small query.

Everything else goes the ordinary way, with the body that was read here: other methods and media types, streams,
malformed and too large bodies. The middleware around the endpoint is the same for both.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.http import GraphQLRequestData
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from schema.runtime.context import Context
from schema.runtime.kept_answers import AnsweredResult, Found
from schema.runtime.pipeline import DarkroomSchema
from schema.runtime.response_json import encode_json
from services.integrations.identity.issuer import is_external_token
from services.integrations.persisted_documents import PersistedDocuments
from web.accept import content_type_header, negotiate
from web.body import MAX_JSON_BYTES, decode_json
from web.caching import caching_headers, conditional, entity_tag
from web.content_length import content_length
from web.cookie import SessionCookie
from web.graphql_response import challenge, error_response, format_result
from web.http_exchange import WHOLE_RESPONSE
from web.limit_headers import limit_headers
from web.persisted import named_document, with_named_document
from web.repeated_request import REPETITION
from web.streaming import accepts_stream


class JsonFirst:
    """Middleware that lets `requests` answer what it can, before the route is searched for."""

    def __init__(self, app: ASGIApp, path: str, requests: "JsonRequests") -> None:
        self._app = app
        self._path = path
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == self._path and not scope.get("root_path"):
            unanswered = await self._requests.answer(scope, receive, send)
            if unanswered is None:
                return
            receive = unanswered
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class JsonRequests:
    """Answers requests that are an ordinary JSON object.

    `context_of`: returns the context of a request. `execute`: executes an operation of a request with this method.
    """

    schema: DarkroomSchema
    cookie: SessionCookie
    context_of: Callable[[Scope, Mapping[str, str]], Context]
    execute: Callable[[GraphQLRequestData, Context, str], Awaitable[ExecutionResult]]

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """Answer the request and return None; else return what the framework's view receives the request from."""
        if scope["method"] not in ("POST", "GET"):
            return receive
        # The server has made the names lower case. Of several values, the first counts, as in Starlette.
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}
        if (content_length(headers.get("content-length")) or 0) > MAX_JSON_BYTES:
            return receive  # too large, and refused before the client sends it
        accept = headers.get("accept", "*/*")
        messages: list[Message] = []
        if scope["method"] == "GET":
            data = _query_data(scope["query_string"])
        elif headers.get("content-type", "").partition(";")[0].strip() == "application/json":
            body = await _body(receive, messages)
            data = None if body is None else _request_data(body)
        else:
            return receive
        if data is None:
            return _replay(messages, receive)
        documents: PersistedDocuments = scope["state"]["services"].integrations.documents
        if data.extensions or documents.is_needed:
            try:
                data.query = await named_document(documents, data.query, data.extensions)
            except HTTPException as error:
                await error_response(Request(scope), error)(scope, receive, send)
                return None
        if not data.query or not self._is_single(data, accept):
            return _replay(messages, receive)
        await self._respond(data, headers, scope, receive, send)
        return None

    def _is_single(self, data: GraphQLRequestData, accept: str) -> bool:
        """Whether the response is JSON: urql accepts streams in every request, so the document decides."""
        if not accepts_stream(accept):
            return True
        known = self.schema.documents.find(data.query or "", data.operation_name)
        is_single = known is not None and known.kind in (OperationType.QUERY, OperationType.MUTATION)
        return is_single and negotiate(accept) is not None

    async def _respond(
        self, data: GraphQLRequestData, given: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        context = self.context_of(scope, given)
        try:
            result = await self.execute(data, context, scope["method"])
        except HTTPException as error:
            response = error_response(Request(scope), error)
            await response(scope, receive, send)
            return
        media_type = negotiate(given.get("accept", "*/*"))
        answer = result.answer if isinstance(result, AnsweredResult) else None
        if isinstance(result, AnsweredResult) and result.found is not None:
            _note_repetition(scope, result.found, context)
        status, body = 200, answer.body if answer else b""
        if answer is None:
            status, content = format_result(result, media_type)
            body = encode_json(content)
        headers = [(b"content-length", b"%d" % len(body)), content_type_header(media_type)]
        if answer is None and (challenged := challenge(result)):
            headers.append((b"www-authenticate", challenged.encode()))
        if context.changes_cookie or context.new_device_cookie is not None:
            cookies = Response()
            self.cookie.write(cookies, context)
            headers += [header for header in cookies.raw_headers if header[0] == b"set-cookie"]
        if context.limits:
            headers += limit_headers(context.limits)
        if scope["method"] == "GET" and not result.errors:
            caching = caching_headers(self.schema, data, context)
            if caching is not None:
                etag = answer.etag if answer else entity_tag(body)
                headers, is_known = conditional(given, headers, caching, etag)
                status, body = (304, b"") if is_known else (status, body)
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        if WHOLE_RESPONSE in scope.get("extensions", ()):
            await send({**start, "body": body})
        else:
            await send(start)
            await send({"type": "http.response.body", "body": body})


def _note_repetition(scope: Scope, found: Found, context: Context) -> None:
    """Let the same request be answered alike, if nothing but the session and its account decides about the answer."""
    repetition, viewer, token = scope["state"].get(REPETITION), context.viewer, context.token
    if repetition is None or viewer is None or token is None or context.limits:
        return
    if context.services.accounts.demo is not None:  # which may have chosen the token
        return
    if context.uses_api_key or is_external_token(token) or context.changes_cookie or context.new_device_cookie:
        return
    repetition.found, repetition.token, repetition.caller = found, token, viewer.id


async def _body(receive: Receive, messages: list[Message]) -> bytes | None:
    """Return the body; None if it is too large or not complete. `messages`: receives what was read."""
    parts: list[bytes] = []
    size, has_more = 0, True
    while has_more and size <= MAX_JSON_BYTES:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        has_more = message.get("more_body", False)
    return b"".join(parts) if size <= MAX_JSON_BYTES else None


def _request_data(body: bytes) -> GraphQLRequestData | None:
    """Return the operation of a body; None if the view refuses it, which then says why."""
    try:
        found: Any = decode_json(body)
    except json.JSONDecodeError:
        return None
    if not isinstance(found, dict):
        return None
    found = with_named_document(found)
    query, variables = found.get("query"), found.get("variables")
    name, extensions = found.get("operationName"), found.get("extensions")
    is_valid = (
        (isinstance(query, str) or (query is None and bool(extensions)))
        and isinstance(variables, dict | None)
        and isinstance(name, str | None)
        and isinstance(extensions, dict | None)
    )
    return GraphQLRequestData(query, variables, name, extensions) if is_valid else None


def _query_data(query_string: bytes) -> GraphQLRequestData | None:
    """Return the operation of a GET; None if there is none, or if the view refuses it, which then says why."""
    found = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    given = {name: value for name, value in found.items() if value}
    objects: dict[str, Any] = {}
    for name in ("variables", "extensions"):
        if name in given:
            try:
                objects[name] = decode_json(given[name])
            except json.JSONDecodeError:
                return None
            if not isinstance(objects[name], dict):
                return None
    named = with_named_document({**given, "extensions": objects.get("extensions")})
    if "query" not in given and not named["extensions"]:
        return None
    return GraphQLRequestData(
        given.get("query"), objects.get("variables"), given.get("operationName"), named["extensions"]
    )


def _replay(messages: list[Message], receive: Receive) -> Receive:
    """Return a `receive` that begins with the messages that were read."""
    remaining = iter(messages)

    async def receive_again() -> Message:
        message = next(remaining, None)
        return message if message is not None else await receive()

    return receive_again
