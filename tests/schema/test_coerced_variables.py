"""Variables that were sent before: coerced once, apart from equal values of other types, and not if they are large."""

import pytest

from schema.root import schema
from schema.runtime.document import PreparedOperation
from tests.conftest import Running

QUERY = "query($first: Int!, $cursor: String) { styles(first: $first, after: $cursor) { nodes { slug } } }"


@pytest.fixture
def operation() -> PreparedOperation:
    return schema.documents.prepare(QUERY, None)


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
        operation.coerce(schema._schema, {"first": 1, f"other{number}": number})
    assert len(operation._known) <= 64
    for name, value in (("x" * 129, 1), ("other", "x" * 129), ("other", [1])):
        assert operation.known_variables({"first": 1, name: value}) is None
    assert operation.known_variables({f"other{number}": number for number in range(17)}) is None


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


async def test_arguments_of_earlier_variables_are_not_used(server: Running) -> None:
    counts = []
    for first in (1, 2, 1, 3, 2):
        found = await server.api.execute(QUERY, first=first)
        counts.append(len(found["styles"]["nodes"]))
    assert counts == [1, 2, 1, 3, 2]
