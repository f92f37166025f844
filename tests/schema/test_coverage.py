"""What the account's version covers: a table of every field, and the documents that it allows to keep."""

from typing import Any

import pytest
from graphql import GraphQLObjectType, parse

from schema.root import schema
from schema.runtime.coverage import CATALOGUE, COVERED, NOT_COVERED, Caching, caching_of, coverage_of

GALLERY = "viewer { credits generations(%s) { nodes { id status } pageInfo { hasNextPage } } }"


def fields_of(table: Any) -> set[str]:
    return {f"{kind}.{name}" for kind, names in table.items() for name in names.split()}


def test_every_field_is_in_one_of_the_tables() -> None:
    objects = [
        kind
        for name, kind in schema._schema.type_map.items()
        if hasattr(kind, "fields") and not name.startswith("__") and not name.endswith("Input")
    ]
    outputs = [kind for kind in objects if isinstance(kind, GraphQLObjectType) or name_of(kind) in NOT_COVERED]
    existing = {
        f"{kind.name}.{name}"
        for kind in outputs
        if kind.name not in ("Mutation", "Subscription")
        for name in kind.fields
    }
    assert fields_of(COVERED) | fields_of(NOT_COVERED) == existing
    assert not fields_of(COVERED) & fields_of(NOT_COVERED)


def name_of(kind: Any) -> str:
    return str(kind.name)


@pytest.mark.parametrize(
    "field",
    [
        "Query.node", "Query.styles", "Query.collections", "Query.admin", "Query.quote", "User.isMember", "User.pass",
        "User.stats", "User.storage", "User.maxBatch", "User.membership", "User.apiKeys", "User.transactions",
        "Generation.style", "Generation.original", "Generation.result", "Generation.queuePosition",
        "Generation.estimatedSeconds", "Generation.parent", "Generation.owner", "MediaFile.url", "ApiKey.lastUsedAt",
    ],
)  # fmt: skip
def test_what_depends_on_time_links_or_other_rows_is_not_covered(field: str) -> None:
    assert field in fields_of(NOT_COVERED)


@pytest.mark.parametrize(
    ("document", "is_covered"),
    [
        ("{ " + GALLERY % "first: 20" + " __typename }", True),
        ("{ ...F } fragment F on Query { " + GALLERY % "last: 2, orderBy: OLDEST" + " }", True),
        ("{ " + GALLERY % "filter: null" + " }", True),
        ('{ viewer { ... on User { generation(id: "gen_1") { progress message } } } }', True),
        ("{ " + GALLERY % "filter: {isFavorite: true}" + " }", False),
        ("query($f: GenerationFilter = {}) { " + GALLERY % "filter: $f" + " }", False),
        ("{ " + GALLERY % "first: 1" + " styles { nodes { id } } }", False),
        ("{ viewer { ... on Node { id } isMember } }", False),
        ("{ viewer { generations { nodes { style { title } } } } }", False),
        ("{ __schema { types { name } } }", False),
        ("mutation { signOut { sessionsEnded } }", False),
        ("subscription { creditsChanged { credits } }", False),
    ],
)
def test_document_is_covered_only_with_all_of_its_fields(document: str, is_covered: bool) -> None:
    assert (coverage_of(schema._schema, parse(document)) is not None) is is_covered


def test_filter_in_a_variable_is_covered_while_it_is_null() -> None:
    found = coverage_of(schema._schema, parse("query($f: GenerationFilter) { " + GALLERY % "filter: $f" + " }"))
    assert found is not None
    assert found.includes({})
    assert found.includes({"f": None, "g": 1})
    assert not found.includes({"f": {}})


def test_catalogue_is_a_part_of_the_schema_without_accounts() -> None:
    assert fields_of(CATALOGUE) <= fields_of(COVERED) | fields_of(NOT_COVERED)
    assert not {"User", "Generation", "MediaFile", "Quote", "Admin"} & set(CATALOGUE)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{ __typename styles { nodes { ...F } } } fragment F on Style { title collection { slug } }", "CATALOGUE"),
        ("{ deployment { version upload { formats } models { id } } }", "CATALOGUE"),
        ("{ deployment { version status { readOnly } } styles { nodes { slug } } }", "CURRENT"),
        ("{ deployment { status { readOnly } } viewer { email } }", "PRIVATE"),
        ("{ styles { nodes { slug } } viewer { email } }", "PRIVATE"),
        ("{ viewer { email } styles { nodes { slug } } }", "PRIVATE"),
        ("{ viewer { isMember } styles { nodes { slug } } }", "NONE"),
        ("{ quote(input: {}) { cost } }", "NONE"),
        ('{ node(id: "sty_1") { id } }', "NONE"),
        ("{ __schema { types { name } } }", "NONE"),
    ],
)
def test_answer_may_be_stored_only_with_all_of_its_fields(document: str, expected: str) -> None:
    assert caching_of(schema._schema, parse(document)) is Caching[expected]
