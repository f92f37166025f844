"""Prepared documents: what is kept of a document never lets through what a new one would be refused for."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.root import schema
from schema.runtime import complexity
from schema.runtime.complexity import MAX_COST, MAX_COST_SIGNED_OUT
from schema.runtime.document import DocumentCache, InvalidDocumentError
from schema.runtime.variables import MAX_VALUES, TooComplexError

PAGE = """query($first: Int, $filter: GenerationFilter, $ids: [ID!] = ["a", "b"]) {
  viewer { generations(first: $first, filter: $filter) { nodes { id owner { generations { nodes { id status } } } } } }
  nodes(ids: $ids) { id ... on User { stats { favorites } } } }"""
NUMBERS = (
    st.integers(-(2**70), 2**70)
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False)
    | st.integers(0, 120).map(float)
    | st.text(max_size=3)
)
VALUES = st.recursive(NUMBERS, lambda inner: st.lists(inner, max_size=120) | st.dictionaries(st.text(), inner))


def cost_of(cache: DocumentCache, text: str, variables: dict[str, Any], *, is_signed_in: bool = True) -> int | None:
    """Return the cost as the pipeline finds it: the known one, else a new one; None if it is refused."""
    prepared = cache.prepare(text, None)
    given = prepared.known_variables(variables)
    known = prepared.known_cost(variables, given, is_signed_in=is_signed_in, allows_introspection=True)
    if known is not None:
        return known
    try:
        return prepared.check(schema._schema, variables, is_signed_in=is_signed_in, allows_introspection=True)
    except InvalidDocumentError:
        return None


@settings(max_examples=150, deadline=None)
@given(
    sent=st.lists(
        st.tuples(st.fixed_dictionaries({}, optional={"first": VALUES, "filter": VALUES, "ids": VALUES}), st.booleans())
    )
)
def test_known_costs_equal_new_ones_for_any_variables(sent: list[tuple[dict[str, Any], bool]]) -> None:
    cache = DocumentCache()
    for variables, is_signed_in in sent:
        document = cache.prepare(PAGE, None).document
        try:
            expected = complexity.check(schema._schema, document, variables, is_signed_in=is_signed_in)
        except TooComplexError:
            expected = None
        assert cost_of(cache, PAGE, variables, is_signed_in=is_signed_in) == expected


def test_cheap_variables_do_not_let_costly_ones_through() -> None:
    cache = DocumentCache()
    assert cost_of(cache, PAGE, {"first": 1}) is not None
    assert cost_of(cache, PAGE, {"first": 100}) is None
    assert cost_of(cache, PAGE, {"first": 100.0}) is None, "GraphQL takes it as an Int"
    assert cost_of(cache, PAGE, {"first": 1}) is not None
    assert cost_of(cache, PAGE, {"first": 1, "more": [0] * MAX_VALUES}) is None, (
        "it is counted though the document does not declare it"
    )


def test_document_for_the_signed_in_stays_too_expensive_for_others() -> None:
    text = "{" + " ".join(f"a{number}: plans {{ id }}" for number in range(MAX_COST_SIGNED_OUT // 100)) + "}"
    cache = DocumentCache()
    found = [cost_of(cache, text, {}, is_signed_in=is_signed_in) for is_signed_in in (False, True, False, True)]
    assert found[0] is found[2] is None
    assert found[1] == found[3] is not None


@pytest.mark.parametrize("ids", [-1_000_000, 0, 5, True, [], ["a"]])
def test_number_in_place_of_ids_does_not_lower_the_cost(ids: Any) -> None:
    page = "viewer { generations(first: 100) { nodes { id } } }"
    costly = " ".join(f"p{number}: {page}" for number in range(20))
    text = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ id }} {costly} }}"
    rest = cost_of(DocumentCache(), f"{{ {costly} }}", {})
    assert rest is not None
    assert (cost_of(DocumentCache(), text, {"ids": ids}) or MAX_COST) > rest


def test_only_operations_of_the_document_are_kept_and_the_oldest_is_dropped() -> None:
    cache = DocumentCache(most=2)
    for number in range(10):
        assert cache.prepare("query A { __typename } query B { __typename }", f"made-up-{number}").kind is None
    assert cache.find("query A { __typename } query B { __typename }", "made-up-0") is None
    first, second = (cache.prepare("query A { __typename } query B { __typename }", name) for name in "AB")
    assert cache.find(first.text, "A") is first
    assert cache.prepare("{ __typename }", None) is cache.find("{ __typename }", None)
    assert cache.find(first.text, "A") is first
    assert cache.find(second.text, "B") is None


def test_introspection_by_an_admin_is_not_valid_for_others() -> None:
    text = '{ __type(name: "User") { name } viewer { id } }'
    prepared = DocumentCache().prepare(text, None)
    prepared.check(schema._schema, {}, is_signed_in=True, allows_introspection=True)
    assert prepared.known_cost({}, is_signed_in=True, allows_introspection=True) is not None
    assert prepared.known_cost({}, is_signed_in=True, allows_introspection=False) is None
    with pytest.raises(InvalidDocumentError):
        prepared.check(schema._schema, {}, is_signed_in=True, allows_introspection=False)
