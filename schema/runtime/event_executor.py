"""The execution of a subscription's events, one after another: by its plan, without an executor for each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast
from weakref import ref

from graphql import ExecutionResult

from schema.runtime import loaded
from schema.runtime.compilation.executor import PlannedExecutor
from schema.runtime.compilation.plan import Plan
from schema.runtime.compilation.run import Run
from schema.runtime.compiled_execution import build_executor, lazy_executor
from schema.runtime.context import Context
from schema.runtime.document import PreparedOperation
from schema.runtime.pipeline import DarkroomSchema

# The data of an event without errors, or its result.
Executed: TypeAlias = dict[str, Any] | ExecutionResult | Awaitable[ExecutionResult]


@dataclass(frozen=True, slots=True)
class EventOperation:
    """The subscription that a view executes for each event."""

    schema: DarkroomSchema
    prepared: PreparedOperation
    variables: Mapping[str, Any] | None
    cost: int  # of one event


def _no_plan() -> None:
    return None


class EventExecutor:
    """Executes the events of one subscription for one context."""

    __slots__ = ("_context", "_executor", "_lacks_columns", "_operation", "_plan", "_run")

    def __init__(self, operation: EventOperation, context: Context) -> None:
        self._operation = operation
        self._context = context
        self._plan: Callable[[], Plan | None] = _no_plan  # weak: how many plans are kept is limited elsewhere
        self._run: Run | None = None  # of the events so far, if they had neither errors nor anything to wait for
        self._lacks_columns = False  # whether `execute_columns` was once not enough
        self._executor: PlannedExecutor | None = None  # graphql-core's, of which each event gets a copy

    def execute_columns(self, columns: dict[str, Any]) -> dict[str, Any] | None:
        """Return the data of an event of which these columns are known, as JSON has them; None: it takes the event."""
        plan = self._plan() or self._find_plan()
        if plan is None or plan.execute_columns is None or self._lacks_columns:
            return None
        data = plan.execute_columns(columns)
        self._lacks_columns = data is None
        return data

    def execute(self, event: Any) -> Executed:
        """Execute an event.

        Raises:
            ValueError: the variables are invalid, which opening the subscription would have found.
        """
        plan = self._plan() or self._find_plan()
        if plan is None:
            return self._interpret(event)
        if plan.execute_alone is not None:
            data = plan.execute_alone(event)
            if data is not None:
                return data
        loaded.begin()
        run, self._run = self._run or self._start(), None
        if run is None:
            return self._interpret(event)
        found = plan.execute_event(run, event)
        if type(found) is dict:
            self._run = run
        return found

    def _find_plan(self) -> Plan | None:
        operation = self._operation
        node = operation.prepared.operation
        if node is None or not self._context.compiles_operations:
            return None
        plan = operation.schema.plans.find(node, operation.variables or {})
        self._plan = ref(plan) if plan else _no_plan
        return plan

    def _start(self) -> Run | None:
        operation = self._operation
        executor = lazy_executor(operation.schema, operation.prepared, self._context, operation.variables)
        return Run(executor) if executor else None

    def _interpret(self, event: Any) -> Executed:
        if self._executor is None:
            operation = self._operation
            self._executor = build_executor(operation.schema, operation.prepared, self._context, operation.variables)
        # Without @defer and @stream, there is one result.
        executor = cast("PlannedExecutor", self._executor.build_per_event_executor(event))
        return cast("Executed", executor.interpret())
