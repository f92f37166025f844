"""The size of folders, files and functions, so that a reader finds a thing and can hold it."""

import ast

import pytest

from tests.repository.test_import_direction import ROOMS, ROOT, modules, tree

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_FILES_IN_GROUP = 20
MAX_ENTRIES_IN_SERVICES = 16


@pytest.mark.parametrize("room", [*ROOMS, "tests", "tools", "benchmarks"])
def test_files_are_short(room: str) -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules(room)}
    assert {path: length for path, length in lengths.items() if length > MAX_FILE_LINES} == {}


@pytest.mark.parametrize("room", [*ROOMS, "tools", "benchmarks"])
def test_functions_are_short(room: str) -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {length} lines"
        for path in modules(room)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_services_are_grouped() -> None:
    entries = [path for path in (ROOT / "services").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= MAX_ENTRIES_IN_SERVICES
    sizes = {folder.name: len(list(folder.glob("*.py"))) for folder in entries if folder.is_dir()}
    assert {name: size for name, size in sizes.items() if size > MAX_FILES_IN_GROUP} == {}


def test_every_group_has_a_wiring() -> None:
    groups = [path for path in (ROOT / "services").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert [group.name for group in groups if not (group / "wiring.py").exists()] == []
