"""The way of an operation until it may be executed: authentication, guards, its document and its plan."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from schema.runtime.compilation.executor import Executable
from schema.runtime.context import Context
from schema.runtime.document import KnownVariables, PreparedOperation
from services.operations.query_slots import PREPARATION, REQUEST_SECONDS, UPLOAD_SECONDS

if TYPE_CHECKING:
    from schema.runtime.pipeline import DarkroomSchema

# A value that a plan returns takes a seventh of the time of one by graphql-core (benchmarks/execution.py), a statement
# less of its own: with the reading of its rows, a fourth is left of what complexity.py counts.
_PLANNED_SHARE = 4


class OperationRequest(NamedTuple):
    """An operation as a client sent it. `allowed`: the types that its transport can answer; None: all."""

    query: str | None
    variables: dict[str, Any] | None
    operation_name: str | None
    context: Context
    allowed: Iterable[OperationType] | None = None
    extensions: dict[str, Any] | None = None


class Prepared(NamedTuple):
    """An operation that its caller may execute.

    `plan`: of a query that was compiled, which makes it cost less. `variables`: what is known for those of the request.
    """

    operation: PreparedOperation
    cost: int
    plan: Executable | None = None
    variables: KnownVariables | None = None


async def prepare(schema: "DarkroomSchema", request: OperationRequest) -> Prepared:
    """Authenticate the caller; return the operation when the caller may execute it.

    Raises:
        InvalidDocumentError: the document cannot be executed.
        MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError: there is nothing to execute.
    """
    context = request.context
    viewer = await context.authenticate()
    slots, caller = context.services.operations.query_slots, context.caller
    slots.note(caller)
    is_signed_in, allows_introspection = viewer is not None, context.allows_introspection
    besides = UPLOAD_SECONDS if context.has_files else REQUEST_SECONDS
    query, name = request.query, request.operation_name
    known = schema.documents.find(query, name) if query else None
    if known is not None:
        given = known.known_variables(request.variables)
        cost = known.known_cost(
            request.variables, given, is_signed_in=is_signed_in, allows_introspection=allows_introspection
        )
        if cost is not None:
            _check_type(known, request)
            prepared = _with_plan(schema, request, known, cost, given)
            is_due = prepared.plan is None and _is_plan_due(schema, request, known)
            is_query = known.kind is OperationType.QUERY
            if context.has_files or is_due or not slots.admits(caller, prepared.cost if is_query else None):
                async with slots.slot(caller, PREPARATION, besides):
                    if is_due:
                        schema.plans.compile(known.document, known.operation, request.variables)
                        return _with_plan(schema, request, known, cost, given)
            return prepared
    async with slots.slot(caller, PREPARATION, besides):
        if not query:
            raise MissingQueryError
        found = schema.documents.prepare(query, name)
        _check_type(found, request)
        cost = found.check(
            schema._schema,
            request.variables,
            is_signed_in=is_signed_in,
            allows_introspection=allows_introspection,
            suggests_names=context.suggests_names,
        )
        if _is_plan_due(schema, request, found):
            schema.plans.compile(found.document, found.operation, request.variables)
        return _with_plan(schema, request, found, cost, found.known_variables(request.variables))


async def register(request: OperationRequest) -> None:
    """Keep a valid document that came with its hash, so that the client can name it from now on."""
    given, services = (request.extensions or {}).get("persistedQuery"), request.context.services
    digest = given.get("sha256Hash") if isinstance(given, dict) else None
    documents = services.integrations.documents
    if not isinstance(digest, str) or not request.query or not documents.needs(digest, request.query):
        return
    if await services.core.rates.admits_document(request.context.client):
        await documents.register(digest, request.query)


def _is_plan_due(schema: "DarkroomSchema", request: OperationRequest, prepared: PreparedOperation) -> bool:
    """Return whether an operation is compiled now; its preparation, which has limits, includes that."""
    return request.context.compiles_operations and schema.plans.use(
        prepared.document, prepared.operation, request.variables
    )


def _with_plan(
    schema: "DarkroomSchema",
    request: OperationRequest,
    prepared: PreparedOperation,
    cost: int,
    variables: KnownVariables | None,
) -> Prepared:
    """Return an operation with its plan, if there is one, and with what it then costs."""
    node, plan = prepared.operation, None
    if node is not None and prepared.kind is OperationType.QUERY and request.context.compiles_operations:
        plan = schema.plans.find(node, request.variables or {})
    return Prepared(prepared, max(cost // _PLANNED_SHARE, 1) if plan else cost, plan, variables)


def _check_type(prepared: PreparedOperation, request: OperationRequest) -> None:
    if prepared.kind is None:
        raise CannotGetOperationTypeError(request.operation_name)
    if request.allowed is not None and prepared.kind not in request.allowed:
        raise InvalidOperationTypeError(prepared.kind)
