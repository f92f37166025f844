"""Update the translation catalogue from the code, and compile it; translations that are still used are kept.

    .venv/bin/python tools/update_messages.py

New messages get an empty translation; a test fails until it is filled in and compiled, by the same command. Servers
read the compiled catalogue by the standard library: parsing the text takes Babel and 4 MiB.
"""

import io
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
FOLDERS = ("models", "resolvers", "schema", "services", "web")
CATALOGUE = ROOT / "locales" / "zh_CN" / "LC_MESSAGES" / "messages.po"
COMPILED = CATALOGUE.with_suffix(".mo")
_NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)  # the same bytes by every run


def extract() -> Catalog:
    """Return every message that the code marks with `message(...)`, with its files."""
    catalogue = Catalog(charset="utf-8")
    for folder in FOLDERS:
        for path, _, text, comments, _ in extract_from_dir(ROOT / folder, keywords={"message": None}):
            catalogue.add(text, locations=[(f"{folder}/{path}", 0)], auto_comments=comments)
    return catalogue


def updated(catalogue: Path = CATALOGUE) -> str:
    """Return the text of the updated catalogue."""
    with catalogue.open("rb") as file:
        translated = read_po(file, locale="zh_CN")
    fresh = extract()
    whole = Catalog(locale="zh_CN", charset="utf-8", header_comment="")
    for entry in fresh:
        if entry.id:
            known = translated.get(entry.id)
            whole.add(entry.id, known.string if known else "", locations=entry.locations)
    out = io.BytesIO()
    write_po(out, whole, width=120, omit_header=True, sort_by_file=True, include_lineno=False)
    return _HEADER + out.getvalue().decode()


def compiled(text: str) -> bytes:
    """Return a catalogue's text as gettext reads it."""
    catalogue = read_po(io.BytesIO(text.encode()), locale="zh_CN")
    catalogue.creation_date = catalogue.revision_date = _NO_DATE
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


# Babel's own header contains dates, which would change with every run.
_HEADER = r"""# Messages in Simplified Chinese; msgid is the message in the code. `make messages` updates this file.
msgid ""
msgstr ""
"Language: zh_CN\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"

"""


if __name__ == "__main__":
    text = updated()
    CATALOGUE.write_text(text, encoding="utf-8")
    COMPILED.write_bytes(compiled(text))
    missing = text.count('msgstr ""\n\n') + text.endswith('msgstr ""\n')
    print(f"wrote {CATALOGUE.relative_to(ROOT)}: {len(list(extract())) - 1} messages, {missing} without translation")
