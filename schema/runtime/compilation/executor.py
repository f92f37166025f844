"""graphql-core's executor, which runs the plan of an operation where there is one; made only if it is needed."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, Protocol

from graphql import ExecutionResult, FieldNode, GraphQLField, GraphQLObjectType, GraphQLResolveInfo
from graphql.execution.values import VariableValues
from graphql.pyutils import AwaitableOrValue, Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class Executable(Protocol):
    """A plan, as the executor sees it."""

    def execute(self, executor: Any) -> AwaitableOrValue[ExecutionResult]:
        """Return the result of the executor's operation."""


class PlannedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes queries and the events of subscriptions by their plans, and everything else as graphql-core does.

    The `execution_context_class` of a Strawberry schema, for a subclass that knows where the plans are.
    """

    def find_plan(self) -> Executable | None:
        """Return the plan of the operation; None: graphql-core executes it."""
        raise NotImplementedError

    def execute_operation(self, serially: bool | None = None) -> Any:
        """Execute the operation: once for a query or mutation, and once for each event of a subscription."""
        middleware = self.middleware_manager
        if self.abort_signal is None and self.hooks is None and not (middleware and middleware.middlewares):
            plan = self.find_plan()
            if plan is not None:
                return plan.execute(self)
        return self.interpret(serially)

    def interpret(self, serially: bool | None = None) -> Any:
        """Execute the operation as graphql-core does."""
        return super().execute_operation(serially)


class LazyExecutor:
    """What a plan needs of an executor. `build` makes graphql-core's, for the few resolvers that read more of it.

    `variable_values`: the coerced variables. `arguments`: of fields, known from other executions with these variables,
    by FieldPlan.place.
    """

    def __init__(
        self,
        build: Callable[[], PlannedExecutor],
        context: Any,
        variable_values: VariableValues,
        arguments: dict[tuple[int, int], dict[str, Any]] | None,
    ) -> None:
        self._build = build
        self.context_value = context
        self.variable_values = variable_values
        self.arguments = arguments
        self.root_value: Any = None
        self.hide_suggestions = True

    @cached_property
    def whole(self) -> PlannedExecutor:
        """The executor itself."""
        return self._build()

    def build_resolve_info(
        self, field: GraphQLField, nodes: list[FieldNode], parent_type: GraphQLObjectType, path: Path
    ) -> GraphQLResolveInfo[Any]:
        """Return graphql-core's information for a resolver."""
        return self.whole.build_resolve_info(field, nodes, parent_type, path)

    def settle_in_background(self, awaitables: list[Awaitable[Any]]) -> None:
        """Let awaitables go on that nothing awaits any more."""
        self.whole.settle_in_background(awaitables)

    def build_per_event_executor(self, root_value: Any) -> Any:
        """Return an executor that has not executed anything."""
        return self.whole.build_per_event_executor(root_value)

    def interpret(self) -> Any:
        """Execute the operation as graphql-core does."""
        self.whole.root_value = self.root_value
        return self.whole.interpret()
