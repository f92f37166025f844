"""What the TypeScript client sends: the language, and documents by their hash, also through Apollo and urql."""

import json
from pathlib import Path

import pytest

from settings import Settings
from tests.conftest import running
from tests.support.client import photo
from tests.support.typescript import NODE, execute, executing_only_documents_of

pytestmark = pytest.mark.any_database

LOCALE = """
import { Darkroom, SignInDocument } from "@darkroom/client";
const [url] = process.argv.slice(2);
const input = { email: "ada@example.com", password: "wrong password" };
for (const locale of [undefined, "en"]) {
  const { signIn } = await new Darkroom({ url, ...(locale && { locale }) }).run(SignInDocument, { input });
  console.log(signIn.errors[0].message);
}
"""


async def test_language_is_the_products_unless_the_app_chooses_one(built: Path, settings: Settings) -> None:
    async with running(settings.model_copy(update={"profile": "scenes"}), idle=True) as server:
        script = built / "locale.mjs"
        script.write_text(LOCALE)
        code, output = await execute(built, str(NODE / "node"), str(script), f"{server.api.address}/graphql")
    assert code == 0, output
    chinese, english = output.splitlines()
    assert not chinese.isascii()
    assert english.isascii()


BEGIN = """
import { readFile } from "node:fs/promises";
import {
  accepted, CreateGenerationDocument, CreditsChangedDocument, Darkroom, FindStyleDocument, newKey, SignUpDocument,
  ViewerDocument,
} from "@darkroom/client";
const [url, path] = process.argv.slice(2);
const darkroom = new Darkroom({ url, trustedDocuments: true });
const account = { email: `${newKey()}@example.com`, password: newKey() };
darkroom.token = accepted((await darkroom.run(SignUpDocument, { input: account })).signUp).token;
const { style } = await darkroom.run(FindStyleDocument, { slug: "cute", collection: "plushify" });
const image = new File([await readFile(path)], "me.jpg", { type: "image/jpeg" });
const orders = [{ prompt: "A fox" }, { styleId: style.id, image }];
const show = (...values) => console.log(JSON.stringify(values));
"""

APOLLO = """
import { createApolloClient } from "@darkroom/client/apollo";
const client = createApolloClient(darkroom);
show((await client.query({ query: ViewerDocument })).data.viewer.credits);
for (const input of orders) {
  const { data } = await client.mutate({ mutation: CreateGenerationDocument, variables: { input } });
  show(data.createGeneration.errors.length, data.createGeneration.viewer.credits);
}
show(client.readQuery({ query: ViewerDocument }).viewer.credits);
await new Promise((resolve) => client.subscribe({ query: CreditsChangedDocument }).subscribe(resolve));
process.exit();
"""

URQL = """
import { createUrqlClient } from "@darkroom/client/urql";
const client = createUrqlClient(darkroom);
show((await client.query(ViewerDocument, {}).toPromise()).data.viewer.credits);
for (const input of orders) {
  const { data, error } = await client.mutation(CreateGenerationDocument, { input }).toPromise();
  if (error) throw error;
  show(data.createGeneration.errors.length, data.createGeneration.viewer.credits);
}
const kept = await client.query(ViewerDocument, {}, { requestPolicy: "cache-only" }).toPromise();
show(kept.data.viewer.credits);
const live = client.subscription(CreditsChangedDocument, {});
await new Promise((resolve) => live.subscribe(({ data }) => data && resolve()));
process.exit();
"""


@pytest.mark.parametrize("library", ["apollo", "urql"])
async def test_client_libraries_send_hashes_where_only_trusted_documents_are_executed(
    built: Path, settings: Settings, library: str, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo())
    script = built / f"trusted_{library}.mjs"
    script.write_text(BEGIN + (APOLLO if library == "apollo" else URQL))
    async with running(executing_only_documents_of(built, settings), idle=True) as server:
        arguments = (f"{server.api.address}/graphql", str(tmp_path / "photo.jpg"))
        code, output = await execute(built, str(NODE / "node"), str(script), *arguments)
    assert code == 0, output
    assert [json.loads(line) for line in output.splitlines()] == [[30], [0, 29], [0, 28], [28]]
