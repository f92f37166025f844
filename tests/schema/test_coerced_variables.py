"""Variables that were sent before: coerced once, apart from equal values of other types, and not if they are large."""

from typing import Any

import pytest

from schema.root import schema
from schema.runtime.compilation.executor import LazyExecutor
from schema.runtime.compilation.plan import compile_query
from schema.runtime.compilation.run import FieldPlan, Run
from schema.runtime.document import DocumentCache, PreparedOperation
from tests.conftest import Running
from tests.support.client import Api

QUERY = "query($first: Int!, $cursor: String) { styles(first: $first, after: $cursor) { nodes { slug } } }"


@pytest.fixture
def operation() -> PreparedOperation:
    return DocumentCache().prepare(QUERY, None)


def test_equal_scalars_are_coerced_once(operation: PreparedOperation) -> None:
    first = operation.coerce(schema._schema, {"first": 3})
    assert first is not None
    assert first.values.coerced == {"first": 3}
    assert operation.coerce(schema._schema, {"first": 3}) is first
    assert operation.coerce(schema._schema, {"first": 4}) is not first


@pytest.mark.parametrize("value", [True, "3", None, [3], {"a": 3}])
def test_invalid_value_that_equals_a_valid_one_stays_invalid(operation: PreparedOperation, value: object) -> None:
    assert operation.coerce(schema._schema, {"first": 1}) is not None
    assert operation.coerce(schema._schema, {"first": value}) is None


def test_integral_float_is_coerced_to_an_int(operation: PreparedOperation) -> None:
    assert operation.coerce(schema._schema, {"first": 1}) is not None
    found = operation.coerce(schema._schema, {"first": 1.0})
    assert found is not None
    assert type(found.values.coerced["first"]) is int


def test_long_texts_and_other_names_are_not_kept_without_bound(operation: PreparedOperation) -> None:
    long = operation.coerce(schema._schema, {"first": 1, "cursor": "x" * 1000})
    assert long is not None
    assert long.arguments is None
    for number in range(500):
        operation.coerce(schema._schema, {"first": 1, "cursor": str(number)})
    assert len(operation._known) <= 64
    for name, value in (("other", 1), ("cursor", "x" * 513), ("cursor", [1]), ("first", 2**63), ("first", -(10**4000))):
        assert operation.known_variables({"first": 1, name: value}) is None
    assert operation.known_variables({"first": 2**63 - 1, "cursor": "x" * 512}) is not None
    names = [f"v{number}" for number in range(17)]
    many = f"query({' '.join(f'${name}: Int' for name in names)}) {{ viewer {{ id }} }}"
    prepared = schema.documents.prepare(many, None)
    assert prepared.known_variables(dict.fromkeys(names[:16], 1)) is not None
    assert prepared.known_variables(dict.fromkeys(names, 1)) is None


def test_zeros_of_both_signs_are_not_known() -> None:
    operation = schema.documents.prepare("query($cap: Float) { viewer { id @include(if: false) } }", None)
    assert operation.known_variables({"cap": 0.5}) is not None
    assert [operation.known_variables({"cap": value}) for value in (0.0, -0.0)] == [None, None]


def test_known_variables_differ_by_type(operation: PreparedOperation) -> None:
    found = [operation.known_variables({"first": value}) for value in (1, 1.0, True, "1", None)]
    assert len({id(known) for known in found}) == 5
    assert operation.known_variables({"first": 1}) is found[0]


def test_known_cost_depends_on_the_values_and_on_who_asks(operation: PreparedOperation) -> None:
    for first in (1, 50, 1):
        variables = {"first": first}
        known = operation.known_variables(variables)
        cost = operation.check(schema._schema, variables, is_signed_in=True, allows_introspection=False)
        assert operation.known_cost(variables, known, is_signed_in=True, allows_introspection=False) == cost
        assert known is not None
        assert known.costs == {True: cost}
    known = operation.known_variables({"first": 2})
    assert operation.known_cost({"first": 2}, known, is_signed_in=True, allows_introspection=True) is None


def test_arguments_are_kept_once_however_often_the_operation_is_compiled(operation: PreparedOperation) -> None:
    coerced = operation.coerce(schema._schema, {"first": 3})
    assert coerced is not None
    for _ in range(3):
        plan = compile_query(schema, operation.document)
        run = Run(LazyExecutor(lambda: pytest.fail("not needed"), None, coerced.values, coerced.arguments))
        fields = [value for value in plan._execute.__globals__.values() if isinstance(value, FieldPlan)]
        assert run.arguments(fields[0]) == {"first": 3}
    assert coerced.arguments is not None
    assert len(coerced.arguments) == 1


async def test_arguments_of_earlier_variables_are_not_used(server: Running) -> None:
    counts = []
    for first in (1, 2, 1, 3, 2):
        found = await server.api.execute(QUERY, first=first)
        counts.append(len(found["styles"]["nodes"]))
    assert counts == [1, 2, 1, 3, 2]


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query($w: Boolean = true) { deployment { product @include(if: $w) } }", {"w": None}),
        ("query($w: Boolean = false) { deployment @skip(if: $w) { __typename } }", {"w": None}),
        ('query($id: ID = "x") { node(id: $id) { id } }', {"id": None}),
        ('query($s: String = "x") { style(slug: $s) { id } }', {"s": None}),
        ('mutation($n: String = "A") { createAlbum(name: $n) { album { id } } }', {"n": None}),
    ],
)
async def test_null_for_a_variable_with_a_default_is_the_clients_mistake(
    ada: Api, query: str, variables: dict[str, Any]
) -> None:
    for _ in range(3):
        [error] = (await ada.raw(query, **variables)).json()["errors"]
        assert error["extensions"]["code"] == "INVALID_INPUT"
        assert "null" in error["message"].lower() or "None" in error["message"]
