"""The Dockerfile as the tests read it: its stages, their instructions, and what they copy."""

import re
import shutil
from pathlib import Path

from settings import ROOT

_, STAGE, STUDIO_STAGE, CODE, DOCUMENTATION_STAGE, DOCKERFILE = re.split(
    r"^(?=FROM )", re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8")), flags=re.MULTILINE
)


def instructions(keyword: str, text: str = DOCKERFILE) -> list[str]:
    """Return the arguments of every such instruction of the image."""
    return re.findall(rf"^{keyword} (.+)$", text, re.MULTILINE)


def copied(text: str = CODE) -> dict[str, str]:
    """Return what a stage copies, by default that of the code: destinations by source, files and folders."""
    found = {}
    for line in instructions("COPY", text):
        *sources, destination = line.split()
        for source in sources if not line.startswith("--from=") else ():
            is_file_into_folder = destination.endswith("/") and not source.endswith("/")
            target = f"{destination}{Path(source).name}" if is_file_into_folder else destination.rstrip("/")
            found[source.rstrip("/")] = source if destination == "./" else target
    return found


def copy_to(folder: Path, files: dict[str, str]) -> None:
    """Copy what stages copy, without what is built."""
    for source, destination in files.items():
        target = folder / destination
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "dist"))
        else:
            shutil.copy(ROOT / source, target)
