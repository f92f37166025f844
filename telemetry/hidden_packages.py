"""Hides installed packages from libraries that import them only because they are there."""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Let imports of these packages and modules fail with ImportError while the body runs, unless they are imported.

    Afterwards they can be imported as before.
    """
    added = [name for name in names if name not in sys.modules]
    for name in added:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to make an import fail
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]
