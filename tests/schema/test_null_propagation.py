"""The GraphQL specification's rules for nulls and errors (6.4.4), by compiled operations and by graphql-core."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, parse

from schema.runtime.compilation.plan import compile_query

VALUES: dict[str, Any] = {"items": [1, 2], "null": None, "null item": [1, None], "error": ValueError("no")}


def _given(name: str) -> Any:
    if isinstance(VALUES[name], Exception):
        raise VALUES[name]
    return VALUES[name]


def _now(kind: Any) -> Callable[..., Any]:
    def resolve(value: str) -> Any:
        return _given(value)

    resolve.__annotations__["return"] = kind
    return resolve


def _later(kind: Any) -> Callable[..., Any]:
    async def resolve(value: str) -> Any:
        await asyncio.sleep(0)
        return _given(value)

    resolve.__annotations__["return"] = kind
    return resolve


KINDS: dict[str, Any] = {
    "any": list[int | None] | None,
    "sure": list[int | None],
    "ofSure": list[int] | None,
    "sureOfSure": list[int],
}
_body: dict[str, Any] = {}
for _name, _kind in KINDS.items():
    _body[f"{_name}Now"] = strawberry.field(resolver=_now(_kind), name=f"{_name}Now")
    _body[f"{_name}Later"] = strawberry.field(resolver=_later(_kind), name=f"{_name}Later")
Row: Any = strawberry.type(type("Row", (), _body))


@strawberry.type
class Query:
    @strawberry.field
    def row(self) -> Row | None:
        return Row()


schema = strawberry.Schema(Query)
PROPAGATED = "propagated"  # the field's object is null

# The field's type and the resolver's value: the field's value, and the path of the error below the field.
TABLE: dict[tuple[str, str], tuple[Any, list[int] | None]] = {
    ("any", "items"): ([1, 2], None),
    ("any", "null"): (None, None),
    ("any", "null item"): ([1, None], None),
    ("any", "error"): (None, []),
    ("sure", "items"): ([1, 2], None),
    ("sure", "null"): (PROPAGATED, []),
    ("sure", "null item"): ([1, None], None),
    ("sure", "error"): (PROPAGATED, []),
    ("ofSure", "items"): ([1, 2], None),
    ("ofSure", "null"): (None, None),
    ("ofSure", "null item"): (None, [1]),
    ("ofSure", "error"): (None, []),
    ("sureOfSure", "items"): ([1, 2], None),
    ("sureOfSure", "null"): (PROPAGATED, []),
    ("sureOfSure", "null item"): (PROPAGATED, [1]),
    ("sureOfSure", "error"): (PROPAGATED, []),
}


@pytest.mark.parametrize("moment", ["Now", "Later"])
@pytest.mark.parametrize("rule", TABLE, ids=" ".join)
async def test_null_or_error_propagates_as_specified(rule: tuple[str, str], moment: str) -> None:
    kind, value = rule
    expected, below = TABLE[rule]
    field = f"{kind}{moment}"
    document = f'{{ row {{ {field}(value: "{value}") }} }}'
    for result in (await compiled(document), await schema.execute(document)):
        assert result.data == {"row": None if expected is PROPAGATED else {field: expected}}
        paths = [error.path for error in result.errors or ()]
        assert paths == ([] if below is None else [["row", field, *below]])


async def test_error_at_root_that_cannot_be_null_leaves_no_data() -> None:
    result = await compiled('{ row { anyNow(value: "items") } __typename }')
    assert result.data == {"row": {"anyNow": [1, 2]}, "__typename": "Query"}


async def test_sibling_of_failed_field_is_cancelled_and_no_task_remains() -> None:
    before = asyncio.all_tasks()
    fields = 'sureNow(value: "error") a: anyLater(value: "items") b: sureLater(value: "error")'
    result = await compiled(f'{{ row {{ {fields} }} other: row {{ c: sureLater(value: "null") }} }}')
    assert result.data == {"row": None, "other": None}
    assert asyncio.all_tasks() == before


async def compiled(document: str) -> ExecutionResult:
    """Return the result of a compiled operation."""
    return await compile_query(schema, parse(document)).run(None)
