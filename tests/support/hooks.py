"""React hooks of the TypeScript client, run by Node: tests/support/node/hooks.js says how."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.support.typescript import NODE, ROOT, Script, execute

IMPORTS = """
import { run, keepCookies } from "./hooks.js";
import { Darkroom, CreateGenerationDocument, SetFavoriteDocument } from "@darkroom/client";
import * as hooks from "@darkroom/client/react";
const [url, ...rest] = process.argv.slice(2);
const input = { email: "ada@example.com", password: "correct horse" };
const lines = [];
const show = (...values) => lines.push(values);
process.on("exit", () => console.log(JSON.stringify(lines)));
"""


def _with_hooks(built: Path) -> Path:
    shutil.copy(ROOT / "tests" / "support" / "node" / "hooks.js", built)
    return built


async def shown_by(built: Path, name: str, text: str, *arguments: str) -> list[Any]:
    """Return what a script has shown."""
    script = _with_hooks(built) / f"{name}.mjs"
    script.write_text(IMPORTS + text)
    code, output = await execute(built, str(NODE / "node"), str(script), *arguments)
    assert code == 0, output
    return list(json.loads(output))


def script(built: Path, folder: Path, text: str, *arguments: str) -> Script:
    """Run a script beside a test; `folder`: of the test."""
    return Script(_with_hooks(built), folder, IMPORTS + text, *arguments)
