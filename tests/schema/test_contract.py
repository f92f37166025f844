"""The contract: the printed schema is the code's, and every root field and every id has its rule."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    build_schema,
    get_named_type,
    print_schema,
)
from graphql.type.definition import GraphQLArgument

from schema.root import schema
from schema.runtime.permission import IN_MAINTENANCE, TABLE, NotReadOnly

PRINTED = Path(__file__).parents[2] / "schema" / "schema.graphql"
ROOTS = ("Query.", "Mutation.", "Subscription.")

# Built from the printed text: what clients read, not what Python holds.
contract = build_schema(PRINTED.read_text(encoding="utf-8"))


def types() -> list[GraphQLNamedType]:
    """The types of our own, in the contract's order."""
    specified = {"Boolean", "Float", "ID", "Int", "String"}
    return [kind for name, kind in contract.type_map.items() if not name.startswith("__") and name not in specified]


def fields() -> Iterator[tuple[str, GraphQLField]]:
    """`Type.field` for every field of every object."""
    for kind in types():
        if isinstance(kind, GraphQLObjectType):
            yield from ((f"{kind.name}.{name}", field) for name, field in kind.fields.items())


def ids_taken(
    inputs: dict[str, GraphQLArgument] | dict[str, GraphQLInputField], around: tuple[str, ...] = ()
) -> Iterator[str]:
    """The path of every ID among arguments, also inside of input objects (`input.styleId`)."""
    for name, given in inputs.items():
        kind = get_named_type(given.type)
        if kind is GraphQLID or kind.name == "ID":
            yield name
        elif isinstance(kind, GraphQLInputObjectType) and kind.name not in around:
            yield from (f"{name}.{path}" for path in ids_taken(kind.fields, (*around, kind.name)))


def test_the_printed_schema_is_the_one_of_the_code() -> None:
    assert PRINTED.read_text(encoding="utf-8") == schema.as_str() + "\n", "run `make schema`"


def test_what_may_be_left_out_has_no_null_default() -> None:
    assert "= null" not in print_schema(contract)


def test_every_root_field_has_a_line_in_the_permission_table() -> None:
    roots = {name for name, _ in fields() if name.startswith(ROOTS)}
    assert roots - set(TABLE) == set()


def test_every_line_of_the_permission_table_names_a_root_field_or_one_that_takes_ids() -> None:
    named = {name for name, field in fields() if name.startswith(ROOTS) or list(ids_taken(field.args))}
    assert set(TABLE) - named == set()


def test_every_id_that_comes_from_outside_has_its_rule() -> None:
    taken = {name: set(ids_taken(field.args)) for name, field in fields()}
    ruled = {name: set(rules) for name, (_, rules) in TABLE.items()}
    assert {name: ids for name, ids in taken.items() if ids} == {name: ids for name, ids in ruled.items() if ids}
    assert "input.styleId" in taken["Mutation.createGeneration"]
    assert all(rule for _, rules in TABLE.values() for rule in rules.values())


@pytest.mark.parametrize("root", ROOTS)
def test_every_root_field_asks_the_permission_that_the_table_gives_it(root: str) -> None:
    kind = schema.get_type_by_name(root.removesuffix("."))
    for field in kind.fields:  # type: ignore[union-attr]  # roots are object types
        name = schema.config.name_converter.get_graphql_name(field)
        *before, asked = field.permission_classes
        assert asked is TABLE[root + name][0], name
        may_be_off = root == "Mutation." and not name.startswith("admin") and root + name not in IN_MAINTENANCE
        assert before == ([NotReadOnly] if may_be_off else []), name


def test_every_root_field_says_what_it_is_for() -> None:
    silent = [name for name, field in fields() if name.startswith(ROOTS) and not field.description]
    assert silent == []


def test_enums_scalars_interfaces_and_things_with_an_id_say_what_they_are() -> None:
    silent = [
        kind.name
        for kind in types()
        if not kind.description
        and (
            isinstance(kind, GraphQLEnumType | GraphQLScalarType | GraphQLInterfaceType)
            or (isinstance(kind, GraphQLObjectType) and kind.interfaces)
        )
    ]
    assert silent == []


def test_descriptions_are_sentences() -> None:
    told = {kind.name: kind.description for kind in types()}
    told |= {name: field.description for name, field in fields()}
    for kind in types():
        if isinstance(kind, GraphQLInputObjectType):
            told |= {f"{kind.name}.{name}": field.description for name, field in kind.fields.items()}
    odd = {
        name: text
        for name, text in told.items()
        if text and (not text.endswith((".", ").")) or "  " in text or text != text.strip() or text[0].islower())
    }
    assert odd == {}


def test_payloads_with_errors_always_list_them() -> None:
    errors = {name: str(field.type) for name, field in fields() if name.endswith("Payload.errors")}
    assert errors
    assert set(errors.values()) == {"[UserError!]!"}
