"""The way of every operation, over HTTP, sockets and event streams: its preparation, execution and answer."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import AbstractContextManager, aclosing, nullcontext
from inspect import isawaitable
from typing import Any, cast

import graphql
import orjson
from graphql import GraphQLError
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from schema.runtime import complexity, loaded
from schema.runtime.compilation.plans import Plans
from schema.runtime.compiled_execution import lazy_executor
from schema.runtime.context import Context
from schema.runtime.document import DocumentCache, InvalidDocumentError, PreparedOperation
from schema.runtime.error_formatting import MAX_ERRORS, as_graphql_error, format_errors, without_operation
from schema.runtime.instrumentation import NO_OPERATION, Instrumentation
from schema.runtime.kept_answers import Answer, AnsweredResult, Found, KeptAnswers
from schema.runtime.live_operation import live_operation
from schema.runtime.preparation import OperationRequest, Prepared, prepare, register
from schema.runtime.price import FREE, PRICES
from telemetry.trace import span

# The cost above which a caller's operations are executed one at a time; that of a mutation includes its writes.
_EXPENSIVE = {OperationType.QUERY.value: 300, OperationType.MUTATION.value: 2 * complexity.WRITE_COST}
_ONE_OF = "directive @oneOf on INPUT_OBJECT\n"
_NO_REPLICA = nullcontext()


class DarkroomSchema(Schema):
    """Strawberry's schema, whose operations all take the way of this module."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.documents = DocumentCache()
        self.plans = Plans(self)

    def as_str(self) -> str:
        """Return the schema as text, with a description of each directive, which linters ask for."""
        return super().as_str().replace(_ONE_OF, f'"""Exactly one of the fields is given."""\n{_ONE_OF}', 1)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Return the result of a query or mutation.

        Raises:
            MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError: there is nothing to execute.
        """
        request = OperationRequest(
            query, variable_values, operation_name, context_value, allowed_operation_types, operation_extensions
        )
        return await respond(self, request)

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: None = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Return the results of any operation: of a query or mutation there is one."""
        request = OperationRequest(
            query, variable_values, operation_name, context_value, allowed_operation_types, operation_extensions
        )
        return stream(self, request)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Format errors; Strawberry's own method logs each with a traceback."""
        format_errors(errors, execution_context.context if execution_context else None)


async def respond(
    schema: DarkroomSchema, request: OperationRequest, answers: KeptAnswers | None = None
) -> ExecutionResult:
    """Return the result of a query or mutation; with `answers`, an AnsweredResult where it may be kept.

    Raises:
        MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError: there is nothing to execute.
    """
    try:
        with Instrumentation(request.query, request.variables) as instrumentation:
            try:
                prepared = await prepare(schema, request)
            except InvalidDocumentError as invalid:
                return _refused(invalid.errors, request.context)
            if request.extensions:
                await register(request)
            if answers is None:
                return await _execute(schema, request, prepared, instrumentation)
            key = answers.key(prepared.operation, request.variables, prepared.variables, request.context)
            if key is None:
                return await _execute(schema, request, prepared, instrumentation)
            if (kept := answers.find(key)) is not None:
                operation = prepared.operation
                _identify(request, operation, instrumentation)
                found = Found(key, operation.root_field, operation.label, prepared.cost)
                return AnsweredResult(None, None, answer=kept, found=found)
            return _kept(await _execute(schema, request, prepared, instrumentation), request, answers, key)
    except NO_OPERATION:
        raise
    except Exception as error:  # noqa: BLE001 - it becomes the response
        return _refused([as_graphql_error(error)], request.context)


async def stream(schema: DarkroomSchema, request: OperationRequest) -> AsyncGenerator[ExecutionResult, None]:
    """Yield the results of any operation."""
    try:
        with Instrumentation(request.query, request.variables) as instrumentation:
            try:
                prepared = await prepare(schema, request)
            except InvalidDocumentError as invalid:
                yield _refused(invalid.errors, request.context)
                return
            if request.extensions:
                await register(request)
            operation, cost = prepared.operation, prepared.cost
            if operation.kind is not OperationType.SUBSCRIPTION:
                yield await _execute(schema, request, prepared, instrumentation)
                return
            async with aclosing(_subscribe(schema, request, operation, cost, instrumentation)) as results:
                async for result in results:
                    yield result
    except NO_OPERATION as error:
        yield _refused([without_operation(error)], request.context)
    except Exception as error:  # noqa: BLE001 - it becomes the response
        yield _refused([as_graphql_error(error)], request.context)


def _kept(
    result: ExecutionResult, request: OperationRequest, answers: KeptAnswers, key: tuple[object, ...]
) -> ExecutionResult:
    """Keep a result that stays the same until the account's version moves, and return it with its JSON."""
    if result.errors or result.data is None or request.context.shows_unfinished:
        return result
    try:
        answer = Answer(orjson.dumps({"data": result.data}))
    except TypeError:  # lone surrogates
        return result
    answers.keep(key, answer)
    return AnsweredResult(result.data, None, answer=answer)


def _identify(request: OperationRequest, prepared: PreparedOperation, instrumentation: Instrumentation) -> str | None:
    """Let log lines and metrics name the operation; return the viewer's ID."""
    user_id = request.context.viewer.id if request.context.viewer else None
    instrumentation.identify(prepared.kind_name, prepared.root_field, prepared.label, user_id)
    return user_id


async def _execute(
    schema: DarkroomSchema, request: OperationRequest, prepared: Prepared, instrumentation: Instrumentation
) -> ExecutionResult:
    operation, context = prepared.operation, request.context
    kind = cast(OperationType, operation.kind)
    user_id = _identify(request, operation, instrumentation)
    with span(f"graphql {operation.root_field}", type=operation.kind_name) as found, _replica_reads(kind, context):
        if prepared.cost > _EXPENSIVE[operation.kind_name]:
            async with context.services.operations.query_slots.slot(context.caller, operation.kind_name):
                result = await _run(schema, request, prepared)
        else:
            result = await _run(schema, request, prepared)
        if result.errors:
            format_errors(result.errors, context)
        instrumentation.describe(found, operation.label, user_id)
    return result


def _replica_reads(kind: OperationType, context: Context) -> AbstractContextManager[None]:
    """Let a query read lists from the replica that has reached its viewer's version; mutations read the primary."""
    replica = context.services.core.replica
    if replica is None or kind is not OperationType.QUERY:
        return _NO_REPLICA
    viewer = context.viewer
    return replica.read_by(viewer.id, viewer.version) if viewer else replica.read_by(None, 0)


async def _run(schema: DarkroomSchema, request: OperationRequest, prepared: Prepared) -> ExecutionResult:
    """Execute a query or mutation by its plan, else by graphql-core."""
    operation, plan = prepared.operation, prepared.plan
    executor = None
    if plan:
        executor = lazy_executor(
            schema, operation, request.context, request.variables, prepared.variables, request.extensions
        )
    if plan and executor:
        loaded.begin()  # as the executor does that graphql-core uses
        planned = plan.execute(executor)
        result = await planned if isawaitable(planned) else planned
        return ExecutionResult(result.data, result.errors)
    found = graphql.execute(
        schema._schema,
        operation.document,
        variable_values=request.variables,
        operation_name=operation.name,
        context_value=request.context,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # its annotation lacks the TypeGuard
        **_options(schema, request),
    )
    result = await found if isawaitable(found) else found
    return ExecutionResult(result.data, result.errors)


async def _subscribe(
    schema: DarkroomSchema,
    request: OperationRequest,
    prepared: PreparedOperation,
    cost: int,
    instrumentation: Instrumentation,
) -> AsyncGenerator[ExecutionResult, None]:
    """Yield the results of a subscription's events."""
    context = request.context
    user_id = _identify(request, prepared, instrumentation)
    # The price of the root field is that of opening the stream.
    event_cost = max(cost - PRICES.get(f"Subscription.{prepared.root_field}", FREE).total, 1)
    complexity.event_cost.set(event_cost)
    if live := live_operation.get():
        live.prepared, live.event_cost = prepared, event_cost
    # The span covers only the start of the stream: one that ends hours later would be useless.
    with span(f"graphql {prepared.root_field}", type=OperationType.SUBSCRIPTION.value) as found:
        opened: Any = graphql.subscribe(
            schema._schema,
            prepared.document,
            variable_values=request.variables,
            operation_name=prepared.name,
            context_value=context,
            **_options(schema, request),
        )
        events: AsyncIterator[graphql.ExecutionResult] | graphql.ExecutionResult
        events = await opened if isawaitable(opened) else opened
        instrumentation.describe(found, prepared.label, user_id)
    if isinstance(events, graphql.ExecutionResult):
        yield _refused(events.errors or [], context)
        return
    try:
        async with aclosing(cast(AsyncGenerator[graphql.ExecutionResult, None], events)):
            async for event in events:
                if event.errors:
                    format_errors(event.errors, context)
                yield ExecutionResult(event.data, event.errors)
    except Exception as error:  # noqa: BLE001 - graphql-core does not handle those of the source of the events
        errors = [as_graphql_error(error)]
        format_errors(errors, context)
        yield ExecutionResult(None, errors)


def _options(schema: DarkroomSchema, request: OperationRequest) -> Mapping[str, Any]:
    """Return further arguments of graphql-core's functions."""
    return {
        "executor_class": schema.execution_context_class,
        "operation_extensions": request.extensions,
        # Of variables. Suggestions are searched for even where the text is removed later.
        "max_coercion_errors": MAX_ERRORS - 1,
        "hide_suggestions": not request.context.suggests_names,
    }


def _refused(errors: list[GraphQLError], context: Context) -> PreExecutionError:
    """Return the result of an operation that was not executed."""
    format_errors(errors, context)
    return PreExecutionError(data=None, errors=errors)
