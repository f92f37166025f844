"""Requests that name their document: Apollo's automatic persisted queries, and documentId of GraphQL over HTTP.

The answers are those of Apollo Server, word for word, because clients compare them: after PersistedQueryNotFound they
send the document with its hash; after PersistedQueryNotSupported they name documents no more.
"""

from collections.abc import Mapping
from typing import Any

from cross_web import HTTPException
from graphql import GraphQLError

from models.enum import ErrorCode
from services.integrations.persisted_documents import PersistedDocuments, sha256_of

# Parameters other than `query` by which a request can name a document; Relay's documentation has the last two.
ID_PARAMETERS = ("documentId", "doc_id", "id")
EXTENSION = "persistedQuery"
_HASH_PREFIX = "sha256:"
_MAX_ID = 255


class PersistedQueryError(HTTPException):
    """The request names a document that it does not get. `code`: in the extensions of the error."""

    def __init__(self, status: int, text: str, code: str) -> None:
        super().__init__(status, text)
        self.code = code

    def as_graphql_error(self) -> GraphQLError:
        """Return the error for transports without status codes."""
        return GraphQLError(self.reason, extensions={"code": self.code})


def with_named_document(request: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a request in which `extensions` names the document, wherever the client did."""
    if request.get("query"):
        return request
    id = next((request[name] for name in ID_PARAMETERS if isinstance(request.get(name), str)), None)
    extensions = request.get("extensions")
    if id is None or not isinstance(extensions, dict | None):
        return request
    return {**request, "extensions": {**(extensions or {}), EXTENSION: id.removeprefix(_HASH_PREFIX)}}


async def named_document(
    documents: PersistedDocuments, query: str | None, extensions: Mapping[str, Any] | None
) -> str | None:
    """Return the document to execute: the one that was sent, or the one that is named.

    Raises:
        PersistedQueryError: there is none of this name, it differs from the one that was sent, or it is not trusted.
    """
    id = _id_of(extensions) if extensions else None
    if id is not None and not query:
        if not documents.has_any:
            raise _not_supported()
        found = await documents.find(id)
        if found is None:
            raise PersistedQueryError(200, "PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
        return found
    if query and id is not None and not documents.is_trusted(id, query):
        if not documents.has_any:
            raise _not_supported()
        if documents.takes_new and sha256_of(query) != id:
            raise PersistedQueryError(400, "provided sha does not match query", ErrorCode.INVALID_INPUT.value)
    if query and documents.is_needed and not documents.allows(query):
        raise PersistedQueryError(403, "Only trusted documents are executed here.", ErrorCode.FORBIDDEN.value)
    return query


def _not_supported() -> PersistedQueryError:
    return PersistedQueryError(200, "PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")


def _id_of(extensions: Mapping[str, Any]) -> str | None:
    """Return the id that the extensions name, if any. Raises PersistedQueryError: it is none."""
    found = extensions.get(EXTENSION)
    if found is None:
        return None
    if isinstance(found, dict):
        if found.get("version") != 1:
            raise PersistedQueryError(400, "Unsupported persisted query version", ErrorCode.INVALID_INPUT.value)
        found = found.get("sha256Hash")
    if not isinstance(found, str) or not 0 < len(found) <= _MAX_ID:
        raise PersistedQueryError(400, "The persisted query has no valid hash.", ErrorCode.INVALID_INPUT.value)
    return found
