"""Lets dataclasses share the methods that do the same for each: the standard library compiles each, 2.5 MiB more.

Most have one that compares the fields and one that shows them; a frozen one has two more, which refuse changes.
"""

import dataclasses
import reprlib
from types import FunctionType, ModuleType
from typing import Any

_COMPILED = "<string>"  # the file name of what the standard library compiles


def share_methods(module: ModuleType) -> None:
    """Give the dataclasses of a module the shared methods in place of those that were compiled for them."""
    for one in list(vars(module).values()):
        # By its type: `isinstance` asks proxies for their class, which some import then.
        if issubclass(type(one), type) and "__dataclass_params__" in vars(one) and one.__module__ == module.__name__:
            for name, shared in _SHARED.items():
                if _is_compiled(vars(one).get(name)):
                    setattr(one, name, shared)


def _is_compiled(method: object) -> bool:
    method = getattr(method, "__wrapped__", method)
    return isinstance(method, FunctionType) and method.__code__.co_filename == _COMPILED


def _owner(self: object, name: str) -> Any:
    """Return the dataclass that has the shared method: a class below it may have more fields, and leave this to it."""
    return next(one for one in type(self).__mro__ if vars(one).get(name) is _SHARED[name])


@reprlib.recursive_repr()
def _show(self: object) -> str:
    fields = dataclasses.fields(_owner(self, "__repr__"))
    shown = [f"{field.name}={getattr(self, field.name)!r}" for field in fields if field.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _equals(self: object, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    names = [field.name for field in dataclasses.fields(_owner(self, "__eq__")) if field.compare]
    return [getattr(self, name) for name in names] == [getattr(other, name) for name in names]


def _refuse_to_set(self: object, name: str, value: object) -> None:
    if _is_frozen(self, name, "__setattr__"):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_to_delete(self: object, name: str) -> None:
    if _is_frozen(self, name, "__delattr__"):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def _is_frozen(self: object, name: str, method: str) -> bool:
    """Whether it is a field: a plain class below a frozen dataclass may have more attributes."""
    owner = _owner(self, method)
    return type(self) is owner or name in [field.name for field in dataclasses.fields(owner)]


_SHARED = {"__eq__": _equals, "__repr__": _show, "__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
