"""Documents that are made to cost as much as possible before they are refused or executed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from schema.runtime.document import MAX_TOKENS

MAX_BODY_BYTES = 100 * 1024


@dataclass(frozen=True)
class Shape:
    """A document with its variables."""

    name: str
    query: str
    variables: dict[str, Any] = field(default_factory=dict)

    def fits(self) -> bool:
        """Return whether a request can have this shape: its body is not too large."""
        return len(json.dumps({"query": self.query, "variables": self.variables})) <= MAX_BODY_BYTES


OF_GENERATION = "query($id: ID!) { viewer { generation(id: $id) { %s } } }"
IN_ALBUMS = "id albums { id generations(first: 1) { nodes { %s } } }"
SIZES = (MAX_TOKENS // 8, MAX_TOKENS // 4, MAX_TOKENS // 2, MAX_TOKENS * 9 // 10, MAX_TOKENS * 10)
LARGEST = (MAX_TOKENS * 9 // 10,)  # that are parsed


def nested(outer: str, inner: str, times: int) -> str:
    """Return a selection that reaches the objects of a list again through each of them. `outer`: has %s for more."""
    found = inner
    for _ in range(times):
        found = outer % found
    return found


def shapes(sizes: tuple[int, ...] = SIZES) -> list[Shape]:
    """Return all shapes that fit into a request. `sizes`: tokens of those that can have any number."""
    sized = [shape for size in sizes for shape in _sized(size)]
    found = {shape.name: shape for shape in [*sized, *_texts(), *_inputs(), *_named()] if shape.fits()}
    return list(found.values())


def _sized(tokens: int) -> Iterator[Shape]:
    """Yield the shapes that grow with the number of tokens."""
    for name, query in (*_fields(tokens), *_fragments(tokens), *_operations(tokens), *_values(tokens)):
        yield Shape(f"{name} of {tokens} tokens", query)


def _fields(tokens: int) -> Iterator[tuple[str, str]]:
    yield "equal fields", "{" + " __typename" * tokens + "}"
    yield "equal fields beside one", "{ a1: __typename" + " collections { id }" * (tokens // 4) + "}"
    yield "equal fields with lists", "{ collections {" + " styles { id slug }" * (tokens // 5) + "} }"
    yield "equal aliases", "{" + " a: __typename" * (tokens // 3) + "}"
    yield "conflicting aliases", "{" + " a: id a: slug" * (tokens // 6) + "}"
    yield "conflicting fields", "{ collections {" + " a: id a: slug" * (tokens // 6) + "} }"
    yield "aliases", "{" + "".join(f" a{n}: __typename" for n in range(tokens // 3)) + "}"
    yield "unknown fields", "{" + "".join(f" colections{n}" for n in range(tokens)) + "}"
    yield "unknown nested fields", "{ collections {" + "".join(f" baseCosts{n}" for n in range(tokens)) + "} }"
    yield "unknown arguments", "{" + ' style(slugg: "a", slig: 1) { id }' * (tokens // 12) + "}"
    yield "arguments", "{" + ' style(slug: "a", collection: "b") { id }' * (tokens // 12) + "}"
    yield "different arguments", "{" + "".join(f' style(slug: "{n}") {{ id }}' for n in range(tokens // 9)) + "}"
    yield "inline fragments", "{" + " ... { __typename }" * (tokens // 4) + "}"
    yield "typed inline fragments", "{" + " ... on Query { viewer { id } }" * (tokens // 9) + "}"
    for depth in (10, 50, 190):
        nested = " ... {" * depth + " viewer { id }" + "}" * depth
        yield f"{depth} nested inline fragments", "{" + nested * max(tokens // (depth * 3 + 4), 1) + "}"
    for depth in (3, 7, 14):
        nested = "parent {" * depth + " id " + "}" * depth
        inner = nested * max(tokens // (depth * 3 + 1), 1)
        yield f"equal fields {depth} deep", f'{{ node(id: "gen_1") {{ ... on Generation {{ {inner} }} }} }}'
        nested = " viewer {" * depth + " id " + "}" * depth
        yield f"unknown fields {depth} deep", "{" + nested * max(tokens // (depth * 3 + 1), 1) + "}"
    yield "directives", "{ __typename" + " @include(if: true)" * (tokens // 7) + "}"
    yield "unknown directives", "{ __typename" + " @inclode" * (tokens // 2) + "}"
    yield "directives on fields", "{" + " __typename @skip(if: false)" * (tokens // 8) + "}"
    yield "introspection", "{" + " __schema { types { name } }" * (tokens // 7) + "}"
    yield "introspection of types", "{" + ' __type(name: "User") { fields { name } }' * (tokens // 12) + "}"
    yield "interfaces", '{ node(id: "gen_1") {' + " ... on User { id } ... on Style { id }" * (tokens // 12) + "} }"
    kinds = ("User", "Style", "Collection", "Generation", "CreditTransaction", "ApiKey", "AuditEntry")
    parts = " ".join(f"... on {kind} {{ a: id }}" for kind in kinds)
    yield "types of an interface", '{ node(id: "gen_1") {' + parts * (tokens // 50 + 1) + "} }"


def _fragments(tokens: int) -> Iterator[tuple[str, str]]:
    count = max(tokens // 9, 2)
    yield "spreads of one fragment", "{" + " ...F" * (tokens // 2) + "} fragment F on Query { viewer { id } }"
    names = range(count)
    used = " ".join(f"...F{n}" for n in names)
    yield (
        "fragments side by side",
        "{" + used + "}" + "".join(f" fragment F{n} on Query {{ __typename }}" for n in names),
    )
    yield (
        "fragments with fields",
        "{" + used + "}" + "".join(f" fragment F{n} on Query {{ viewer {{ id }} }}" for n in names),
    )
    chain = "".join(f" fragment F{n} on Query {{ ...F{n + 1} viewer {{ id }} }}" for n in range(count // 2))
    yield "chained fragments", "{ ...F0 }" + chain + f" fragment F{count // 2} on Query {{ __typename }}"
    pairs = "".join(f" fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(count))
    yield "fragments spread twice", "{ ...F0 }" + pairs + f" fragment F{count} on Query {{ __typename }}"
    yield (
        "cyclic fragment",
        "{ ...F0 }" + "".join(f" fragment F{n} on Query {{ ...F{(n + 1) % count} }}" for n in names),
    )
    few = max(int((tokens / 2) ** 0.5), 2)
    everything = " ".join(f"...F{n}" for n in range(few))
    every = "".join(f" fragment F{n} on Query {{ {everything} }}" for n in range(few))
    yield "fragments that spread all", "{ ...F0 }" + every
    yield "fields and fragments that spread all", "{ viewer { id } ...F0 }" + every
    layers = "".join(
        f" fragment F{n} on Query {{ {' '.join(f'...F{m}' for m in range(n + 1, few))} viewer {{ id }} }}"
        for n in range(few)
    )
    yield "fragments that spread all later ones", "{ ...F0 }" + layers
    later = "".join(
        f" fragment F{n} on User {{ {' '.join(f'...F{m}' for m in range(n + 1, few))} stats {{ favorites }} }}"
        for n in range(few)
    )
    yield "fields with fragments", "{" + " viewer { ...F0 }" * few + "}" + later
    yield "unused fragments", "{ __typename }" + "".join(f" fragment F{n} on Query {{ __typename }}" for n in names)
    yield "equal fragments", "{ ...F }" + " fragment F on Query { __typename }" * (tokens // 7)
    yield "unknown fragments", "{" + " ".join(f"...F{n}" for n in range(tokens // 2)) + "}"
    yield "fragments on unknown types", "{ __typename }" + " fragment F on Qery { a }" * (tokens // 7)


def _operations(tokens: int) -> Iterator[tuple[str, str]]:
    count = max(tokens // 6, 2)
    yield "operations", "".join(f" query q{n} {{ __typename }}" for n in range(count))
    yield "operations of one name", " query q { __typename }" * count
    yield "anonymous operations", " { __typename }" * (tokens // 3)
    half = max(tokens // 14, 2)
    chain = "".join(f" fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(half))
    end = f" fragment F{half} on Query {{ __typename }}"
    yield "operations with a chain", "".join(f" query q{n} {{ ...F0 }}" for n in range(half)) + chain + end
    used = "".join(f" style(slug: $v{n}) {{ id }}" for n in range(tokens // 20))
    operations = "".join(f" query q{n} {{ ...F }}" for n in range(tokens // 12))
    yield "operations with undefined variables", operations + f" fragment F on Query {{ {used} }}"
    used = " style(slug: $v) { id }" * (tokens // 20)
    operations = "".join(f" query q{n}($v: String!) {{ ...F }}" for n in range(tokens // 24))
    yield "operations with a variable", operations + f" fragment F on Query {{ {used} }}"
    yield "subscriptions", "".join(f" subscription s{n} {{ galleryChanged {{ kind }} }}" for n in range(tokens // 9))
    yield "fields of a subscription", "subscription {" + " galleryChanged { kind }" * (tokens // 4) + "}"
    yield "fields of a mutation", "mutation {" + " signOut { sessionsEnded }" * (tokens // 4) + "}"
    yield "type definitions", " type T { a: Int }" * (tokens // 8)


def _values(tokens: int) -> Iterator[tuple[str, str]]:
    variables = range(tokens // 4)
    yield "variables", "query(" + "".join(f"$v{n}: Int " for n in variables) + ") { __typename }"
    yield "equal variables", "query(" + "$v: Int " * (tokens // 4) + ") { __typename }"
    yield "variables of unknown types", "query(" + "".join(f"$v{n}: Strin " for n in variables) + ") { __typename }"
    yield "undefined variables", "{ nodes(ids: [" + "".join(f"$v{n} " for n in range(tokens // 2)) + "]) { id } }"
    yield "one variable many times", "query($v: ID!) { nodes(ids: [" + "$v " * (tokens // 2) + "]) { id } }"
    defaults = "".join(f"$v{n}: [ID!] = [1 2 3 4 5] " for n in range(tokens // 14))
    yield "defaults", f"query({defaults}) {{ __typename }}"
    yield "default list", "query($v: [ID!] = [" + "1 " * tokens + "]) { nodes(ids: $v) { id } }"
    deep = min(tokens // 2, 180)
    yield "deep default", "query($v: [ID!] = " + "[" * deep + "]" * deep + ") { nodes(ids: $v) { id } }"
    yield "deep type", "query($v: " + "[" * deep + "Int" + "]" * deep + ") { __typename }"
    yield "list", "{ nodes(ids: [" + '"a" ' * tokens + "]) { id } }"
    yield "list of wrong values", "{ nodes(ids: [" + "{a: 1} " * (tokens // 5) + "]) { id } }"
    yield "nested lists", "{ nodes(ids: " + "[" * deep + "1" + "]" * deep + ") { id } }"
    nested = "{a: " * deep + "1" + "}" * deep
    yield "nested objects", f"{{ quote(input: {nested}) {{ cost }} }}"
    names = "".join(f"styleIdd{n}: 1 " for n in range(tokens // 3))
    yield "unknown input fields", f"{{ quote(input: {{{names}}}) {{ cost }} }}"
    yield "equal input fields", "{ quote(input: {" + "quality: STANDARD " * (tokens // 3) + "}) { cost } }"
    yield "wrong enums", "{" + " quote(input: {quality: STANDART}) { cost }" * (tokens // 13) + "}"
    same = "{" + " ".join("styleId: 1" for _ in range(10)) + "}"
    yield "equal arguments", "{" + f" quote(input: {same}) {{ cost }}" * (tokens // 40 + 1) + "}"


def _texts() -> Iterator[Shape]:
    """Yield documents with few tokens and much text."""
    long = 95_000
    yield Shape("spaces", " " * long + "{ __typename }")
    yield Shape("line feeds", "\n" * (long // 2) + "{ __typename }")
    yield Shape("carriage returns", "\r" * (long // 2) + "{ a")
    yield Shape("commas", "," * long + "{ __typename }")
    yield Shape("comments", "#\n" * (long // 3) + "{ __typename }")
    yield Shape("long comment", "#" + "x" * long + "\n{ __typename }")
    yield Shape("long name", "{ " + "x" * long + " }")
    yield Shape("long alias", "{ " + "x" * long + ": __typename }")
    yield Shape("long operation name", "query " + "x" * long + "{ __typename }")
    yield Shape("long names", "{ " + " ".join("x" * 500 + str(n) for n in range(180)) + " }")
    yield Shape("long variable", "query($" + "x" * long + ": Int) { __typename }")
    yield Shape("long type", "query($v: " + "x" * long + ") { __typename }")
    yield Shape("long number", "{ styles(first: " + "1" * long + ") { nodes { id } } }")
    yield Shape("long fraction", "{ styles(first: 0." + "1" * long + ") { nodes { id } } }")
    yield Shape("long string", '{ style(slug: "' + "x" * long + '") { id } }')
    yield Shape("escapes", '{ style(slug: "' + "\\n" * (long // 3) + '") { id } }')
    yield Shape("unicode escapes", '{ style(slug: "' + "\\u{61}" * (long // 8) + '") { id } }')
    yield Shape("unfinished string", '{ style(slug: "' + "x" * long)
    yield Shape("block string", '{ style(slug: """' + "x" * long + '""") { id } }')
    yield Shape("lines of a block string", '{ style(slug: """' + " x\n" * (long // 5) + '""") { id } }')
    yield Shape("quotes in a block string", '{ style(slug: """' + '\\"""' * (long // 9) + '""") { id } }')
    yield Shape("empty strings", "{ nodes(ids: [" + '"" ' * (long // 6) + "]) { id } }")
    yield Shape("brackets", "{" * long)
    yield Shape("lists", "{ style(slug: " + "[" * (long - 100))
    yield Shape("unicode", "{ " + "é" * (long // 7) + " }")
    yield Shape("not GraphQL", "SELECT * FROM users; " * 4_000)
    yield Shape("introspection of everything", "{ __schema { types {" + " fields { args { name } }" * 400 + "} } }")
    recursive = "ofType {" * 14 + "name" + "}" * 14
    yield Shape("deep introspection", "{ __schema { types { fields { type {" + recursive + "} } } } }")
    wide = " ".join(f'a{n}: __type(name: "User") {{ fields {{ name args {{ name }} }} }}' for n in range(40))
    yield Shape("wide introspection", "{" + wide + "}")


def _inputs() -> Iterator[Shape]:
    """Yield small documents with large variables."""
    nodes = "query($v: [ID!]!) { nodes(ids: $v) { id } }"
    quote = "query($v: QuoteInput!) { quote(input: $v) { cost } }"
    imported = "mutation($v: JSON!) { adminImportCatalogue(catalogue: $v) { created } }"
    lists: tuple[tuple[str, list[Any]], ...] = (
        ("ids", ["a"] * 19_000),
        ("numbers", [1] * 33_000),
        ("nulls", [None] * 16_000),
        ("lists", [[]] * 24_000),
    )
    for name, value in (*lists, ("objects", [{}] * 24_000), ("floats", [0.5] * 19_000)):
        yield Shape(f"list of {name}", nodes, {"v": value})
        yield Shape(f"JSON of {name}", imported, {"v": {"collections": value}})
    for depth in (50, 180, 400, 900):
        deep_list: Any = 1
        deep_object: Any = 1
        for _ in range(depth):
            deep_list, deep_object = [deep_list], {"styleId": deep_object}
        yield Shape(f"list {depth} deep", nodes, {"v": deep_list})
        yield Shape(f"object {depth} deep", quote, {"v": deep_object})
        yield Shape(f"JSON {depth} deep", imported, {"v": deep_object})
    yield Shape("unknown fields of a variable", quote, {"v": {f"styleIdentifierr{n}": 1 for n in range(3_500)}})
    yield Shape("long text", quote, {"v": {"styleId": "x" * 95_000}})
    yield Shape("long wrong value", quote, {"v": {"count": "x" * 95_000}})
    yield Shape("wrong value of a large list", quote, {"v": {"count": [1] * 30_000}})
    yield Shape("large number", quote, {"v": {"count": 10**4_000}})
    yield Shape("wrong enum", quote, {"v": {"quality": "STANDARTSTANDARTSTANDART"}})
    yield Shape("unused variables", "{ __typename }", {f"v{n}": n for n in range(8_000)})
    yield Shape("variables of one list", _uses(200), {"v": ["x"] * 19_000})
    many = "query(" + " ".join(f"$v{n}: [ID!]!" for n in range(200)) + ") { __typename }"
    yield Shape("wrong variables", many, {f"v{n}": {"a": 1} for n in range(200)})
    yield Shape("variables of lists", many, {f"v{n}": ["a"] * 80 for n in range(200)})
    keys = "mutation($v: StyleInput!) { createStyle(input: $v) { style { id } } }"
    options = {"name": "a", "label": "b", "optionss": ["c"] * 5}
    yield Shape("input objects", keys, {"v": {"title": "t", "prompt": "p", "variables": [options] * 1_500}})
    dates = "query($v: [GenerationStatus!]) { viewer { generations(filter: {status: $v}) { totalCount } } }"
    yield Shape("wrong enums of a list", dates, {"v": ["COMPLETEDD"] * 6_000})
    yield Shape("right enums of a list", dates, {"v": ["COMPLETED"] * 7_000})


def _uses(times: int) -> str:
    return "query($v: [ID!]!) {" + " nodes(ids: $v) { id }" * times + "}"


def _named() -> Iterator[Shape]:
    """Yield the documents of known attacks."""
    yield Shape("490 collections", "{a1:__typename" + " collections{id}" * 490 + "}")
    yield Shape("50 quotes", "{" + "".join(f" a{n}: quote(input: {{}}) {{ cost }}" for n in range(50)) + "}")
    shared = "".join(f' a{n}: sharedGeneration(slug: "a{n}") {{ title }}' for n in range(50))
    yield Shape("50 shared generations", "{" + shared + "}")
