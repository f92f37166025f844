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
    assert len(operation._coerced) <= 64


async def test_arguments_of_earlier_variables_are_not_used(server: Running) -> None:
    counts = []
    for first in (1, 2, 1, 3, 2):
        found = await server.api.execute(QUERY, first=first)
        counts.append(len(found["styles"]["nodes"]))
    assert counts == [1, 2, 1, 3, 2]
