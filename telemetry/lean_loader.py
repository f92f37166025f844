"""Imports modules without what only tools for programmers read: docstrings, and overloads.

They take 4 MiB of a server. `python -OO` leaves out docstrings, too, but also assertions. The dataclasses of a module
share methods (lean_dataclasses.py).
"""

import inspect
import sys
import typing
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType, ModuleType

from telemetry.lean_dataclasses import share_methods

# What the code of a class reads and sets first, here with a docstring, its second constant.
_DOCUMENTED_CLASS = ("__name__", "__module__", "__qualname__", "__doc__")
_BLANK = " "  # for a class without one, dataclasses would write its signature
_HAS_DOCSTRING = getattr(inspect, "CO_HAS_DOCSTRING", 0)  # before it, a function's first constant was its docstring


class _Loader(SourceFileLoader):
    """Python's own loader, but for these."""

    def get_code(self, fullname: str) -> CodeType | None:
        code = super().get_code(fullname)
        return None if code is None else without_docstrings(code)

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        typing.clear_overloads()  # which are functions that are never called
        share_methods(module)


def use_lean_loader() -> None:
    """Import modules in this way, from now on."""
    loaders = (
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (_Loader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )
    sys.path_hooks.insert(0, FileFinder.path_hook(*loaders))
    sys.path_importer_cache.clear()


def without_docstrings(code: CodeType) -> CodeType:
    """Return code without its docstrings."""
    constants = tuple([without_docstrings(one) if isinstance(one, CodeType) else one for one in code.co_consts])
    if constants and isinstance(constants[0], str) and _begins_with_docstring(code):
        constants = (None, *constants[1:])
    elif code.co_names[:4] == _DOCUMENTED_CLASS and isinstance(constants[1], str):
        constants = (constants[0], _BLANK, *constants[2:])
    return code.replace(co_consts=constants)


def _begins_with_docstring(code: CodeType) -> bool:
    """Return whether the first constant, a text, is the docstring of a module or of a function."""
    if code.co_name == "<module>":
        return code.co_names[:1] == ("__doc__",)
    # The names of lambdas and comprehensions begin so; their first constant may be any.
    is_function = bool(code.co_flags & inspect.CO_NEWLOCALS) and not code.co_name.startswith("<")
    return is_function and code.co_flags & _HAS_DOCSTRING == _HAS_DOCSTRING
