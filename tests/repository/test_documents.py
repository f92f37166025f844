"""README and docs keep in step with the code: settings, links, make targets, folders."""

import re
from enum import Enum
from pathlib import Path
from urllib.parse import unquote

import pytest

from settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def headings(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def shown_default(value: object) -> str:
    """How docs/configuration.md writes a default."""
    match value:
        case None:
            return "unset"
        case ():
            return "none"
        case Enum():
            return f"`{value.value}`"
        case float():
            return f"`{value:g}`"
    return f"`{value}`"


def test_the_configuration_lists_every_setting_with_its_default_and_meaning() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    # What an unset setting leads to is said behind the colon, in words of the page's own.
    written = [(name, re.sub(r"^unset: .+", "unset", default), meaning) for name, default, meaning in rows]
    assert written == [
        (name.upper(), shown_default(field.default), field.description) for name, field in Settings.model_fields.items()
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = unquote(link).partition("#")
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), link
        assert found.is_relative_to(ROOT), link
        if anchor:
            assert anchor in headings(found), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_make_targets_that_are_named_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = path.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```sh\n.*?^```|`[^`\n]+`", text, re.MULTILINE | re.DOTALL))
    assert set(re.findall(r"\bmake ([a-z]+)", code)) <= targets


def test_the_readme_names_both_commands_and_every_decision_is_listed() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^make run\b", readme, re.MULTILINE)
    assert re.search(r"^make test\b", readme, re.MULTILINE)
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))
    for name in listed:
        text = (folder / name).read_text(encoding="utf-8")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences", "Alternatives"]


def test_the_map_names_what_is_there_and_leaves_no_room_out() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## The map\n")[1].split("\n## ")[0]
    named = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    for name in named:
        found = ROOT / name
        assert found.is_dir() if name.endswith("/") else found.is_file(), name
    rooms = {f"{path.parent.name}/" for path in ROOT.glob("[a-z]*/*.py")}
    assert rooms <= set(named)


def test_the_commands_of_main_that_are_named_exist() -> None:
    commands = set(re.findall(r"add_parser\(\s*\"([a-z-]+)\"", (ROOT / "main.py").read_text(encoding="utf-8")))
    assert "serve" in commands
    for path in DOCUMENTS:
        assert set(re.findall(r"main\.py ([a-z-]+)", path.read_text(encoding="utf-8"))) <= commands, path
