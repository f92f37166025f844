"""Build the documentation site into web/documentation/dist, from docs/ and the schema; `make docs` runs it."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.api_reference import write_reference
from tools.documentation_pages import SCRIPTS, page_of, without_inline_scripts

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "web" / "documentation"
PAGES = SOURCE / "pages"  # what the generator reads: docs/ with the reference
SITE = SOURCE / "dist"


def stage() -> None:
    """Write the pages that the generator reads."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES, ignore=shutil.ignore_patterns("grafana", "*.yaml"))
    shutil.copytree(SOURCE / "assets", PAGES, dirs_exist_ok=True)
    write_reference(PAGES / "reference")
    paths = {str(path.relative_to(PAGES)): path for path in PAGES.rglob("*") if path.is_file()}
    for name, path in paths.items():
        if path.suffix == ".md":
            path.write_text(page_of(path.read_text(encoding="utf-8"), name, paths.keys()), encoding="utf-8")


def finish() -> int:
    """Move inline scripts into files, and return the number of pages."""
    scripts: dict[str, str] = {}
    pages = list(SITE.rglob("*.html"))
    for page in pages:
        html = page.read_text(encoding="utf-8")
        page.write_text(without_inline_scripts(html, str(page.relative_to(SITE)), scripts), encoding="utf-8")
    folder = SITE / SCRIPTS
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in scripts.items():
        (folder / name).write_text(script, encoding="utf-8")
    return len(pages)


def main() -> int:
    started = time.monotonic()
    stage()
    # --strict: a link that leads nowhere is an error.
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(SOURCE / "mkdocs.yml")]
    built = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a constant command
    if built.returncode:
        print(f"The documentation cannot be built:\n{built.stderr or built.stdout}", file=sys.stderr)
        return 1
    pages = finish()
    print(f"Built {pages} pages of documentation in {time.monotonic() - started:.0f} s: served at /docs.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
