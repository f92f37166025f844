"""React hooks of the TypeScript client while the account changes: its ledger, and lists of pictures."""

import json
from pathlib import Path

import pytest

from tests.conftest import Running
from tests.support.client import Api
from tests.support.cut_proxy import CutProxy
from tests.support.gallery_pages import create
from tests.support.hooks import script, shown_by
from tests.support.integrity import adjust_credits

pytestmark = pytest.mark.any_database

LINES = """
const page = run(new Darkroom({ url, token: rest[0] }), hooks.useCredits);
await page.until(({ credits }) => credits !== null);
console.log("begun");
const { lines: found } = await page.until(({ lines }) => lines.length === 2);
show(found.map(({ amount }) => amount));
process.exit();
"""


async def test_ledger_has_lines_of_the_time_before_the_first_one_was_seen(
    built: Path, server: Running, ada: Api, tmp_path: Path
) -> None:
    async with CutProxy.open(server.api.address) as proxy:
        following = script(built, tmp_path, LINES, f"{proxy.address}/graphql", str(ada.token))
        await following.wait_for("begun")
        proxy.is_down = True
        proxy.cut()
        await adjust_credits(ada.user["id"], 1, "while the connection is lost")
        await adjust_credits(ada.user["id"], 2, "while the connection is lost")
        proxy.is_down = False
        assert await following.end() == 0, following.output
    assert json.loads(following.output.splitlines()[-1]) == [[[2, 1]]]


FILTERED = """
const [token, first, second] = rest;
const client = new Darkroom({ url, token });
const page = run(client, () => hooks.useGallery({ pageSize: 1, filter: { isFavorite: true } }));
const mark = (id, isFavorite) => client.run(SetFavoriteDocument, { id, isFavorite });
const until = (...ids) => page.until(({ generations }) => generations.map(({ id }) => id).join() === ids.join());
await page.until(({ loading }) => !loading);
await mark(first, true);
await until(first);
await mark(second, true);
await page.until(({ totalCount }) => totalCount === 2);
page.now.loadMore();
await until(second, first);
await mark(second, false);
await until(first);
show(page.now.totalCount, page.now.hasMore);
process.exit();
"""


async def test_filtered_gallery_follows_what_enters_and_leaves_the_filter(built: Path, idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    pictures = [(await ada.create(prompt="A red boat"))["generations"][0]["id"] for _ in range(2)]
    shown = await shown_by(built, "filtered", FILTERED, f"{ada.address}/graphql", str(ada.token), *pictures)
    assert shown == [[1, False]]


LONG = """
const [token, first] = rest;
const client = new Darkroom({ url, token });
const page = run(client, () => hooks.useGallery({ pageSize: 55, filter: { isFavorite: false } }));
const mark = (index) => client.run(SetFavoriteDocument, { id: page.now.generations[index].id, isFavorite: true });
const counted = (count) => page.until(({ totalCount }) => totalCount === count);
const { fetch } = globalThis;
let arrived, answer;
/** Hold the answer to the next read of the list, until `answer`. */
const hold = () => {
  const answered = new Promise((resolve) => (answer = resolve));
  const isRead = new Promise((resolve) => (arrived = resolve));
  globalThis.fetch = async (url, options) => {
    if (!String(options.body).includes("query Gallery")) return fetch(url, options);
    globalThis.fetch = fetch;
    const response = await fetch(url, options);
    arrived();
    await answered;
    return response;
  };
  return isRead;
};
const shown = () => {
  const ids = page.now.generations.map(({ id }) => id);
  show(ids.length, new Set(ids).size, ids.at(-1) === first, page.now.hasMore);
};
await page.until(({ loading }) => !loading);
page.now.loadMore();
await page.until(({ generations, loading }) => generations.length === 110 && !loading);
await mark(0);
await counted(174);
shown();
const pageIsRead = hold();
page.now.loadMore();
await pageIsRead;
await mark(0);
await counted(173); // by another read
answer();
await new Promise((resolve) => setTimeout(resolve, 100));
shown();
const listIsRead = hold();
await mark(0);
await listIsRead;
page.now.loadMore();
await new Promise((resolve) => setTimeout(resolve, 500));
answer();
await page.until(({ loading, totalCount }) => !loading && totalCount === 172);
await new Promise((resolve) => setTimeout(resolve, 100));
shown();
process.exit();
"""


async def test_change_in_a_long_filtered_gallery_leaves_it_long(built: Path, idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    pictures = await create(ada, 175)
    shown = await shown_by(built, "long", LONG, f"{ada.address}/graphql", str(ada.token), pictures[0])
    assert shown == [[110, 110, False, True], [165, 165, False, True], [172, 172, True, False]]


REFUSED = """
const [token, kept] = rest;
const client = new Darkroom({ url, token });
const page = run(client, () => hooks.useGallery());
const ids = () => page.now.generations.map(({ id }) => id);
const { fetch } = globalThis;
let answer;
globalThis.fetch = async (url, options) => {
  if (!String(options.body).includes("deleteGenerations")) return fetch(url, options);
  await new Promise((resolve) => (answer = resolve));
  return Response.json({ data: null, errors: [{ message: "Not now.", extensions: { code: "UNAVAILABLE" } }] });
};
await page.until(({ loading }) => !loading);
const before = ids();
const removing = page.now.remove(kept);
await page.until(({ totalCount }) => totalCount === 2);
const { createGeneration } = await client.run(CreateGenerationDocument, { input: { prompt: "A fox" } });
const added = createGeneration.generations[0].id;
await page.until(() => ids().includes(added));
answer();
await removing;
await page.until(({ error }) => error);
show(JSON.stringify(ids()) === JSON.stringify([added, ...before]), page.now.totalCount, page.now.error.message);
process.exit();
"""


async def test_refused_removal_puts_back_that_picture_alone(built: Path, idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    pictures = [(await ada.create(prompt="A red boat"))["generations"][0]["id"] for _ in range(3)]
    arguments = (f"{ada.address}/graphql", str(ada.token), pictures[1])
    assert await shown_by(built, "refused_removal", REFUSED, *arguments) == [[True, 4, "Not now."]]
