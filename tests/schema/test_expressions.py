"""Selections that are one expression: rows by their columns, resolvers that do not wait, and what they fall back on."""

import asyncio
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta, timezone
from struct import pack
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry
from graphql import parse
from hypothesis import given
from hypothesis import strategies as st

from models import enum
from models.database.moment import EPOCH, moment_of
from models.generation_row import GENERATIONS
from schema.generations import Generation
from schema.root import schema as real_schema
from schema.runtime.compilation.leaves import leaf_expression
from schema.runtime.compilation.plan import compile_query
from schema.runtime.compilation.run import ContextInfo
from schema.runtime.compilation.source import Source
from schema.runtime.scalar import SCALARS, MomentTexts, serialize_datetime


class Waited:
    """An awaitable that may be dropped."""

    def __await__(self) -> Generator[Any, Any, str]:
        return asyncio.sleep(0, "waited").__await__()


@strawberry.type
class Item:
    place: int

    @strawberry.field
    def text(self, info: strawberry.Info, wanted: str = "text") -> str | None:
        calls.append(f"{self.place} {wanted} {type(info) is ContextInfo}")
        if wanted == "fails" and self.place == 1:
            raise ValueError(wanted)
        if wanted == "waits" and self.place == 1:
            return Waited()  # type: ignore[return-value]  # as a resolver that rarely has to wait
        if wanted == "path":
            return str(info.path.key)
        return wanted

    @strawberry.field
    async def later(self) -> int:
        await asyncio.sleep(0)
        return self.place


@strawberry.type
class Query:
    @strawberry.field
    def items(self) -> list[Item]:
        return [Item(place=place) for place in range(3)]


schema = strawberry.Schema(Query)
calls: list[str] = []


async def outcomes(document: str) -> list[tuple[Any, Any]]:
    """Return what the plan and graphql-core answer; `calls` are those of the plan."""
    calls.clear()
    compiled = await compile_query(schema, parse(document)).run(None)
    made = [*calls]
    found: Any = await schema.execute(document)
    calls[:] = made
    results: tuple[Any, ...] = (compiled, found)
    return [(one.data, [error.formatted for error in one.errors or ()]) for one in results]


async def test_resolvers_that_do_not_wait_are_called_once_for_each_object_in_one_expression() -> None:
    compiled, expected = await outcomes("{ items { place text } }")
    assert compiled == expected
    assert calls == ["0 text True", "1 text True", "2 text True"]
    plan = compile_query(schema, parse("{ items { place text } }"))
    assert plan.source.count("for item") == 1


@pytest.mark.parametrize("wanted", ["fails", "waits", "path"])
async def test_list_is_executed_step_by_step_where_an_expression_fails(wanted: str) -> None:
    compiled, expected = await outcomes(f'{{ items {{ text(wanted: "{wanted}") place }} }}')
    assert compiled == expected
    assert calls[-3:] == [f"{place} {wanted} False" for place in range(3)]


async def test_object_with_a_resolver_that_waits_is_no_expression() -> None:
    compiled, expected = await outcomes("{ items { text later } }")
    assert compiled == expected
    assert calls == ["0 text False", "1 text False", "2 text False"]


@pytest.mark.parametrize("make", [GENERATIONS.plain, lambda values: GENERATIONS.updated_row(values, {})])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"status": enum.GenerationStatus.FAILED, "prompt": None, "error_code": None},
        {"status": "UNKNOWN"},
        {"status": None},
        {"created_at": "2026"},
        {"created_at": None},
        {"created_at": pack(">q", 817_000_000_123_456)},
        {"cost": 2**40},
        {"progress": float("nan")},
        {"variables": '{"a": 1}', "error_code": "TIMEOUT"},
    ],
)
async def test_row_is_answered_as_by_graphql_core(make: Callable[[Any], Any], changed: dict[str, Any]) -> None:
    values = {
        "id": "gen_1", "status": "COMPLETED", "stage": "COMPLETED", "prompt": "a cat", "progress": 1.0, "cost": 3,
        "variables": "{}", "error_code": "GENERATION_FAILED", "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "is_favorite": False, "style_title": '{"en": "Cute"}',
    }  # fmt: skip
    row = make({**values, **changed})

    body = {"rows": strawberry.field(resolver=lambda: [row], graphql_type=list[Generation])}
    rooted = strawberry.Schema(strawberry.type(type("Query", (), body)), scalar_overrides=SCALARS)
    document = "{ rows { id status stage prompt progress cost variables errorCode createdAt isFavorite __typename } }"
    compiled: Any = await compile_query(rooted, parse(document)).run(None)
    found: Any = await rooted.execute(document)
    assert compiled.data == found.data
    assert [error.formatted for error in compiled.errors or ()] == [error.formatted for error in found.errors or ()]


@given(st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=2)))))
def test_datetime_is_its_iso_format_in_utc(moment: datetime) -> None:
    kind: Any = real_schema._schema.type_map["DateTime"]
    source = Source("of a value")
    expression = leaf_expression(source, kind, "value", "value", is_nullable=False)
    try:
        expected = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return
    assert kind.coerce_output_value(moment) == expected
    assert eval(expression, {**source.values, "value": moment}) == expected  # noqa: S307 - of this package


@given(
    st.datetimes(timezones=st.just(UTC))
    | st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0))
)
def test_bytes_of_a_moment_are_shown_as_the_datetime(moment: datetime) -> None:
    value = pack(">q", (moment - EPOCH) // timedelta(microseconds=1))
    assert moment_of(value) == moment
    texts = MomentTexts(2)
    assert texts[value] == serialize_datetime(moment)
    assert max(len(texts) for other in range(9) if texts[pack(">q", other)]) == 2
    assert texts[value] == serialize_datetime(moment)


async def test_rows_of_a_list_with_one_style_share_its_response() -> None:
    def row(number: int, style: str | None) -> Any:
        title = f'{{"en": "{style}"}}'
        return GENERATIONS.plain(
            {"id": f"gen_{number}", "style.id": style, "style.is_active": style != "sty_3", "style.title": title}
        )

    rows = [row(number, style) for number, style in enumerate(["sty_1", None, "sty_2", "sty_1", "sty_3"])]
    body = {"rows": strawberry.field(resolver=lambda: rows, graphql_type=list[Generation])}
    rooted = strawberry.Schema(strawberry.type(type("Query", (), body)), scalar_overrides=SCALARS)
    context = SimpleNamespace(localize=lambda texts: texts["en"])
    document = "{ rows { id style { id title } again: style { title } } }"
    compiled: Any = await compile_query(rooted, parse(document)).run(context)
    found: Any = await rooted.execute(document, context_value=context)
    assert (compiled.data, compiled.errors) == (found.data, found.errors)
    shown = [each["style"] for each in compiled.data["rows"]]
    assert shown[0] is shown[3]
    assert [one and one["id"] for one in shown] == ["sty_1", None, "sty_2", "sty_1", None]
