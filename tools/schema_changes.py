"""Write docs/schema-changelog.md: what has changed in the schema since schema/released.graphql, and in releases before.

`python tools/schema_changes.py` writes the section of what is not released, as `make schema` does. With a date or a
version, `python tools/schema_changes.py 2026-12-05` gives that section its name, and the schema becomes the released
one.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)
from graphql.utilities import BreakingChange, SafeChangeType, SchemaChange, find_schema_changes

ROOT = Path(__file__).parent.parent
CURRENT = ROOT / "schema" / "schema.graphql"
RELEASED = ROOT / "schema" / "released.graphql"
CHANGELOG = ROOT / "docs" / "schema-changelog.md"

UNRELEASED = "## Unreleased"
HEAD = """# Schema changelog

What has changed in [the schema](../schema/schema.graphql), newest first, written by `make schema`; descriptions
are left out. How fields are deprecated and removed is in [api.md](api.md#versions-and-deprecation).

"""
_KEPT_UNTIL = re.compile(r" Kept until (\d{4}-\d\d-\d\d)\.$")
_NAME = re.compile(r"\b[A-Z][A-Za-z]+\.[a-zA-Z]+\b(\([a-z]\w*:\))?")  # of a field, an argument, an enum value
_NOTHING = "Nothing.\n"


def read(path: Path) -> GraphQLSchema:
    """Return the schema of a file."""
    return build_schema(path.read_text(encoding="utf-8"))


def changes(old: GraphQLSchema, new: GraphQLSchema) -> list[SchemaChange]:
    """Return the changes of a schema, without those of descriptions."""
    return [change for change in find_schema_changes(old, new) if change.type is not SafeChangeType.DESCRIPTION_CHANGED]


def deprecations(schema: GraphQLSchema) -> dict[str, str]:
    """Return the reason of each deprecated field, argument, input field and enum value, by its coordinate."""
    return dict(_deprecated(schema))


def _deprecated(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    for name, kind in schema.type_map.items():
        parts: Mapping[str, object] = {}
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            parts = kind.fields
        elif isinstance(kind, GraphQLEnumType):
            parts = kind.values
        for part, definition in parts.items():
            if reason := getattr(definition, "deprecation_reason", None):
                yield f"{name}.{part}", reason
            for argument, inner in getattr(definition, "args", {}).items():
                if inner.deprecation_reason:
                    yield f"{name}.{part}({argument}:)", inner.deprecation_reason


def broken_promises(old: GraphQLSchema, new: GraphQLSchema, today: date) -> list[str]:
    """Return the incompatible changes of what was not deprecated before, or is removed before the day that it named."""
    may_go = {name for name, reason in deprecations(old).items() if (day := last_day(reason)) and day < today}
    return [
        change.description
        for change in find_schema_changes(old, new)
        if isinstance(change, BreakingChange) and not may_go.intersection(_coordinates(change.description))
    ]


def last_day(reason: str) -> date | None:
    """Return the day up to which something deprecated is kept; None: the reason names none."""
    found = _KEPT_UNTIL.search(reason)
    return date.fromisoformat(found[1]) if found else None


def _coordinates(description: str) -> set[str]:
    return {name[0] for name in _NAME.finditer(description)}


def section(old: GraphQLSchema, new: GraphQLSchema) -> str:
    """Return the text of the changes between two schemas."""
    before, found = deprecations(old), changes(old, new)
    groups = {
        "Removed or changed": sorted(each.description for each in found if isinstance(each, BreakingChange)),
        "Deprecated": [
            f"{name}: {reason}" for name, reason in sorted(deprecations(new).items()) if before.get(name) != reason
        ],
        "Added": sorted(each.description for each in found if not isinstance(each, BreakingChange)),
    }
    lines = [
        f"**{title}**\n\n" + "".join(f"- {_code(line)}\n" for line in group) for title, group in groups.items() if group
    ]
    return "\n".join(lines) or _NOTHING


def _code(line: str) -> str:
    """Mark the names in a line as code."""
    return _NAME.sub(lambda name: f"`{name[0]}`", line)


def changelog(text: str, old: GraphQLSchema, new: GraphQLSchema) -> str:
    """Return the changelog with its first section as the schemas are."""
    _, _, earlier = text.partition(UNRELEASED)
    released = earlier[earlier.index("\n## ") + 1 :] if "\n## " in earlier else ""
    found = f"{HEAD}{UNRELEASED}\n\n{section(old, new)}\n{released}"
    return found.rstrip("\n") + "\n"


def update(name: str | None = None) -> None:
    """Write the changelog. `name`: of the release that the present schema is."""
    text = CHANGELOG.read_text(encoding="utf-8") if CHANGELOG.exists() else ""
    found = changelog(text, read(RELEASED), read(CURRENT))
    if name is not None:
        found = found.replace(UNRELEASED, f"{UNRELEASED}\n\n{_NOTHING}\n## {name}", 1)
        RELEASED.write_text(CURRENT.read_text(encoding="utf-8"), encoding="utf-8")
    CHANGELOG.write_text(found, encoding="utf-8")
    print(f"wrote {CHANGELOG.relative_to(ROOT)}")


if __name__ == "__main__":
    update(sys.argv[1] if len(sys.argv) > 1 else None)
