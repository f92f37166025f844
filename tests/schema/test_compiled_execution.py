"""Compiled operations against graphql-core: the same data, errors, paths and order of keys."""

from typing import Any

import pytest
from graphql import ExecutionResult, parse

from schema.runtime.compilation.plan import compile_query
from schema.runtime.compilation.selection import switch_names
from tests.support.executions import outcome
from tests.support.random_documents import random_document
from tests.support.synthetic_schema import Outcomes, SyntheticExecutor, schema

SHARE = 10  # of the documents' parts that run at once
TROUBLE = (0.0, 0.05, 0.15, 0.4)


def is_resolver(path: str) -> bool:
    """Return whether a field has a resolver: what is wrong with an attribute is left to graphql-core."""
    return path.startswith("Query.") or path.partition(".")[2].startswith(("sync", "async"))


def executor_of(text: str, variables: Any, context: Any) -> SyntheticExecutor | None:
    """Return an executor; None if the variables are invalid."""
    made = SyntheticExecutor.build(schema._schema, parse(text), None, context, dict(variables), hide_suggestions=True)
    return None if isinstance(made, list) else made  # type: ignore[return-value]  # `build` returns this class


async def awaited(result: Any) -> ExecutionResult:
    found: ExecutionResult = await result if hasattr(result, "__await__") else result
    return found


async def both(text: str, variables: Any, context: Any) -> tuple[str, str]:
    """Return the outcome of the compiled operation, and that of graphql-core."""
    executor = executor_of(text, variables, context)
    if executor is None:
        return "", ""
    document = parse(text)
    coerced = executor.variable_values.coerced
    plan = compile_query(schema, document, None, {name: bool(coerced[name]) for name in switch_names(document)})
    compiled = await awaited(plan.execute(executor))
    interpreted = await awaited(executor.build_per_event_executor(None).interpret())  # type: ignore[attr-defined]
    return outcome(compiled), outcome(interpreted)


@pytest.mark.parametrize("part", range(SHARE))
async def test_random_document_compiled_has_the_outcome_of_graphql_core(part: int, pytestconfig: pytest.Config) -> None:
    """The order of errors included: awaitables are gathered as graphql-core does."""
    seed, count = pytestconfig.getoption("--seed") or 0, pytestconfig.getoption("--documents")
    for number in range(seed + part, seed + count, SHARE):
        is_used = is_resolver if number % 3 else lambda _: True
        text, variables = random_document(schema._schema, f"document {number}", is_used, max_depth=3)
        compiled, expected = await both(text, variables, Outcomes(number, TROUBLE[number % len(TROUBLE)]))
        assert compiled == expected, f"--seed {number}: {text} {variables}"
