"""The built studio: its types, its size, and no address of another host."""

import gzip
import json
import re
import subprocess
from pathlib import Path

from settings import ROOT
from web.studio import BUILD, FOLDER

COMPILER = ROOT / "examples" / "typescript" / "node_modules" / ".bin" / "tsc"
FIRST_LOAD = 250_000  # bytes of compressed JavaScript
NO_OTHER_HOST = re.compile(r"(unpkg|jsdelivr|esm\.sh|cdnjs|googleapis|gstatic)")


def built() -> Path:
    """Return the folder of the built page."""
    assert (BUILD / "index.html").is_file(), "`make test` builds the studio; so does `make studio`"
    return BUILD


def files(suffix: str) -> list[Path]:
    return sorted((built() / "studio").glob(f"*{suffix}"))


def imported(names: set[str]) -> set[str]:
    """Return the scripts that these scripts import as they are loaded, and their own, in turn."""
    found = set(names)
    waiting = list(names)
    while waiting:
        text = (built() / "studio" / waiting.pop()).read_text(encoding="utf-8")
        for name in re.findall(r'(?:from|import)\s*"\./([^"]+\.js)"', text):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def first_load() -> set[str]:
    """Return the scripts that every visitor loads."""
    markup = (built() / "index.html").read_text(encoding="utf-8")
    return imported(set(re.findall(r'(?:src|href)="/studio/([^"]+\.js)"', markup)))


def test_first_load_is_within_its_budget() -> None:
    first = first_load()
    size = sum(len(gzip.compress((BUILD / "studio" / name).read_bytes(), 9)) for name in first)
    assert 0 < size <= FIRST_LOAD, f"{size} bytes in {sorted(first)}"


def test_admin_desk_is_no_part_of_the_first_load() -> None:
    of_desk = {path.name for path in files(".js") if "adminAdjustCredits" in path.read_text(encoding="utf-8")}
    assert of_desk
    assert not of_desk & first_load()


def test_page_links_only_its_own_files() -> None:
    links = re.findall(r'(?:src|href)="([^"]+)"', (built() / "index.html").read_text(encoding="utf-8"))
    assert links
    assert all(link.startswith("/studio/") for link in links)
    assert all((BUILD / link.removeprefix("/")).is_file() for link in links)


def test_build_references_no_cdn() -> None:
    for path in [*files(".js"), *files(".css")]:
        text = path.read_text(encoding="utf-8")
        assert not NO_OTHER_HOST.search(text), path.name
        assert not re.search(r"url\(\s*['\"]?(https?:|data:|//)", text), path.name


def test_page_source_passes_the_typescript_compiler() -> None:
    assert COMPILER.exists(), "`make test` installs the compiler; so does `make node`"
    assert (FOLDER / "src" / "gql" / "graphql.ts").is_file(), "`make test` builds the studio; so does `make studio`"
    checked = subprocess.run([COMPILER, "-p", FOLDER], capture_output=True, text=True, timeout=120)  # noqa: S603 - a constant command
    assert checked.returncode == 0, checked.stdout


def test_lock_names_no_registry_and_exact_versions() -> None:
    lock = (FOLDER / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    for name, version in json.loads((FOLDER / "package.json").read_text())["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
