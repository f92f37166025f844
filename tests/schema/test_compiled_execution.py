"""Compiled operations against graphql-core: the same data, errors, paths and order of keys."""

import asyncio
import re
from typing import Any

import pytest
from graphql import ExecutionResult, parse
from hypothesis import given
from hypothesis import strategies as st

from schema.runtime.compilation.plan import compile_query
from schema.runtime.compilation.selection import switch_names
from tests.support.executions import examples, outcome
from tests.support.random_documents import documents
from tests.support.synthetic_schema import WRONG, Color, OutcomeError, SyntheticExecutor, Wrong, node, outcomes, schema

# How many kinds of values there are, of which WRONG has the wrong ones.
TROUBLE = (0, 30 * len(WRONG), 6 * len(WRONG), 2 * len(WRONG))


def any_field(path: str) -> bool:
    """Return True."""
    return True


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
    return comparable(compiled), comparable(interpreted)


def comparable(result: ExecutionResult) -> str:
    """Return the outcome without the addresses of objects."""
    return re.sub("0x[0-9a-f]+", "", outcome(result))


@pytest.mark.filterwarnings("ignore:coroutine", "ignore:Exception ignored")  # beside an error, some are not awaited
@pytest.mark.parametrize("most", TROUBLE)
def test_any_document_with_any_data_has_the_outcome_of_graphql_core(most: int, pytestconfig: pytest.Config) -> None:
    """The order of errors included: awaitables are gathered as graphql-core does."""

    @examples(pytestconfig, share=len(TROUBLE))
    @given(
        documents(schema._schema, is_resolver, max_depth=3) | documents(schema._schema, any_field, max_depth=3),
        st.data(),
    )
    def compare(document: tuple[str, Any], data: st.DataObject) -> None:
        text, variables = document
        compiled, expected = asyncio.run(both(text, variables, outcomes(data, most)))
        assert compiled == expected, f"{text} {variables}"

    compare()


@pytest.mark.parametrize(
    "value", [[], {}, {"a": []}, [[None]], set(), 1, 1.5, "red", "RED", b"red", Color.RED, Wrong()]
)
async def test_any_value_of_an_enum_has_the_outcome_of_graphql_core(value: Any) -> None:
    class Same:
        def value(self, place: str, shape: str) -> Any:
            return value if shape == "Color" else node(shape, place, self)  # type: ignore[arg-type]  # as Outcomes

    for field in ("color", "maybeColor", "syncColor", "asyncMaybeColor"):
        compiled, expected = await both(f"{{ alpha {{ maybe {{ {field} }} }} }}", {}, Same())
        assert compiled == expected


@pytest.mark.filterwarnings("ignore:coroutine", "ignore:Exception ignored")
@pytest.mark.parametrize("field", ["asyncMany", "many", "asyncThings", "asyncBoard"])
async def test_errors_beside_an_error_that_nulls_their_object_later_are_those_of_graphql_core(field: str) -> None:
    """What waits beside such an error goes on until the null reaches its place."""

    class Failing:
        def value(self, place: str, shape: str) -> Any:
            if shape.startswith("["):
                return [node("Alpha", f"{place}/0", self), None, 5]  # type: ignore[arg-type]  # as Outcomes
            return OutcomeError(place) if shape == "str" else node("Alpha", place, self)  # type: ignore[arg-type]

    for label in range(40):  # the label decides how long the resolvers wait
        inner = f'... on Alpha {{ asyncMaybeText(label: "{label}") b: asyncMaybeText asyncText(label: "{label}") }}'
        text = f"{{ alpha {{ maybe {{ a: asyncMaybeText {field} {{ {inner} }} }} }} }}"
        compiled, expected = await both(text, {}, Failing())
        assert compiled == expected, text
