"""Lets dataclasses share the methods that do the same for each: the standard library compiles them for every one.

Most have one that compares the fields and one that shows them; a frozen one has two more, which refuse changes. That
makes a server 2.5 MiB smaller, and takes 1 us instead of 0.2 to compare two objects, which no request does.
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


def _owners(self: object, method: str) -> list[Any]:
    """Return the classes of the MRO that have the shared method: what it does depends on their fields alone."""
    return [one for one in type(self).__mro__ if vars(one).get(method) is _SHARED[method]]


@reprlib.recursive_repr()
def _show(self: object) -> str:
    fields = dataclasses.fields(_owners(self, "__repr__")[0])
    shown = [f"{field.name}={getattr(self, field.name)!r}" for field in fields if field.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _equals(self: object, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    names = [field.name for field in dataclasses.fields(_owners(self, "__eq__")[0]) if field.compare]
    # As lists, so that a value which is not equal to itself is equal to the same object, as up to Python 3.12.
    return [getattr(self, name) for name in names] == [getattr(other, name) for name in names]


def _refuse_to_set(self: object, name: str, value: object) -> None:
    owners = _owners(self, "__setattr__")
    if _is_frozen(self, name, owners):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
    super(owners[-1], self).__setattr__(name, value)


def _refuse_to_delete(self: object, name: str) -> None:
    owners = _owners(self, "__delattr__")
    if _is_frozen(self, name, owners):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
    super(owners[-1], self).__delattr__(name)


def _is_frozen(self: object, name: str, owners: list[Any]) -> bool:
    """Whether it is a field: a plain class below frozen dataclasses may have more attributes."""
    return type(self) in owners or any(name == field.name for one in owners for field in dataclasses.fields(one))


_SHARED = {"__eq__": _equals, "__repr__": _show, "__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
