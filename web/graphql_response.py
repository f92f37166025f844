"""Responses of the GraphQL endpoint: their JSON, status codes and errors, the same for every way of a request."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope
from strawberry.http import GraphQLHTTPResponse, process_result
from strawberry.types import ExecutionResult

from models.enum import ErrorCode
from schema.runtime.context import Context
from schema.runtime.instrumentation import count_error
from schema.runtime.response_json import encode_json
from services.core import locale
from services.core.error import InvalidCredentialError, RateLimitedError
from services.core.text import shortened
from services.services import Services
from web.accept import JSON, RESPONSE_JSON, content_type, negotiate
from web.body import RefusedRequestError, TooLargeError
from web.connection_limit import RETRY_SECONDS
from web.persisted import ID_PARAMETERS, PersistedQueryError

_DOCUMENT_PARAMETERS = frozenset({"query", "extensions", *ID_PARAMETERS})

_CHALLENGE = 'Bearer error="invalid_token"'


def format_result(result: ExecutionResult, media_type: str | None) -> tuple[int, GraphQLHTTPResponse]:
    """Return the status and the content of a response to one operation."""
    status, response = 200, process_result(result)
    errors = result.errors or []
    if result.data is None and errors and not any(error.path for error in errors) and media_type == RESPONSE_JSON:
        # Nothing was executed; under its own media type GraphQL over HTTP (6.4.2) requires an error status.
        codes = {(error.extensions or {}).get("code") for error in errors}
        status = 500 if ErrorCode.INTERNAL in codes else 401 if ErrorCode.UNAUTHENTICATED in codes else 400
        response.pop("data", None)
    return status, response


def challenge(result: ExecutionResult) -> str | None:
    """Return WWW-Authenticate for an operation that was refused for its credential (RFC 6750, 3); None: it was not."""
    for error in result.errors or () if result.data is None else ():
        if isinstance(error.original_error, InvalidCredentialError):
            return _CHALLENGE
    return None


def is_form(request: Request) -> bool:
    """Whether files come with the request, so that the limit of its body is theirs."""
    return request.headers.get("content-type", "").casefold().startswith("multipart/form-data")


def is_json(request: Request) -> bool:
    """Whether the request is an ordinary one with a JSON body, which may hold a picture as a data URL."""
    media_type = request.headers.get("content-type", "").partition(";")[0]
    return request.method == "POST" and media_type.strip().casefold() == "application/json"


def error_response(request: Request, error: HTTPException) -> Response:
    """Return `error` in the form of a GraphQL error response."""
    services: Services = request.state.services
    media_type = negotiate(request.headers.get("accept", "*/*")) or JSON
    if isinstance(error, RefusedRequestError):
        return _refusal_response(request.state.context, error, media_type)
    text = shortened(error.reason)
    if isinstance(error, TooLargeError):  # translated, because a user can cause it with a large photo
        wanted = locale.from_header(request.headers.get("accept-language", ""))
        default = locale.match(services.products.profile.locale) or locale.DEFAULT
        refusal = services.media.files.limits.too_large() if is_form(request) else error.message
        text = services.core.translator.translate(refusal, wanted or default)
    code = ErrorCode.RATE_LIMITED if error.status_code == 429 else ErrorCode.INVALID_INPUT
    extensions: dict[str, object] = {"code": error.code if isinstance(error, PersistedQueryError) else code.value}
    headers: dict[str, str] = {}
    if error.status_code == 405:
        headers["Allow"] = "POST" if request.method == "GET" else "GET, POST"
    elif error.status_code == 429:
        headers["Retry-After"] = f"{RETRY_SECONDS:.0f}"
    body = encode_json({"errors": [{"message": text, "extensions": extensions}]})
    return Response(body, error.status_code, headers, media_type=content_type(media_type))


def _refusal_response(context: Context, error: RefusedRequestError, media_type: str) -> Response:
    refusal = error.refusal
    headers: dict[str, str] = {}
    count_error(refusal.code)
    extensions: dict[str, object] = {"code": refusal.code.value}
    status = error.status_code
    if status == 401:
        headers["WWW-Authenticate"] = _CHALLENGE if isinstance(refusal, InvalidCredentialError) else "Bearer"
    if error.as_operation and media_type != RESPONSE_JSON:
        status = 200
    if isinstance(refusal, RateLimitedError):
        extensions["retryAfter"] = refusal.retry_after
        headers["Retry-After"] = f"{refusal.retry_after:.0f}"
    errors = [{"message": context.translate(refusal.message), "extensions": extensions}]
    return Response(encode_json({"errors": errors}), status, headers, media_type=content_type(media_type))


def is_query_of_other_site(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether a page of another site caused a query by GET, for which the cookie is not used.

    A GET has no preflight, and no Origin where a page loads it as a script or an image.
    """
    site = headers.get("sec-fetch-site", "same-origin")
    if scope["method"] != "GET" or "origin" in headers or site in ("same-origin", "none"):
        return False
    given = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return not _DOCUMENT_PARAMETERS.isdisjoint(given)
