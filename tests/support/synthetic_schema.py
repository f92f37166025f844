"""A schema with a field of every shape, as attribute, resolver and async resolver, and objects that have any outcome.

The outcome of a field is a function of the object's place and the seed, so that two executions find the same.
"""

import asyncio
import enum
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Union

import strawberry
from graphql import GraphQLError
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


class Outcomes:
    """Chooses the outcome of each field. `trouble`: how often it is a null, an error or a wrong value, from 0 to 1."""

    def __init__(self, seed: int, trouble: float) -> None:
        self.seed, self.trouble = seed, trouble

    def value(self, place: str, shape: str) -> Any:
        """Return the value of a field, or an exception that a resolver raises and an attribute returns."""
        chance = random.Random(f"{self.seed} {place}")
        if chance.random() < self.trouble:
            wrong = [None, None, None, OutcomeError(place), GraphQLError(f"at {place}"), Wrong(), "text", float("inf")]
            return chance.choice(wrong)
        return self._made(place, shape, chance)

    def _made(self, place: str, shape: str, chance: random.Random) -> Any:
        if shape.startswith("["):
            inner = shape[1:-1]
            items = range(chance.randint(0, 3))
            return [self._item(f"{place}/{index}", inner, chance) for index in items]
        if shape in LEAVES:
            return chance.choice(LEAVES[shape])
        if shape in ("Thing", "Either"):
            return node(chance.choice(["Alpha", "Beta"]), place, self)
        return node(shape, place, self)

    def _item(self, place: str, shape: str, chance: random.Random) -> Any:
        return None if chance.random() < self.trouble else self._made(place, shape, chance)


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
    if isinstance(value, OutcomeError):
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
