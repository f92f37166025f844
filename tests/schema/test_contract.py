"""The schema as a contract: it is printed, described, and every root field and ID argument has a permission."""

from collections.abc import Iterator
from datetime import date
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
from strawberry.types.field import StrawberryField

from schema.root import schema
from schema.runtime.payload import RefusalsAsErrors
from schema.runtime.permission import (
    ADMIN,
    ANYONE,
    ID_ARGUMENTS,
    PROVEN_SESSION,
    SESSION,
    SIGNED_IN,
    SUPER_ADMIN,
    Writable,
)
from tools import schema_changes

PRINTED = Path(__file__).parents[2] / "schema" / "schema.graphql"
ROOTS = ("Query", "Mutation", "Subscription")
ROOT_PREFIXES = tuple(f"{root}." for root in ROOTS)

# Built from the printed file, which clients read, instead of the Python objects.
contract = build_schema(PRINTED.read_text(encoding="utf-8"))


def types() -> list[GraphQLNamedType]:
    """Return the types defined by this schema, in its order."""
    specified = {"Boolean", "Float", "ID", "Int", "String"}
    return [kind for name, kind in contract.type_map.items() if not name.startswith("__") and name not in specified]


def fields() -> Iterator[tuple[str, GraphQLField]]:
    """Yield every field of every object type as `Type.field`."""
    for kind in types():
        if isinstance(kind, GraphQLObjectType):
            yield from ((f"{kind.name}.{name}", field) for name, field in kind.fields.items())


def ids_taken(
    inputs: dict[str, GraphQLArgument] | dict[str, GraphQLInputField], enclosing: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield the path of every ID among the arguments, also within input objects (`input.styleId`)."""
    for name, given in inputs.items():
        kind = get_named_type(given.type)
        if kind is GraphQLID or kind.name == "ID":
            yield name
        elif isinstance(kind, GraphQLInputObjectType) and kind.name not in enclosing:
            yield from (f"{name}.{path}" for path in ids_taken(kind.fields, (*enclosing, kind.name)))


def test_printed_schema_is_up_to_date() -> None:
    assert PRINTED.read_text(encoding="utf-8") == schema.as_str() + "\n", "run `make schema`"


def test_optional_arguments_have_no_null_default() -> None:
    assert "= null" not in print_schema(contract)


def root_fields(root: str) -> dict[str, StrawberryField]:
    """Return the declarations of one root type by their names in the API."""
    kind = schema.get_type_by_name(root)
    fields: list[StrawberryField] = kind.fields  # type: ignore[union-attr]  # roots are object types
    return {schema.config.name_converter.get_graphql_name(field): field for field in fields}


def test_every_root_field_has_an_audience() -> None:
    for root in ROOTS:
        for name, field in root_fields(root).items():
            audience = field.permission_classes[-1]
            assert audience in {ANYONE, SIGNED_IN, SESSION, PROVEN_SESSION, ADMIN, SUPER_ADMIN}, name
            assert issubclass(audience, ADMIN) == name.startswith("admin"), name


def test_every_id_rule_names_a_field_that_takes_an_id() -> None:
    assert set(ID_ARGUMENTS) - {name for name, field in fields() if list(ids_taken(field.args))} == set()


def test_every_id_argument_has_a_rule() -> None:
    taken = {name: set(ids_taken(field.args)) for name, field in fields()}
    ruled = {name: set(rules) for name, rules in ID_ARGUMENTS.items()}
    assert {name: ids for name, ids in taken.items() if ids} == {name: ids for name, ids in ruled.items() if ids}
    assert "input.styleId" in taken["Mutation.createGeneration"]
    assert all(rule for rules in ID_ARGUMENTS.values() for rule in rules.values())


SIGNING_IN = {"signIn", "signOut", "renewConnection", "createSignInNonce", "signInWithIdToken"}
SIGNING_IN |= {"startSecondFactor", "confirmSecondFactor", "verifySecondFactor"}  # so that an admin can end it


@pytest.mark.parametrize("root", ROOTS)
def test_only_user_mutations_other_than_sign_in_and_out_are_refused_while_read_only(root: str) -> None:
    for name, field in root_fields(root).items():
        *before, _ = field.permission_classes
        is_refused = root == "Mutation" and not name.startswith("admin") and name not in SIGNING_IN
        assert before == ([Writable] if is_refused else []), name


def test_every_mutation_returns_refusals_in_its_payload() -> None:
    assert contract.mutation_type
    for name, field in root_fields("Mutation").items():
        extensions = [one for one in field.extensions if isinstance(one, RefusalsAsErrors)]
        assert field.extensions[:1] == extensions, f"{name}: permissions are checked outside of it"
        payload = get_named_type(contract.mutation_type.fields[name].type)
        assert isinstance(payload, GraphQLObjectType)
        assert (extensions[0].payload is not None) == ("errors" in payload.fields), name
        assert "errors" in payload.fields or name == "signOut"
        if extensions[0].payload is not None:
            assert extensions[0].payload().errors == [], f"{name}: every field has a value for a refused request"


def test_every_root_field_has_a_description() -> None:
    undescribed = [name for name, field in fields() if name.startswith(ROOT_PREFIXES) and not field.description]
    assert undescribed == []


def test_enums_scalars_interfaces_and_nodes_have_a_description() -> None:
    undescribed = [
        kind.name
        for kind in types()
        if not kind.description
        and (
            isinstance(kind, GraphQLEnumType | GraphQLScalarType | GraphQLInterfaceType)
            or (isinstance(kind, GraphQLObjectType) and kind.interfaces)
        )
    ]
    assert undescribed == []


def test_descriptions_are_sentences() -> None:
    descriptions = {kind.name: kind.description for kind in types()}
    descriptions |= {name: field.description for name, field in fields()}
    for kind in types():
        if isinstance(kind, GraphQLInputObjectType):
            descriptions |= {f"{kind.name}.{name}": field.description for name, field in kind.fields.items()}
    malformed = {
        name: text
        for name, text in descriptions.items()
        if text and (not text.endswith((".", ").")) or "  " in text or text != text.strip() or text[0].islower())
    }
    assert malformed == {}


def test_payload_errors_are_a_non_null_list() -> None:
    errors = {name: str(field.type) for name, field in fields() if name.endswith("Payload.errors")}
    assert errors
    assert set(errors.values()) == {"[UserError!]!"}


def test_changelog_is_in_step_with_the_schema() -> None:
    text = schema_changes.CHANGELOG.read_text(encoding="utf-8")
    released = schema_changes.read(schema_changes.RELEASED)
    assert text == schema_changes.changelog(text, released, contract), "run `make schema`"


def test_nothing_released_is_removed_or_changed_unless_it_was_deprecated_before() -> None:
    released = schema_changes.read(schema_changes.RELEASED)
    assert schema_changes.broken_promises(released, contract, date.today()) == []


def test_deprecations_name_what_to_use_and_the_day_up_to_which_they_are_kept() -> None:
    for name, reason in schema_changes.deprecations(contract).items():
        assert reason.startswith("Use `"), name
        assert schema_changes.last_day(reason), name


OLD = """
type Query {
  gone: Int @deprecated(reason: "Use `new` instead. Kept until 2026-01-31.")
  soon: Int @deprecated(reason: "Use `new` instead. Kept until 2026-12-31.")
  kept(size: Int, width: Int @deprecated(reason: "Use `size` instead. Kept until 2026-01-31.")): Kind
}
enum Kind { A B @deprecated(reason: "Use `A` instead. Kept until 2026-01-31.") }"""


def test_deprecated_parts_may_go_after_their_day_and_nothing_else_ever() -> None:
    old, today = build_schema(OLD), date(2026, 2, 1)
    assert set(schema_changes.deprecations(old)) == {"Query.gone", "Query.soon", "Query.kept(width:)", "Kind.B"}
    new = build_schema("type Query { soon: Int kept(size: Int): Kind new: Int } enum Kind { A }")
    assert schema_changes.broken_promises(old, new, today) == []
    assert len(schema_changes.broken_promises(old, new, date(2026, 1, 31))) == 3
    other = build_schema("type Query { gone: Int kept(size: Int!, width: Int): Kind } enum Kind { A B }")
    assert len(schema_changes.broken_promises(old, other, today)) == 2  # `soon`, and `size` that is required
    text = schema_changes.section(old, new)
    assert "- Field `Query.gone` was removed." in text
    assert "- Field `Query.new` was added." in text
    assert schema_changes.section(new, old).count("Kept until") == 4
