"""Plans: compiled operations, for queries and for the events of subscriptions.

    plan = compile_query(schema, document, operation_name, {"withStyle": True})
    result = await plan.run(context, variables)

`schema` is a Strawberry schema. The document must be valid. After an UnsupportedError, graphql-core has to execute the
operation.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import CoroutineType
from typing import Any, cast

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
)
from graphql.pyutils import AwaitableOrValue

from schema.runtime.compilation.compiler import Compiler
from schema.runtime.compilation.executor import LazyExecutor, PlannedExecutor
from schema.runtime.compilation.resolvers import Resolvers
from schema.runtime.compilation.run import RerunError, ResponsePath, Run
from schema.runtime.compilation.selection import Selections, UnsupportedError
from schema.runtime.compilation.source import Source

__all__ = ["Plan", "UnsupportedError", "compile_event", "compile_query"]

_MAX_RERUNS = 3  # by graphql-core
_USES_PER_RERUN = 20  # from then on


class Plan:
    """A compiled operation.

    `source`: the text of the generated module. `fields`: how many it has, each for each type. `execute_alone`: of a
    subscription that reads nothing but its event, whose data it returns, or None where something is not as usual.
    `execute_columns`: the same of one that reads nothing but columns, of a dictionary of them as JSON has them.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        module: tuple[str, Callable[[Run, Any, ResponsePath | None], Any]],
        fields: int,
        execute_alone: Callable[[Any], dict[str, Any] | None] | None = None,
        execute_columns: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None,
    ) -> None:
        self.schema, self.document, self.operation = schema, document, operation
        self.source, self._execute = module
        self.fields = fields
        self.execute_alone = execute_alone
        self.execute_columns = execute_columns
        self._uses = self._reruns = 0

    async def run(self, context: Any, variables: Mapping[str, Any] | None = None, event: Any = None) -> ExecutionResult:
        """Execute the operation. `event`: of a subscription. Errors are part of the result, also those of variables."""
        schema, name = self.schema, self.operation.name
        executor = schema.execution_context_class.build(
            schema._schema,
            self.document,
            event,
            context,
            dict(variables or {}),
            name.value if name else None,
            **schema._get_custom_context_kwargs(),
        )
        if isinstance(executor, list):
            return ExecutionResult(None, executor)
        result = self.execute(executor)
        return await result if isinstance(result, Awaitable) else result

    def execute(self, executor: Executor[Any] | LazyExecutor) -> AwaitableOrValue[ExecutionResult]:
        """Return the result of an operation with the executor's context and variables, as `execute_operation` does."""
        run = Run(executor)
        found = self.execute_event(run, executor.root_value)
        return run.result(found) if isinstance(found, dict) else found

    def execute_event(self, run: Run, event: Any) -> dict[str, Any] | AwaitableOrValue[ExecutionResult]:
        """Return the data of an event of a subscription, and the result where it has errors or has to wait.

        Only a run whose events all had data without errors may execute another one.
        """
        try:
            data = self._execute(run, event, None)
        except (GraphQLError, RerunError) as error:
            run.close()
            run.executor.root_value = event
            return self._failed(run, error)
        if type(data) is CoroutineType:
            run.executor.root_value = event
            return self._finish(run, data)
        return run.result(data) if run.errors else data

    async def _finish(self, run: Run, data: Coroutine[Any, Any, Any]) -> ExecutionResult:
        try:
            found = await data
            if not run.errors and not run.is_unsure:
                return run.result(found)  # without errors, everything was awaited
            result = self._failed(run, RerunError()) if run.is_unsure else run.result(found)
        except (GraphQLError, RerunError) as error:
            result = self._failed(run, error)
        except BaseException:
            run.close()
            raise
        run.close()
        return await result if isinstance(result, Awaitable) else result

    def is_useful(self) -> bool:
        """Count a use, and return whether graphql-core had to execute the operation again for only a few of them.

        Rows of one account may be what it stumbles over, so it is tried again after others have used the operation.
        """
        self._uses += 1
        return self._reruns < _MAX_RERUNS or self._reruns * _USES_PER_RERUN <= self._uses

    def _failed(self, run: Run, error: GraphQLError | RerunError) -> AwaitableOrValue[ExecutionResult]:
        """Return the response without data, or graphql-core's."""
        if isinstance(error, GraphQLError) and not run.is_unsure:
            return run.failed(error)
        self._reruns += 1
        return interpret(run.executor)


def interpret(executor: Executor[Any] | LazyExecutor) -> AwaitableOrValue[ExecutionResult]:
    """Let graphql-core execute an operation."""
    is_planned = isinstance(executor, PlannedExecutor | LazyExecutor)
    found = executor.interpret() if is_planned else executor.execute_operation()  # type: ignore[union-attr]  # as tested
    return cast("AwaitableOrValue[ExecutionResult]", found)  # without @defer and @stream


def compile_query(
    schema: strawberry.Schema,
    document: DocumentNode,
    operation_name: str | None = None,
    switches: Mapping[str, bool] | None = None,
) -> Plan:
    """Return the plan of a query.

    `switches`: the values of the variables that @skip and @include use; see `switch_names`.

    Raises:
        UnsupportedError: it is no query, has introspection or another directive, or is too large.
    """
    return _compile(schema, document, operation_name, switches, OperationType.QUERY)


def compile_event(
    schema: strawberry.Schema,
    document: DocumentNode,
    operation_name: str | None = None,
    switches: Mapping[str, bool] | None = None,
) -> Plan:
    """Return the plan of the events of a subscription; the other arguments are those of `compile_query`.

    Raises:
        UnsupportedError: it is no subscription, or cannot be compiled.
    """
    return _compile(schema, document, operation_name, switches, OperationType.SUBSCRIPTION)


def _compile(
    schema: strawberry.Schema,
    document: DocumentNode,
    operation_name: str | None,
    switches: Mapping[str, bool] | None,
    kind: OperationType,
) -> Plan:
    built = schema._schema  # Strawberry has no public name for it
    operation = get_operation_ast(document, operation_name)
    root = built.get_root_type(kind)
    if operation is None or operation.operation is not kind or operation.directives or root is None:
        raise UnsupportedError("the operation")
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    source = Source(operation.name.value if operation.name else "without a name")
    selections = Selections(built, fragments, switches or {})
    compiler = Compiler(source, selections, Resolvers(schema), built)
    function = compiler.object_function(root, [operation.selection_set])
    alone = columns = None
    if kind is OperationType.SUBSCRIPTION:
        alone, columns = compiler.alone_function(function), compiler.alone_function(function, of_columns=True)
    module = source.execute()
    compiler.link(module)
    found = (source.text, module[function])
    return Plan(schema, document, operation, found, compiler.fields, module.get(alone or ""), module.get(columns or ""))
