"""Pages of docs/, written for GitHub, as the generator of the documentation site reads them, and what it makes."""

import hashlib
import json
import posixpath
import re
from collections.abc import Set
from urllib.parse import quote

SCRIPTS = "assets/inline"  # the folder of scripts that were inline

_FENCE = re.compile(r"^\s*(```|~~~)")
_ITEM = re.compile(r"^(\s*)([-*]|\d+\.) ")
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")
_OPERATION = re.compile(r"^```graphql\n(.*?)^```(?:\n+```json\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_RUNNABLE = re.compile(r"^\s*(query|mutation|subscription|\{)")
_PATH = re.compile(r"[\w./-]+\.\w+|[\w-]+/[\w./-]*")


def page_of(markdown: str, path: str, pages: Set[str]) -> str:
    """Return a page that was written for GitHub as the generator reads it, with a way to run its operations.

    `path`: of the page below docs/. `pages`: all of these paths; links to other files of the repository become text.
    """
    folder = posixpath.dirname(path)
    markdown = _LINK.sub(lambda link: _link(link, folder, pages), markdown)
    return _runnable(_lists(markdown))


def without_inline_scripts(html: str, path: str, scripts: dict[str, str]) -> str:
    """Return a page of the site with its inline scripts in files, as a strict Content-Security-Policy requires.

    `path`: of the page in the site. `scripts`: their files are added, by name.
    """
    root = posixpath.relpath(".", posixpath.dirname(path) or ".")

    def move(script: re.Match[str]) -> str:
        name = hashlib.sha256(script[1].encode()).hexdigest()[:16] + ".js"
        scripts[name] = script[1]
        return f'<script src="{root}/{SCRIPTS}/{name}"></script>'

    return _INLINE_SCRIPT.sub(move, html)


def _link(link: re.Match[str], folder: str, pages: Set[str]) -> str:
    """Return a link as it is, or the text alone of one to a file of the repository that is no page."""
    text, target = link[1], link[2]
    if re.match(r"[a-z]+:|/", target):
        return link[0]
    found = posixpath.normpath(posixpath.join(folder, target))
    if found in pages:
        return link[0]
    if found == "../README.md":
        return f"[{text}]({posixpath.relpath('index.md', folder or '.')})"
    return f"`{text}`" if _PATH.fullmatch(text) else text


def _lists(markdown: str) -> str:
    """Return the text with a blank line before each list, and nested items indented by four spaces."""
    lines: list[str] = []
    in_code = False
    for line in markdown.split("\n"):
        if _FENCE.match(line):
            in_code = not in_code
        before = lines[-1] if lines else ""
        item = None if in_code else _ITEM.match(line)
        if item and not item[1] and before.strip() and not _ITEM.match(before) and not before.startswith(" "):
            lines.append("")
        if not in_code and (nested := re.match(r"^ {2,3}(?=\S)", line)) and _is_in_list(lines):
            line = "    " + line[nested.end() :] if item else line
        lines.append(line)
    return "\n".join(lines)


def _is_in_list(lines: list[str]) -> bool:
    for line in reversed(lines):
        if _ITEM.match(line):
            return True
        if line.strip() and not line.startswith(" "):
            return False
    return False


def _runnable(markdown: str) -> str:
    """Return the text with a link below each operation, which opens it in GraphiQL with its variables."""

    def with_link(block: re.Match[str]) -> str:
        if not _RUNNABLE.match(block[1]):
            return block[0]
        fragment = f"query={quote(block[1].strip())}"
        if block[2] and _is_json(block[2]):
            fragment += f"&variables={quote(block[2].strip())}"
        return f'{block[0]}\n\n<p class="run"><a href="/graphql#{fragment}">Run in GraphiQL</a></p>\n'

    return _OPERATION.sub(with_link, markdown)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
