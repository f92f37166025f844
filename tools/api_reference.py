"""Write the API reference, pages of Markdown, from the schema: who may use each field, its arguments and types."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_specified_scalar_type,
)
from strawberry.types.field import StrawberryField

from schema.root import schema
from schema.runtime import scope
from schema.runtime.permission import ADMIN, ANYONE, ID_ARGUMENTS, PROVEN_SESSION, SESSION, SIGNED_IN, SUPER_ADMIN

_ROOTS = {"Query": "queries", "Mutation": "mutations", "Subscription": "subscriptions"}
_AUDIENCES = {
    ANYONE: "anyone, signed in or not",
    SIGNED_IN: "any account",
    SESSION: "any account, by a session only",
    PROVEN_SESSION: "any account, by a session that has proved its second factor, if it has one",
    ADMIN: "admins, by a session only",
    SUPER_ADMIN: "super admins, by a session only",
}
_PAGES = {
    GraphQLObjectType: "objects",
    GraphQLInterfaceType: "objects",
    GraphQLUnionType: "objects",
    GraphQLInputObjectType: "inputs",
    GraphQLEnumType: "enums",
    GraphQLScalarType: "enums",
}
_TITLES = {"objects": "Objects", "inputs": "Inputs", "enums": "Enums and scalars"}
_INTRODUCTION = """# API reference

Generated from [the schema](../schema-changelog.md): everything that the API has, with who may use it.

| page | what |
| --- | --- |
| [Queries](queries.md) | {queries} fields to read |
| [Mutations](mutations.md) | {mutations} fields to change something |
| [Subscriptions](subscriptions.md) | {subscriptions} streams of what changes |
| [Objects](objects.md) | what they return |
| [Inputs](inputs.md) | what they take |
| [Enums and scalars](enums.md) | their values |

[Operations](../api.md) has each of them in use, ready to run.
"""


def write_reference(folder: Path) -> None:
    """Write the pages into a folder, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    api = build_schema(schema.as_str())
    counts = {}
    for root, page in _ROOTS.items():
        kind = api.type_map[root]
        assert isinstance(kind, GraphQLObjectType)  # noqa: S101 - a root is an object
        counts[page] = len(kind.fields)
        sections = [_field(name, field, root) for name, field in kind.fields.items()]
        _write(folder / f"{page}.md", page.capitalize(), sections)
    (folder / "index.md").write_text(_INTRODUCTION.format(**counts), encoding="utf-8")
    for page, title in _TITLES.items():
        named = [kind for _, kind in sorted(api.type_map.items()) if _page_of(kind) == page]
        _write(folder / f"{page}.md", title, [_type(kind) for kind in named])


def _write(path: Path, title: str, sections: Iterable[str]) -> None:
    path.write_text("\n\n".join([f"# {title}", *sections]) + "\n", encoding="utf-8")


def _page_of(kind: GraphQLNamedType) -> str | None:
    if kind.name in _ROOTS or kind.name.startswith("__") or is_specified_scalar_type(kind):
        return None
    return _PAGES[type(kind)]


def _field(name: str, field: GraphQLField, root: str) -> str:
    """Return the section of a root field."""
    lines = [f"## {name}", *_texts(field), f"Returns {_type_text(field.type)}. {_access(name, root)}"]
    if field.args:
        rules = ID_ARGUMENTS.get(f"{root}.{name}", {})
        lines.append(_table("argument", field.args.items(), rules))
    return "\n\n".join(lines)


def _access(name: str, root: str) -> str:
    audience = _declaration(name, root).permission_classes[-1]
    text = f"For {_AUDIENCES[audience]}"
    if audience is SIGNED_IN:
        needed = scope.SCOPES.get(f"{root}.{name}")
        text += f"; by an API key of the scope `{needed.value}`" if needed else ""
    return f"{text}."


def _declaration(name: str, root: str) -> StrawberryField:
    kind = schema.get_type_by_name(root)
    fields: list[StrawberryField] = kind.fields  # type: ignore[union-attr]  # roots are object types
    return next(field for field in fields if schema.config.name_converter.get_graphql_name(field) == name)


def _type(kind: GraphQLNamedType) -> str:
    """Return the section of a type."""
    lines = [f"## {kind.name}", *_texts(kind)]
    if isinstance(kind, GraphQLUnionType):
        lines.append("One of " + ", ".join(_name(one) for one in kind.types) + ".")
    elif isinstance(kind, GraphQLEnumType):
        values = [(f"`{name}`", _cell(value.description)) for name, value in kind.values.items()]
        lines.append(_rows(("value", "meaning"), values))
    elif isinstance(kind, GraphQLInputObjectType):
        lines.append(_table("field", kind.fields.items(), {}))
    elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        if kind.interfaces:
            lines.append("Implements " + ", ".join(_name(one) for one in kind.interfaces) + ".")
        rows = [
            (_signature(name, field), _type_text(field.type), _described(field)) for name, field in kind.fields.items()
        ]
        lines.append(_rows(("field", "type", "meaning"), rows))
    return "\n\n".join(lines)


def _texts(described: GraphQLNamedType | GraphQLField) -> list[str]:
    reason = getattr(described, "deprecation_reason", None)
    deprecated = [f'!!! warning "Deprecated"\n\n    {reason}'] if reason else []
    return [*deprecated, *([_escape(described.description)] if described.description else [])]


def _signature(name: str, field: GraphQLField) -> str:
    arguments = ", ".join(f"{key}: {argument.type}" for key, argument in field.args.items())
    return f"`{name}({arguments})`" if arguments else f"`{name}`"


def _described(field: GraphQLField) -> str:
    reason = f"Deprecated: {field.deprecation_reason} " if field.deprecation_reason else ""
    return reason + _cell(field.description)


def _table(head: str, arguments: Iterable[tuple[str, GraphQLArgument]], rules: dict[str, str]) -> str:
    rows = []
    for name, argument in arguments:
        own = [f"Takes {rule}." for path, rule in rules.items() if path.split(".")[0] == name and "." not in path]
        rows.append((f"`{name}`", _type_text(argument.type), " ".join([_cell(argument.description), *own]).strip()))
    return _rows((head, "type", "meaning"), rows)


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str | None) -> str:
    return _escape(" ".join((text or "").split())).replace("|", "\\|")


def _escape(text: str) -> str:
    return text.replace("<", "&lt;")


def _type_text(kind: object) -> str:
    """Return a type as GraphQL spells it, with a link to its section."""
    named = get_named_type(kind)  # type: ignore[call-overload]  # any type, wrapped or not
    return str(kind).replace(named.name, _name(named)) if _page_of(named) else f"`{kind}`"


def _name(kind: GraphQLNamedType) -> str:
    page = _page_of(kind)
    return f"[{kind.name}]({page}.md#{kind.name.lower()})" if page else f"`{kind.name}`"
