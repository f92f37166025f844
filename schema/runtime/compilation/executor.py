"""graphql-core's executor, which runs the plan of an operation where there is one."""

from typing import Any, Protocol

from graphql import ExecutionResult
from graphql.pyutils import AwaitableOrValue
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
