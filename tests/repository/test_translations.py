"""Every user message is translated, with the same placeholders."""

import ast
import gettext
import string
from pathlib import Path

from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from tools.update_messages import CATALOGUE, COMPILED, FOLDERS, ROOT, extract, updated

HINT = "run `make messages`, then fill in the empty translations"


def translated() -> list[Message]:
    with CATALOGUE.open("rb") as file:
        return [entry for entry in read_po(file) if entry.id]


def placeholders(text: str) -> set[tuple[str, str | None, str | None]]:
    return {(name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(text) if name}


def test_catalogue_matches_the_code() -> None:
    known, used = {str(entry.id) for entry in translated()}, {str(entry.id) for entry in extract() if entry.id}
    assert used - known == set(), f"missing: {HINT}"
    assert known - used == set(), f"unused: {HINT}"
    assert CATALOGUE.read_text(encoding="utf-8") == updated(), HINT


def test_every_message_is_translated_and_none_is_fuzzy() -> None:
    assert len(translated()) > 50
    assert [entry.id for entry in translated() if not entry.string] == [], HINT
    assert [entry.id for entry in translated() if entry.fuzzy] == []


def test_compiled_catalogue_matches_its_text() -> None:
    with COMPILED.open("rb") as file:
        found = gettext.GNUTranslations(file)
    texts = {str(entry.id): str(entry.string) for entry in translated()}
    assert {id: found.gettext(id) for id in texts} == texts, "run `make messages` again, which compiles it"


def test_translations_are_chinese() -> None:
    for entry in translated():
        assert any("\u4e00" <= character <= "\u9fff" for character in str(entry.string)), entry.id
        if str(entry.id).endswith("."):
            assert str(entry.string).endswith("。") or "参考编号" in str(entry.string), entry.id


def test_placeholders_are_the_same_in_both_languages() -> None:
    for entry in translated():
        assert placeholders(str(entry.id)) == placeholders(str(entry.string)), entry.id


def calls_of_message() -> list[tuple[Path, ast.Call]]:
    found = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "message":
                found.append((path, node))
    return found


def test_every_message_is_a_string_literal() -> None:
    assert len(calls_of_message()) >= len(translated())
    for path, call in calls_of_message():
        (text,) = call.args
        assert isinstance(text, ast.Constant), (
            f"{path}:{call.lineno} is not a string literal, so it cannot be extracted"
        )
        assert isinstance(text.value, str)


def test_every_message_is_called_with_exactly_its_placeholders() -> None:
    for path, call in calls_of_message():
        (text,) = call.args
        assert isinstance(text, ast.Constant)
        names = {name for name, _, _ in placeholders(str(text.value))}
        assert names == {keyword.arg for keyword in call.keywords}, f"{path}:{call.lineno}"
