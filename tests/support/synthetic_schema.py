"""A schema with a field of every shape, as attribute, resolver and async resolver, and objects that have any outcome.

The outcome of a field is a function of the object's place, so that two executions find the same.
"""

import asyncio
import enum
import math
import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Union

import strawberry
from graphql import GraphQLError
from graphql.pyutils import Undefined
from hypothesis import strategies as st
from strawberry.scalars import JSON

from schema.runtime.compilation.executor import Executable, PlannedExecutor
from schema.runtime.compilation.plans import Plans
from schema.runtime.scalar import SCALARS


@strawberry.enum
class Color(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class OutcomeError(Exception):
    """Raised by a resolver."""


class Wrong:
    """A value of no type."""

    def __repr__(self) -> str:
        return "Wrong()"


async def _later(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


def _yielding(*values: Any) -> Iterator[Any]:
    """Yield values; raise an exception among them."""
    for value in values:
        if isinstance(value, Exception):
            raise value
        yield value


async def _yielding_later(*values: Any) -> AsyncIterator[Any]:
    for value in values:
        yield value


# What is not as the schema says, or not in the usual form: from the place and a good value. Made for each execution.
WRONG: list[Callable[[str, Any], Any]] = [
    lambda place, good: None,
    lambda place, good: OutcomeError(place),
    lambda place, good: GraphQLError(f"at {place}", extensions={"code": place}),
    lambda place, good: ExceptionGroup(place, [ValueError(place)]),
    lambda place, good: Wrong(),
    lambda place, good: Wrong,
    *(lambda place, good, value=value: value for value in ("text", "1", b"x", True, (), {"a": 1}, Undefined)),
    *(lambda place, good, value=value: value for value in (math.inf, math.nan, 1.0, 1.5, Decimal("1.5"))),
    *(lambda place, good, value=value: value for value in (2**31, -(2**31) - 1, 2**70)),
    lambda place, good: [[], None, "a", OutcomeError(place)],
    lambda place, good: tuple(good) if isinstance(good, list) else [good],
    lambda place, good: dict.fromkeys(range(2), good).values(),
    lambda place, good: _yielding(good, None),
    lambda place, good: _yielding(good, OutcomeError(place)),
    lambda place, good: _yielding_later(good),
    lambda place, good: _later(good),
    lambda place, good: _later(None),
    lambda place, good: _later(OutcomeError(place)),
    lambda place, good: _later(_later(good)),
    lambda place, good: [_later(good), _later(None), _later(OutcomeError(place))],
]


class Outcomes:
    """Chooses the outcome of each field. `draw`: a number from 0, which is a good value; up to `most`, rarely a bad."""

    def __init__(self, draw: Callable[[], int]) -> None:
        self._draw = draw
        self._drawn: dict[str, int] = {}  # by place, so that another execution finds the same

    def value(self, place: str, shape: str) -> Any:
        """Return the value of a field, or an exception that a resolver raises and an attribute returns."""
        if place not in self._drawn:
            self._drawn[place] = self._draw()
        number = self._drawn[place]
        good = self._made(place, shape, random.Random(f"{number} {place}"))
        return WRONG[number - 1](place, good) if 0 < number <= len(WRONG) else good

    def _made(self, place: str, shape: str, chance: random.Random) -> Any:
        if shape.startswith("["):
            inner = shape[1:-1]
            return [self._made(f"{place}/{index}", inner, chance) for index in range(chance.randint(0, 3))]
        if shape in LEAVES:
            return chance.choice(LEAVES[shape])
        if shape in ("Thing", "Either"):
            return node(chance.choice(["Alpha", "Beta"]), place, self)
        return node(shape, place, self)


def outcomes(data: st.DataObject, most: int) -> Outcomes:
    """Return outcomes that hypothesis chooses; of `most` values, as many are wrong as WRONG has."""
    return Outcomes(lambda: data.draw(st.integers(0, most)))


LEAVES: dict[str, list[Any]] = {
    "str": ["", "text", "引号\"'"],
    "int": [0, -1, 2**31 - 1, True],
    "float": [0.5, 3, -1e300],
    "bool": [True, False],
    "Color": [Color.RED, Color.BLUE, "blue"],
    "datetime": [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)],
    "JSON": [{"a": [1, None]}, [], "x", 0],
}
SHAPES: dict[str, tuple[str, Any]] = {  # name of the field: what it returns, and its type
    "text": ("str", str), "maybe_text": ("str", str | None), "number": ("int", int),
    "maybe_number": ("int", int | None),
    "ratio": ("float", float | None), "flag": ("bool", bool), "color": ("Color", Color),
    "maybe_color": ("Color", Color | None), "moment": ("datetime", datetime | None), "blob": ("JSON", JSON | None),
    "texts": ("[str]", list[str]), "maybe_texts": ("[str]", list[str | None] | None),
    "grid": ("[[int]]", list[list[int | None] | None] | None), "colors": ("[Color]", list[Color] | None),
    "one": ("Alpha", "Alpha"), "maybe": ("Alpha", "Alpha | None"), "beta": ("Beta", "Beta | None"),
    "many": ("[Alpha]", "list[Alpha]"), "maybe_many": ("[Alpha]", "list[Alpha | None] | None"),
    "board": ("[[Beta]]", "list[list[Beta | None]] | None"), "thing": ("Thing", "Thing | None"),
    "things": ("[Thing]", "list[Thing | None] | None"), "sure_things": ("[Thing]", "list[Thing] | None"),
    "either": ("Either", "Either | None"), "eithers": ("[Either]", "list[Either]"),
}  # fmt: skip


def node(kind: str, place: str, outcomes: Outcomes) -> Any:
    """Return an object whose attributes have their outcomes."""
    made: Any = object.__new__({"Alpha": Alpha, "Beta": Beta}[kind])
    made.__dict__.update(place=place, outcomes=outcomes)
    return made


class _Node:
    place: str
    outcomes: Outcomes

    def __getattr__(self, name: str) -> Any:
        if name not in SHAPES:
            raise AttributeError(name)
        return self.outcomes.value(f"{self.place}.{name}", SHAPES[name][0])


def _outcome(source: Any, name: str, place: str) -> Any:
    value = source.outcomes.value(place, SHAPES[name][0])
    if isinstance(value, OutcomeError | ExceptionGroup):
        raise value
    return value


def _resolver(name: str) -> Callable[..., Any]:
    def resolve(self: Any, label: str = "", times: int = 1) -> Any:
        return _outcome(self, name, f"{self.place}.{name}!{label}{times}")

    return resolve


def _async_resolver(name: str) -> Callable[..., Any]:
    async def resolve(self: Any, info: strawberry.Info, label: str = "", colors: list[Color] | None = None) -> Any:
        place = f"{self.place}.{name}?{label}{colors}{info.path.key}"
        for _ in range(random.Random(place).randint(0, 3)):
            await asyncio.sleep(0)
        return _outcome(self, name, place)

    return resolve


def _fields(body: dict[str, Any]) -> None:
    annotations = body.setdefault("__annotations__", {})
    for name, (_, kind) in SHAPES.items():
        annotations[name] = kind
        resolvers: list[tuple[str, Any]] = [("sync_", _resolver(name)), ("async_", _async_resolver(name))]
        for prefix, made in resolvers:
            made.__annotations__["return"] = kind
            body[prefix + name] = strawberry.field(resolver=made)


@strawberry.interface
class Thing:
    text: str
    maybe_text: str | None


def _type(name: str) -> type:
    body: dict[str, Any] = {"__module__": __name__}
    _fields(body)
    return strawberry.type(type(name, (_Node, Thing), body))


Alpha = _type("Alpha")
Beta = _type("Beta")
Either = Annotated[Union[Alpha, Beta], strawberry.union("Either")]  # type: ignore[valid-type]  # noqa: UP007 - made above


@strawberry.type
class Query:
    @strawberry.field
    def alpha(self, info: strawberry.Info) -> Alpha:  # type: ignore[valid-type]  # made above
        return node("Alpha", "alpha", info.context)  # type: ignore[no-any-return]  # made above

    @strawberry.field
    async def things(self, info: strawberry.Info) -> list[Thing | None] | None:
        found: list[Thing | None] | None = info.context.value("things", "[Thing]")
        return found


class SyntheticExecutor(PlannedExecutor):
    """Executes every operation by its plan."""

    def find_plan(self) -> Executable | None:
        return plans.find(self.operation, self.variable_values.coerced)


schema = strawberry.Schema(
    Query,
    types=[Alpha, Beta],
    config=strawberry.schema.config.StrawberryConfig(scalar_map=SCALARS),
    execution_context_class=SyntheticExecutor,
)
plans = Plans(schema, uses=1)
