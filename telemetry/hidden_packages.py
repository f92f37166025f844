"""Keeps libraries from importing packages, or from parsing sources, whose result no program here uses."""

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType


@contextlib.contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Let imports of these packages and modules fail with ImportError while the body runs, unless they are imported.

    Afterwards they can be imported as before.
    """
    with _imported_as(dict.fromkeys(names)):  # None is Python's own way to make an import fail
        yield


@contextlib.contextmanager
def replaced(name: str, *attributes: str) -> Iterator[None]:
    """Let a module have only these attributes while the body runs, unless it is imported already.

    For names that a library imports or derives classes from, but that no program here calls: each is a class that
    raises NotImplementedError. Afterwards the module can be imported as before.
    """

    class LeftOut:
        def __init__(self, *_: object, **__: object) -> None:
            raise NotImplementedError(f"{name} is left out of Darkroom's programs")

    stand_in = ModuleType(name)
    vars(stand_in).update(dict.fromkeys(attributes, LeftOut))
    with _imported_as({name: stand_in}):
        yield


@contextlib.contextmanager
def _imported_as(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    """Let imports of these names give these modules while the body runs, but of those that are imported already."""
    added = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(added)  # type: ignore[arg-type]  # documented, but not declared: None as a module
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


@contextlib.contextmanager
def hidden_class_sources() -> Iterator[None]:
    """Let `inspect.getsource` of a class fail while the body runs, as where a program is installed without sources."""
    original: Callable[..., str] = inspect.getsource

    def getsource(object: object) -> str:
        if isinstance(object, type):
            raise OSError("could not get source code")
        return original(object)

    inspect.getsource = getsource
    try:
        yield
    finally:
        inspect.getsource = original
