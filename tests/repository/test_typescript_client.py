"""The package in examples/typescript, and the schema as checked by the tools of GraphQL's clients."""

import json
import shutil
from pathlib import Path

import pytest

from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo
from tests.support.cut_proxy import CutProxy
from tests.support.integrity import adjust_credits
from tests.support.typescript import (
    NODE,
    ROOT,
    Script,
    add_apps_of_the_guide,
    copy_example,
    execute,
    executing_only_documents_of,
    npm,
    npm_succeeds,
)

pytestmark = pytest.mark.any_database


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = copy_example(tmp_path_factory.mktemp("typescript"))
    add_apps_of_the_guide(copy)
    return copy


@pytest.fixture(scope="module")
async def built(example: Path) -> Path:
    """The package with its generated types, as it would be published."""
    assert "All good" in await npm_succeeds(example, "build")
    return example


async def test_generated_types_are_checked_by_the_compiler(built: Path) -> None:
    await npm_succeeds(built, "check")
    invalid = built / "src" / "invalid.ts"
    invalid.write_text(
        'import type { GenerationProgressSubscription } from "@darkroom/client";\n'
        "export const url = (data: GenerationProgressSubscription) => data.generationProgress.result.url;\n"
    )
    try:
        code, output = await npm(built, "check")
    finally:
        invalid.unlink()
    assert code != 0
    assert "possibly 'null'" in output  # the type includes a result that is not there yet


async def test_browser_entries_use_nothing_of_node(built: Path) -> None:
    modules = [path for path in (built / "dist").rglob("*.js") if path.name != "node.js"]
    assert len(modules) > 10
    assert [path.name for path in modules if 'from "node:' in path.read_text() or "process." in path.read_text()] == []


async def test_apps_are_built_with_vite(built: Path) -> None:
    assert "built in" in await npm_succeeds(built, "apps")
    assert {path.parent.name for path in (built / "dist-apps").glob("*/index.html")} == {
        "apollo",
        "urql",
        "hooks",
        "guide",
    }


async def test_invalid_operation_is_not_generated(example: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "examples" / "wrong"
    shutil.copytree(example, wrong, symlinks=True)
    shutil.copytree(example.parent.parent / "schema", tmp_path / "schema")
    operations = wrong / "src" / "operations" / "gallery.graphql"
    operations.write_text(operations.read_text().replace("totalCount", "total"))
    code, output = await npm(wrong, "generate")
    assert code != 0
    assert 'Cannot query field "total"' in output


async def test_client_signs_up_uploads_photos_follows_generations_and_pages_the_gallery(
    built: Path, server: Running, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo())
    output = await npm_succeeds(
        built, "start", "--", str(tmp_path / "photo.jpg"), DARKROOM_URL=f"{server.api.address}/graphql"
    )
    lines = [json.loads(line) for line in output.splitlines()]
    progress = [line for line in lines if line["what"] == "progress"]
    ordered = [line["id"] for line in lines if line["what"] == "ordered"]
    pictures = {line["id"]: line for line in lines if line["what"] == "picture"}
    assert len(ordered) == 3
    assert list(pictures) == ordered
    assert [line["id"] for line in progress if line["stage"] == "COMPLETED"] == ordered
    assert (await server.api.http.get(pictures[ordered[0]]["url"])).headers["content-type"] == "image/jpeg"
    assert [line["sent"] for line in lines if line["what"] == "sending"] == [0, len(photo())]
    pages = [line for line in lines if line["what"] == "page"]
    assert [page["ids"] for page in pages] == [[ordered[2], ordered[1]], [ordered[0]]]
    assert {page["totalCount"] for page in pages} == {3}


async def test_client_follows_generations_where_node_has_no_websockets(built: Path, server: Running) -> None:
    output = await npm_succeeds(
        built, "start", DARKROOM_URL=f"{server.api.address}/graphql", NODE_OPTIONS="--no-experimental-websocket"
    )
    assert '"stage":"COMPLETED"' in output


async def test_client_sends_hashes_where_only_trusted_documents_are_executed(
    built: Path, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo())
    async with running(executing_only_documents_of(built, settings)) as server:
        url = f"{server.api.address}/graphql"
        code, output = await npm(built, "start", DARKROOM_URL=url)
        assert (code, "FORBIDDEN" in output) == (1, True)  # the text of a document is not its manifest's
        output = await npm_succeeds(
            built, "start", "--", str(tmp_path / "photo.jpg"), DARKROOM_URL=url, DARKROOM_TRUSTED="1"
        )
    assert output.count('"stage":"COMPLETED"') == 3


WATCH_CREDITS = """
import { Darkroom } from "@darkroom/client";
const [url, token, transport, last, seconds] = process.argv.slice(2);
const lost = seconds ? { lostAfterSeconds: Number(seconds) } : {};
const darkroom = new Darkroom({ url, token, transport, ...lost });
for await (const { credits, transaction } of darkroom.watchCredits()) {
  console.log(JSON.stringify([credits, transaction?.amount ?? null]));
  if (transaction?.amount === Number(last)) break;
}
darkroom.close();
if (seconds) process.exit(); // else Node waits for the silent connection to be closed
"""


@pytest.mark.parametrize("transport", ["websocket", "events"])
async def test_subscription_goes_on_after_lost_connections_without_gaps_or_repetitions(
    built: Path, server: Running, ada: Api, transport: str, tmp_path: Path
) -> None:
    before = await ada.credits()
    async with CutProxy.open(server.api.address) as proxy:
        watching = Script(built, tmp_path, WATCH_CREDITS, f"{proxy.address}/graphql", str(ada.token), transport, "3")
        await watching.wait_for(f"[{before},null]")
        await adjust_credits(ada.user["id"], 1, "seen at once")
        await watching.wait_for(f"[{before + 1},1]")
        proxy.is_down = True
        proxy.cut()
        await adjust_credits(ada.user["id"], 2, "while the connection is lost")
        proxy.is_down = False
        await watching.wait_for(",2]")
        proxy.cut()
        await adjust_credits(ada.user["id"], 3, "after the second loss")
        assert await watching.end() == 0, watching.output
    messages = [json.loads(line) for line in watching.output.splitlines()]
    assert [amount for _, amount in messages if amount] == [1, 2, 3]
    assert messages[-1][0] == before + 6


@pytest.mark.parametrize("transport", ["websocket", "events"])
async def test_connection_that_is_silent_without_being_closed_is_replaced(
    built: Path, server: Running, ada: Api, transport: str, tmp_path: Path
) -> None:
    before = await ada.credits()
    async with CutProxy.open(server.api.address) as proxy:
        watching = Script(
            built, tmp_path, WATCH_CREDITS, f"{proxy.address}/graphql", str(ada.token), transport, "1", "1"
        )
        await watching.wait_for(f"[{before},null]")
        await adjust_credits(ada.user["id"], 2, "seen at once")
        await watching.wait_for(",2]")
        proxy.silence()
        await adjust_credits(ada.user["id"], 1, "while nothing arrives")
        assert await watching.end() == 0, watching.output
    assert json.loads(watching.output.splitlines()[-1]) == [before + 3, 1]


WATCH_GALLERY = """
import { Darkroom } from "@darkroom/client";
const [url, token, transport] = process.argv.slice(2);
const darkroom = new Darkroom({ url, token, transport });
for await (const { kind, generationId } of darkroom.watchGallery()) {
  console.log(JSON.stringify([kind, generationId]));
  if (kind === "DELETED") break;
}
darkroom.close();
"""


@pytest.mark.parametrize("transport", ["websocket", "events"])
async def test_gallery_goes_on_after_lost_connections_without_reading_it_again(
    built: Path, idle_server: Running, transport: str, tmp_path: Path
) -> None:
    ada = await idle_server.api.sign_up()

    async def create(count: int) -> list[list[str | None]]:
        made = await ada.create(prompt="A red boat", count=count)
        return [["CREATED", generation["id"]] for generation in made["generations"]]

    async def shown(line: list[str | None]) -> None:
        await watching.wait_for(json.dumps(line, separators=(",", ":")))

    async with CutProxy.open(ada.address) as proxy:
        watching = Script(built, tmp_path, WATCH_GALLERY, f"{proxy.address}/graphql", str(ada.token), transport)
        expected: list[list[str | None]] = [["SNAPSHOT", None]]
        await shown(["SNAPSHOT", None])
        for count in (2, 3):  # in one version
            proxy.is_down = True
            proxy.cut()
            expected += await create(count)
            proxy.is_down = False
            await shown(expected[-1])
        proxy.cut()
        expected += await create(1)
        await shown(expected[-1])
        deleted = expected[-1][1]
        await ada.one("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }", ids=[deleted])
        assert await watching.end() == 0, watching.output
    assert [json.loads(line) for line in watching.output.splitlines()] == [*expected, ["DELETED", deleted]]


REFUSALS = """
import { accepted, CreateUploadDocument, Darkroom, InputRefusedError, SignInDocument } from "@darkroom/client";
const url = process.argv[2];
const codes = [];
const signedOut = new Darkroom({ url });
await signedOut
  .run(CreateUploadDocument, { input: { contentType: "image/jpeg", byteSize: 1 } })
  .catch((error) => codes.push(error.code));
const account = { email: "a@example.com", password: "wrong one" };
const { signIn } = await signedOut.run(SignInDocument, { input: account });
try {
  accepted(signIn);
} catch (error) {
  codes.push(error instanceof InputRefusedError && error.code);
}
for (const transport of ["websocket", "events"]) {
  const client = new Darkroom({ url, transport });
  const progress = client.watchGeneration("gen_01k0000000000000000000000");
  await progress.next().catch((error) => codes.push(error.code));
  client.close();
}
console.log(JSON.stringify(codes));
"""


async def test_refusals_are_errors_with_their_code(built: Path, server: Running) -> None:
    script = built / "refused.mjs"
    script.write_text(REFUSALS)
    code, output = await execute(built, str(NODE / "node"), str(script), f"{server.api.address}/graphql")
    assert code == 0, output
    assert json.loads(output) == ["UNAUTHENTICATED", "INVALID_INPUT", "UNAUTHENTICATED", "UNAUTHENTICATED"]


async def test_relay_compiler_accepts_lists_nodes_and_subscriptions(example: Path) -> None:
    assert "Compilation completed" in await npm_succeeds(example, "relay")


async def test_schema_and_operations_pass_the_lint_rules(example: Path) -> None:
    assert await npm_succeeds(example, "lint") == ""


VIOLATIONS = {
    "  endCursor: String\n": ("", "relay-page-info"),
    "type GenerationEdge {\n  cursor: String!\n": ("type GenerationEdge {\n", "relay-edge-types"),
    "  edges: [StyleEdge!]!\n": ("  edges: StyleEdge!\n", "relay-connection-types"),
    "enum Size {\n  SMALL\n": ("enum Size {\n  small\n", "naming-convention"),
}


async def test_lint_rules_detect_violations(example: Path, tmp_path: Path) -> None:
    folder = tmp_path / "examples" / "typescript"
    shutil.copytree(example, folder, symlinks=True)
    schema = (ROOT / "schema" / "schema.graphql").read_text()
    for valid, (broken, _) in VIOLATIONS.items():
        assert valid in schema
        schema = schema.replace(valid, broken, 1)
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "schema.graphql").write_text(schema.replace("= SMALL", "= small"))
    operations = folder / "src" / "operations" / "unused.graphql"
    command = "eslint --stdin --stdin-filename schema.graphql < ../../schema/schema.graphql"
    code, output = await execute(folder, "sh", "-c", f'PATH="node_modules/.bin:$PATH" {command}')
    assert code != 0
    assert {rule for _, rule in VIOLATIONS.values() if rule in output} == {rule for _, rule in VIOLATIONS.values()}
    operations.write_text("query Unnamed($unused: ID) { viewer { email } }\n")
    code, output = await npm(folder, "lint")
    assert code != 0
    assert "no-unused-variables" in output
    assert "require-selections" in output  # a viewer without its id cannot be found in a cache


TWO_ACCOUNTS = """
import { gql } from "@urql/core";
import { Darkroom } from "@darkroom/client";
import { createUrqlClient } from "@darkroom/client/urql";
const [url, ...tokens] = process.argv.slice(2);
const darkroom = new Darkroom({ url });
const client = createUrqlClient(darkroom);
const LEDGER = gql`{ viewer { id transactions(first: 5) { edges { cursor node { id } } } } }`;
const ledger = async (token, requestPolicy) => {
  darkroom.token = token;
  const { data } = await client.query(LEDGER, {}, { requestPolicy }).toPromise();
  return [data.viewer.id, data.viewer.transactions.edges.map(({ node }) => node.id)];
};
const read = [];
for (const token of tokens) read.push(await ledger(token, "network-only"));
darkroom.token = tokens[0];
await client.query(gql`{ viewer { id } }`, {}, { requestPolicy: "network-only" }).toPromise();
console.log(JSON.stringify([...read, await ledger(tokens[0], "cache-only")]));
"""


async def test_lists_of_two_accounts_in_one_cache_stay_apart(built: Path, server: Running, ada: Api) -> None:
    eve = await server.api.sign_up("eve@example.com")
    script = built / "accounts.mjs"
    script.write_text(TWO_ACCOUNTS)
    arguments = (str(script), f"{server.api.address}/graphql", str(ada.token), str(eve.token))
    code, output = await execute(built, str(NODE / "node"), *arguments)
    assert code == 0, output
    first, second, again = json.loads(output)
    assert (first[0], second[0]) == (ada.user["id"], eve.user["id"])
    assert set(first[1]).isdisjoint(second[1])
    assert again == first, "read from the cache, where both ledgers begin at the same cursor"


ONE_HEART = """
import { Client, fetchExchange, gql } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { Darkroom } from "@darkroom/client";
import { cacheOptions, liveExchange } from "@darkroom/client/urql";
const [url, token, id] = process.argv.slice(2);
const darkroom = new Darkroom({ url, token });
let rereads = 0;
const exchanges = [cacheExchange(cacheOptions(() => rereads++)), liveExchange(darkroom), fetchExchange];
const fetchOptions = () => ({ headers: darkroom.headers });
const client = new Client({ url, preferGetMethod: false, exchanges, fetchOptions });
const LIST = gql`{ viewer { id generations(orderBy: FAVORITES_FIRST) { edges { cursor node { id isFavorite } } } } }`;
const LIVE = gql`subscription {
  galleryChanged { kind generationId generation { id isFavorite status } }
}`;
const SET = gql`mutation($id: ID!) {
  setFavorite(id: $id, isFavorite: true) { generation { id isFavorite } errors { code } }
}`;
await client.query(LIST, {}).toPromise();
let begin, end;
const [begun, ended] = [new Promise((resolve) => (begin = resolve)), new Promise((resolve) => (end = resolve))];
client.subscription(LIVE, {}).subscribe(({ data }) => (data.galleryChanged.kind === "UPDATED" ? end() : begin()));
await begun;
await client.mutation(SET, { id }).toPromise();
await ended;
console.log(JSON.stringify(rereads));
darkroom.close();
"""


async def test_favorite_and_its_own_event_read_lists_again_once(built: Path, server: Running, ada: Api) -> None:
    made = (await ada.create(prompt="A fox"))["generations"][0]["id"]
    await ada.wait_for_end(made)
    script = built / "heart.mjs"
    script.write_text(ONE_HEART)
    arguments = (str(script), f"{server.api.address}/graphql", str(ada.token), made)
    code, output = await execute(built, str(NODE / "node"), *arguments)
    assert code == 0, output
    assert json.loads(output) == 1
