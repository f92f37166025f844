"""Bring the message catalogues in step with the code; translations that are still used are kept.

    .venv/bin/python tools/update_messages.py

New messages get an empty translation, which a test then asks for.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
ROOMS = ("models", "resolvers", "schema", "services", "web")
CATALOGUE = ROOT / "locales" / "zh_CN" / "LC_MESSAGES" / "messages.po"


def extract() -> Catalog:
    """Every sentence that the code marks with `message(...)`, with the files it stands in."""
    found = Catalog(charset="utf-8")
    for room in ROOMS:
        for path, _, text, comments, _ in extract_from_dir(ROOT / room, keywords={"message": None}):
            found.add(text, locations=[(f"{room}/{path}", 0)], auto_comments=comments)
    return found


def updated(catalogue: Path = CATALOGUE) -> str:
    """The catalogue as it should be."""
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


# Babel's own header holds dates, which would change with every run.
_HEADER = r"""# Messages in Simplified Chinese; msgid is the sentence in the code. `make messages` keeps both in step.
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
    missing = text.count('msgstr ""\n\n') + text.endswith('msgstr ""\n')
    print(f"wrote {CATALOGUE.relative_to(ROOT)}: {len(list(extract())) - 1} messages, {missing} without translation")
