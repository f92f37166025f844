"""The wording of docstrings, test names and prose: a reader who has never seen the code must understand it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.repository.test_import_direction import ROOT, modules, tree

MAX_TEST_NAME = 90  # characters
PRIVATE_WORDS = re.compile(
    r"\b(told|tells?|whoever|nobody(?:'s)?|somebody(?:'s)?|anybody's|becomes of|one's own)\b", re.IGNORECASE
)
UNIX_USER = 'getpwnam("nobody")'
MESSAGE_FIELD = 'ACTIVITIES = "told"'  # renaming it would hide activities during a rolling update

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[Path]:
    """Every Python file of the project but migrations."""
    folders = ("tests", "tools", "benchmarks")
    return [*modules(), *(path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))]


def documented(path: Path) -> Iterator[tuple[Documented, str]]:
    """Each definition that has a docstring, with the docstring."""
    for node in ast.walk(tree(path)):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield node, text


def test_docstrings_open_with_more_than_one_word() -> None:
    short = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}: {text.splitlines()[0]}"
        for path in sources()
        for node, text in documented(path)
        if len(text.splitlines()[0].split()) == 1
    ]
    assert short == []


def test_test_names_are_at_most_90_characters() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and len(node.name) > MAX_TEST_NAME
    ]
    assert long == []


def test_code_uses_standard_terms() -> None:
    this = Path(__file__)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sources()
        if path != this
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if PRIVATE_WORDS.search(line.replace(UNIX_USER, "").replace(MESSAGE_FIELD, ""))
    ]
    assert found == []


def test_test_names_use_standard_terms() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and PRIVATE_WORDS.search(node.name.replace("_", " "))
    ]
    assert found == []
