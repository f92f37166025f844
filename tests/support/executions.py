"""How the tests execute operations: compiled from their first use, compared with graphql-core, or by it alone."""

import json
import os
from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode
from hypothesis import HealthCheck, seed, settings

from schema.root import schema
from schema.runtime import loaded
from schema.runtime.compilation.executor import PlannedExecutor
from schema.runtime.compilation.plan import Plan
from schema.runtime.compilation.plans import Plans
from schema.runtime.compilation.run import Run
from schema.runtime.loaded import TooMuchLoadedError

_TIMES = 5  # that two executions are compared before they count as different
EXECUTIONS = ("compiled", "both", "graphql-core")


class ComparingPlans(Plans):
    """Plans that also let graphql-core execute every operation, and keep the differences."""

    def __init__(self) -> None:
        super().__init__(schema, uses=1)
        self.differences: list[str] = []

    def find(self, node: OperationDefinitionNode, variables: Mapping[str, Any]) -> Any:
        plan = super().find(node, variables)
        return _ComparingPlan(plan, self.differences) if plan else None


class _ComparingPlan:
    execute_alone = execute_columns = None  # else their data would not be compared

    def __init__(self, plan: Plan, differences: list[str]) -> None:
        self._plan, self._differences = plan, differences

    async def execute(self, executor: PlannedExecutor) -> ExecutionResult:
        compiled = await _awaited(self._plan.execute(executor))
        found, expected = outcome(compiled), await self._expected(executor)
        for _ in range(_TIMES):  # rows may have changed between the two
            if found == expected:
                break
            again: Any = executor.build_per_event_executor(executor.root_value)
            loaded.begin()
            found, expected = outcome(await _awaited(self._plan.execute(again))), await self._expected(executor)
        else:
            body = self._plan.operation.loc.source.body if self._plan.operation.loc else ""
            self._differences.append(f"{body}\ncompiled: {found}\ngraphql-core: {expected}")
        return compiled

    async def execute_event(self, run: Run, event: Any) -> ExecutionResult:
        executor: Any = run.executor.build_per_event_executor(event)
        alone = self._plan.execute_alone
        found = (alone(event) if alone else None) or self._plan.execute_event(run, event)
        compiled = ExecutionResult(found, None) if isinstance(found, dict) else await _awaited(found)
        if outcome(compiled) != await self._expected(executor):
            return await self.execute(executor)
        return compiled

    @staticmethod
    async def _expected(executor: PlannedExecutor) -> str:
        fresh: Any = executor.build_per_event_executor(executor.root_value)
        return outcome(await _awaited(fresh.interpret()))


async def _awaited(result: Any) -> ExecutionResult:
    found = await result if hasattr(result, "__await__") else result
    assert isinstance(found, ExecutionResult)
    return found


def outcome(result: ExecutionResult) -> str:
    """Return the data and the errors of a result as JSON, with the order of keys, and each error's cause."""
    if any(isinstance(one.original_error, TooMuchLoadedError) for one in result.errors or ()):
        return "too much was loaded"  # which of the lists that are read together is the last, is a matter of chance
    return json.dumps({"data": result.data, "errors": [_error(one) for one in result.errors or ()]}, default=repr)


def _error(error: GraphQLError) -> dict[str, Any]:
    return {**error.formatted, "cause": repr(error.original_error)}


def examples(config: pytest.Config, share: int = 1) -> Callable[[Any], Any]:
    """Return a decorator: `--documents` examples of hypothesis, divided by `share`; the same ones without --seed."""
    chosen: int | None = config.getoption("--seed")
    most = max(config.getoption("--documents") // share, 1)
    limited = settings(
        max_examples=most, deadline=None, derandomize=chosen is None, suppress_health_check=list(HealthCheck)
    )
    return limited if chosen is None else lambda test: seed(chosen)(limited(test))


class Execution:
    """A pytest plugin: all operations of this process are executed as chosen, whatever the settings say."""

    def __init__(self, chosen: str) -> None:
        compared = ComparingPlans()
        self._differences = compared.differences
        schema.plans = compared if chosen == "both" else Plans(schema, uses=1 if chosen == "compiled" else 1_000_000)

    @staticmethod
    def add_options(parser: pytest.Parser) -> None:
        """Add the options of executions."""
        parser.addoption("--execution", choices=EXECUTIONS, default="compiled", help="both: compare the two")
        parser.addoption("--view", action="store_true", help="answer every request by the web framework's view")
        parser.addoption("--documents", type=int, default=60, help="number of documents that hypothesis makes")

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if session.config.getoption("--view"):
            os.environ["JSON_FAST_PATH"] = "off"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None]:
        """Fail a test during which the executions differed."""
        yield
        if self._differences:
            differences = "\n\n".join(self._differences)
            self._differences.clear()
            pytest.fail(differences, pytrace=False)
