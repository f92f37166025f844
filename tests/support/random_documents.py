"""Random valid documents over a schema, with fragments, aliases, conditions, variables and merged fields."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_leaf_type,
    parse,
    validate,
)
from hypothesis import assume
from hypothesis import strategies as st

_LITERALS: dict[str, list[str]] = {
    "String": ['""', '"x"', '"引"'],
    "Int": ["0", "3", "1"],
    "Float": ["0.5", "2"],
    "Boolean": ["true", "false"],
    "ID": ['"none"', "7"],
    "DateTime": ['"2026-01-02T03:04:05Z"'],
    "JSON": ['{a: [1, "b"]}', "null", "[]"],
}
_VARIABLES: dict[str, list[Any]] = {
    "String": ["", "x"],
    "Int": [0, 2],
    "Boolean": [True, False],
    "ID": ["none", 7],
}
_INVALID: list[Any] = [None, 5, "no", 2**40, [1], {}, 1.0, 1.5, True, "1", "", [[None]], 1e300, "\ud800"]

Choose = Callable[[str], bool]  # whether a field, `Type.name`, is used


@dataclass
class RandomDocument:
    """Makes one document. `values`: the variables to send with it."""

    schema: GraphQLSchema
    chance: random.Random
    is_used: Choose
    max_depth: int = 4
    values: dict[str, Any] = field(default_factory=dict)
    _definitions: dict[str, str] = field(default_factory=dict)
    _fragments: dict[str, str] = field(default_factory=dict)
    _nested_fragments: int = 0

    def text(self) -> str | None:
        """Return a query; None if what was made is not valid."""
        kind = self.schema.query_type
        assert kind is not None
        selected = self._selection(kind, self.max_depth)
        definitions = ", ".join(f"${name}: {kind}" for name, kind in self._definitions.items())
        text = f"query Made{f'({definitions})' if definitions else ''} {selected} {' '.join(self._fragments.values())}"
        return None if validate(self.schema, parse(text)) else text

    def _selection(self, kind: Any, depth: int) -> str:
        parts = [self._part(kind, depth) for _ in range(self.chance.randint(1, 4))]
        return "{ " + " ".join(parts if any(parts) else ["__typename"]) + " }"

    def _part(self, kind: Any, depth: int) -> str:
        roll = self.chance.random()
        if roll < 0.08:
            return "__typename" + self._condition()
        if roll < 0.3:
            return self._fragment(kind, depth)
        fields = getattr(kind, "fields", {})
        names = [name for name, one in fields.items() if self._is_possible(f"{kind.name}.{name}", one, depth)]
        if not names:
            return self._fragment(kind, depth) if is_abstract_type(kind) and depth > 0 else "__typename"
        name = self.chance.choice(names)
        return self._field(name, fields[name], depth)

    def _is_possible(self, path: str, one: GraphQLField, depth: int) -> bool:
        return self.is_used(path) and (depth > 1 or is_leaf_type(get_named_type(one.type)))

    def _field(self, name: str, one: GraphQLField, depth: int) -> str:
        given = {key: self._argument(argument.type) for key, argument in one.args.items() if self._is_given(argument)}
        arguments = f"({', '.join(f'{key}: {value}' for key, value in given.items())})" if given else ""
        # Equal fields may be merged: an alias has always the same arguments, but for those with variables.
        alias = f"a{crc32((name + arguments).encode()) % 9973}: " if arguments or self.chance.random() < 0.2 else ""
        named = get_named_type(one.type)
        inner = f" {self._selection(named, depth - 1)}" if is_composite_type(named) else ""
        return f"{alias}{name}{arguments}{self._condition()}{inner}"

    def _is_given(self, argument: Any) -> bool:
        is_required = isinstance(argument.type, GraphQLNonNull) and argument.default_value is None
        return is_required or self.chance.random() < 0.4

    def _argument(self, kind: Any) -> str:
        named = get_named_type(kind)
        if self.chance.random() < 0.3 and named.name in _VARIABLES and not isinstance(kind, GraphQLList):
            return self._variable(str(kind), self.chance.choice(_VARIABLES[named.name]))
        return self._literal(kind)

    def _literal(self, kind: Any) -> str:
        if isinstance(kind, GraphQLNonNull):
            return self._literal(kind.of_type)
        if isinstance(kind, GraphQLList):
            return "[" + ", ".join(self._literal(kind.of_type) for _ in range(self.chance.randint(0, 2))) + "]"
        if isinstance(kind, GraphQLEnumType):
            return str(self.chance.choice(list(kind.values)))
        if isinstance(kind, GraphQLInputObjectType):
            given = {name: one for name, one in kind.fields.items() if self._is_given(one)}
            return "{" + ", ".join(f"{name}: {self._literal(one.type)}" for name, one in given.items()) + "}"
        return self.chance.choice(_LITERALS[kind.name])

    def _variable(self, kind: str, value: Any) -> str:
        name = f"v{len(self._definitions)}"
        self._definitions[name] = kind
        if self.chance.random() < 0.02:
            self.values[name] = self.chance.choice(_INVALID)
        elif kind.endswith("!") or self.chance.random() < 0.85:
            self.values[name] = value
        return f"${name}"

    def _condition(self) -> str:
        roll = self.chance.random()
        if roll > 0.12:
            return ""
        value = self.chance.choice(["true", "false"]) if roll < 0.04 else None
        directive = self.chance.choice(["skip", "include"])
        if value is None:
            name = f"v{len(self._definitions)}"
            default = self.chance.choice(["Boolean!", "Boolean! = true"])
            self._definitions[name] = default
            if default == "Boolean!" or self.chance.random() < 0.5:
                self.values[name] = self.chance.random() < 0.5
            value = f"${name}"
        return f" @{directive}(if: {value})"

    def _fragment(self, kind: Any, depth: int) -> str:
        if self._nested_fragments > 2:
            return "__typename"
        self._nested_fragments += 1
        inner = self._fragment_type(kind)
        selected = self._selection(inner, depth)
        self._nested_fragments -= 1
        if self.chance.random() < 0.5:
            name = f"F{len(self._fragments)}"
            self._fragments[name] = f"fragment {name} on {inner.name} {selected}"
            spread = f"...{name}{self._condition()}"
            return f"{spread} ...{name}" if self.chance.random() < 0.2 else spread
        condition = "" if inner is kind and self.chance.random() < 0.5 else f" on {inner.name}"
        return f"...{condition}{self._condition()} {selected}"

    def _fragment_type(self, kind: Any) -> Any:
        """Return a type whose objects can be those of `kind`."""
        possible: list[Any] = [kind]
        if is_abstract_type(kind):
            possible += self.schema.get_possible_types(kind)
        elif isinstance(kind, GraphQLObjectType):
            possible += kind.interfaces
        return self.chance.choice(possible)


def documents(
    schema: GraphQLSchema, is_used: Choose, *, max_depth: int = 4
) -> st.SearchStrategy[tuple[str, Mapping[str, Any]]]:
    """Return valid queries with their variables; hypothesis makes every choice, so that a failing one is shortened."""

    def made(chance: random.Random) -> tuple[str, Mapping[str, Any]]:
        document = RandomDocument(schema, chance, is_used, max_depth)
        text = document.text()
        assume(text is not None)
        return str(text), document.values

    return st.randoms(use_true_random=False).map(made)
