"""Shared methods of dataclasses: they do what the standard library's do, which each class has for itself."""

import dataclasses
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from telemetry.lean_dataclasses import share_methods

SOURCE = """
from dataclasses import dataclass, field
from typing import ClassVar

@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float = 0.0
    name: str = field(default="", compare=False)
    secret: str = field(default="hidden", repr=False)
    kind: ClassVar[str] = "point"

@dataclass(repr=False, eq=False)
class Quiet:
    token: str = "hidden"

@dataclass
class Tree:
    children: list["Tree"]

@dataclass(frozen=True)
class Base:
    known: int = 1

@dataclass(frozen=True, repr=False, eq=False)
class Below(Base):
    secret: str = "hidden"

class Plain(Base):
    more = 1

@dataclass(frozen=True)
class Other:
    third: int = 3

class Both(Base, Other):
    more = 1

class Counting:
    def __setattr__(self, name, value):
        object.__setattr__(self, name, value + 1)

@dataclass(frozen=True)
class Mixed(Counting):
    known: int = 1

class BelowMixed(Mixed):
    more = 1

def changed(found, name, value):
    setattr(found, name, value)
    return getattr(found, name)

@dataclass
class Own:
    value: int
    def __repr__(self):
        return "own"
    def __eq__(self, other):
        return True
"""
LOOP = "looping = Tree([]); looping.children.append(looping)"
NAN = "nan = float('nan')"
RESULTS = [
    "repr(Point(1, 2.5))",
    "repr(Below())",
    "repr(Plain())",
    "repr(Own(1))",
    "repr(looping)",
    "Point(nan) == Point(nan)",
    "Point(nan) == Point(float('nan'))",
    "changed(Plain(), 'more', 2)",
    "changed(BelowMixed(), 'more', 2)",
    "repr(Both())",
    "Point(1) == Point(1, name='other')",
    "Point(1) == Point(1, secret='other')",
    "Point(1).__eq__((1, 0.0, '', 'hidden'))",
    "Below(secret='one') == Below(secret='other')",
    "Base() == Plain()",
    "Own(1) == Own(2)",
    "Quiet() == Quiet()",
    "hash(Point(1)) == hash(Point(1, name='other'))",
    "Plain().more",
]
CHANGES: list[Callable[[Any], object]] = [
    lambda found: setattr(found.Point(1), "x", 2),
    lambda found: setattr(found.Base(), "other", 2),
    lambda found: delattr(found.Point(1), "x"),
    lambda found: setattr(found.Below(), "known", 2),
    lambda found: setattr(found.Plain(), "known", 2),
    lambda found: delattr(found.Plain(), "known"),
    lambda found: setattr(found.Plain(), "more", 2),
    lambda found: delattr(found.Plain(), "more"),
    lambda found: setattr(found.Quiet(), "token", "other"),
    lambda found: setattr(found.Both(), "known", 2),
    lambda found: setattr(found.Both(), "third", 2),
    lambda found: setattr(found.Both(), "more", 2),
    lambda found: delattr(found.Both(), "third"),
]


@pytest.fixture
def modules() -> tuple[ModuleType, ModuleType]:
    """The same module twice: as the standard library makes it, and with shared methods."""
    plain, lean = ModuleType("dataclass_sample"), ModuleType("dataclass_sample")
    for made in (plain, lean):
        exec(compile(f"{SOURCE}\n{LOOP}\n{NAN}", "sample.py", "exec"), vars(made))  # noqa: S102 - the text above
    share_methods(lean)
    return plain, lean


@pytest.mark.parametrize("expression", RESULTS)
def test_shared_methods_return_what_compiled_ones_return(
    modules: tuple[ModuleType, ModuleType], expression: str
) -> None:
    plain, lean = [eval(expression, vars(made)) for made in modules]  # noqa: S307 - the texts above
    assert lean == plain
    assert "hidden" not in str(lean)


@pytest.mark.parametrize("change", CHANGES)
def test_shared_methods_refuse_what_compiled_ones_refuse(
    modules: tuple[ModuleType, ModuleType], change: Callable[[Any], object]
) -> None:
    outcomes: list[tuple[type[Exception] | None, str]] = []
    for made in modules:
        try:
            outcomes.append((None, str(change(made))))
        except (dataclasses.FrozenInstanceError, AttributeError, TypeError) as error:
            outcomes.append((type(error), str(error)))
    assert outcomes[0] == outcomes[1]


def test_methods_are_those_of_all_dataclasses(modules: tuple[ModuleType, ModuleType]) -> None:
    _, lean = modules
    assert lean.Point.__setattr__ is lean.Base.__setattr__
    assert lean.Point.__eq__ is lean.Tree.__eq__
    assert lean.Point.__repr__ is lean.Tree.__repr__
    assert lean.Own.__repr__ is not lean.Tree.__repr__
