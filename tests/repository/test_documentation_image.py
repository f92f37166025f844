"""The stage of the image that builds the documentation has what that needs."""

import os
import subprocess
import sys
from pathlib import Path

from settings import ROOT
from tests.support.dockerfile import DOCUMENTATION_STAGE, copied, copy_to, instructions
from tools.build_documentation import SITE


def test_documentation_is_built_from_what_its_stage_has(tmp_path: Path) -> None:
    copy_to(tmp_path, copied() | copied(DOCUMENTATION_STAGE))
    _, build = instructions("RUN", DOCUMENTATION_STAGE)
    program, *arguments = build.split()
    assert program == "python"
    subprocess.run([sys.executable, *arguments], cwd=tmp_path, check=True, env={"PATH": os.defpath}, timeout=120)  # noqa: S603 - of the Dockerfile
    assert (tmp_path / SITE.relative_to(ROOT) / "index.html").exists()
