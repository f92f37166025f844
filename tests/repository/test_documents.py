"""README and docs agree with the code: settings, links, make targets, folders; and they use plain words."""

import re
from enum import Enum
from pathlib import Path
from urllib.parse import unquote

import pytest

from main import parse_arguments
from settings import Settings
from tests.repository.test_import_direction import ORDER
from tests.repository.test_wording import PRIVATE_WORDS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "examples" / "typescript" / "README.md",
]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
PROSE = [*DOCUMENTS, ROOT / "docs" / "alerts.yaml", ROOT / "docs" / "grafana" / "darkroom.json"]


def headings(path: Path) -> set[str]:
    """Return the anchors of a document's headings, in GitHub's format."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def shown_default(value: object) -> str:
    """Format a default the way docs/configuration.md does."""
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


def test_configuration_lists_every_setting_with_default_and_meaning() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    # The text after "unset:" is the page's own and not compared.
    written = [(name, re.sub(r"^unset: .+", "unset", default), meaning) for name, default, meaning in rows]
    assert written == [
        (name.upper(), shown_default(field.default), field.description) for name, field in Settings.model_fields.items()
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_relative_links_and_anchors_resolve(path: Path) -> None:
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
def test_documented_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = path.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```sh\n.*?^```|`[^`\n]+`", text, re.MULTILINE | re.DOTALL))
    assert set(re.findall(r"\bmake ([a-z]+)", code)) <= targets


def test_readme_names_run_and_test_commands_and_every_decision_is_listed() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^make run\b", readme, re.MULTILINE)
    assert re.search(r"^make test\b", readme, re.MULTILINE)
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))
    for name in listed:
        text = (folder / name).read_text(encoding="utf-8")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences", "Alternatives"]


def test_folder_tables_are_complete_and_name_existing_paths() -> None:
    text = (ROOT / "docs" / "map.md").read_text(encoding="utf-8").split("\n## Folders\n")[1].split("\n## ")[0]
    named = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    for name in named:
        found = ROOT / name
        assert found.is_dir() if name.endswith("/") else found.is_file(), name
    rooms = {f"{path.parent.name}/" for path in ROOT.glob("[a-z]*/*.py")}
    groups = {f"services/{path.parent.name}/" for path in ROOT.glob("services/*/wiring.py")}
    assert rooms | groups <= set(named)


def test_architecture_lists_the_import_order_that_is_tested() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = text.split("\n## Import order\n")[1].split("\n## ")[0]
    assert tuple(re.findall(r"^    (\S+)$", listed.replace("schema.<group>", "schema"), re.MULTILINE)) == ORDER


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_use_no_banned_word(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [f"{number}: {line}" for number, line in enumerate(lines, 1) if PRIVATE_WORDS.search(line)]
    assert found == []


def test_map_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        parse_arguments(["--help"])
    known = set(re.findall(r"^    ([a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    text = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^\| `main\.py` \| the command line: (.+) \|$", text, re.MULTILINE)
    assert set(listed.split(", ")) == known


def test_documented_main_commands_exist() -> None:
    sources = [ROOT / "main.py", *(ROOT / "commands").glob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    commands = set(re.findall(r"add_parser\(\s*\"([a-z-]+)\"", code))
    assert "serve" in commands
    for path in DOCUMENTS:
        assert set(re.findall(r"main\.py ([a-z-]+)", path.read_text(encoding="utf-8"))) <= commands, path
