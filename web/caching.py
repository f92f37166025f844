"""Entity tags of answers to queries by GET, by which browsers and shared caches ask whether they have changed."""

import hashlib
from collections.abc import Mapping

from starlette.responses import Response
from strawberry.http import GraphQLRequestData

from schema.runtime.context import Context
from schema.runtime.coverage import Caching
from schema.runtime.pipeline import DarkroomSchema
from web.conditional import etag_matches

Header = tuple[bytes, bytes]

_VARY = (b"vary", b"Authorization, Cookie, Accept, Accept-Language")
# A cached answer is sent again only after this server has confirmed it, to the same account in the same language.
_PRIVATE = [(b"cache-control", b"private, no-cache"), _VARY]
# A change of the catalogue may be seen a minute later; until it is confirmed, an older copy bridges another ten.
_PUBLIC = [(b"cache-control", b"public, max-age=60, stale-while-revalidate=600"), _VARY]
_CURRENT = [(b"cache-control", b"public, no-cache"), _VARY]
_CONTENT = {b"content-length", b"content-type"}


def caching_headers(schema: DarkroomSchema, data: GraphQLRequestData, context: Context) -> list[Header] | None:
    """Return the headers of an answer without errors that may be stored; None: it may not.

    Public is what the catalogue says to a caller without credentials: prices, styles and models in one language.
    """
    known = schema.documents.find(data.query or "", data.operation_name)
    found = known.caching(schema._schema) if known is not None else Caching.NONE
    if found is Caching.NONE:
        return None
    if found is Caching.PRIVATE:
        return _PRIVATE if context.viewer is not None else None
    if context.token is not None:
        return _PRIVATE
    return _PUBLIC if found is Caching.CATALOGUE else _CURRENT


def entity_tag(body: bytes) -> str:
    """Return the entity tag of an answer (RFC 9110, 8.8.3)."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def conditional(
    given: Mapping[str, str], headers: list[Header], caching: list[Header], etag: str
) -> tuple[list[Header], bool]:
    """Return the headers of an answer with its entity tag, and whether the client has the answer already: 304."""
    headers = [*headers, (b"etag", etag.encode()), *caching]
    if not etag_matches(given.get("if-none-match", ""), etag):
        return headers, False
    return [header for header in headers if header[0] not in _CONTENT], True


def add_entity_tag(response: Response, given: Mapping[str, str], caching: list[Header]) -> None:
    """Add the entity tag to a response of the framework's view, and let it be 304 where the client has it already."""
    etag = entity_tag(bytes(response.body))
    response.raw_headers, is_known = conditional(given, response.raw_headers, caching, etag)
    if is_known:
        response.status_code, response.body = 304, b""
