"""Subscriptions of the TypeScript client while servers restart and tokens are renewed."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.cut_proxy import CutProxy
from tests.support.integrity import adjust_credits
from tests.support.typescript import NODE, Script, execute

pytestmark = pytest.mark.any_database

TRANSPORTS = ["websocket", "events"]

WATCH = """
import { Darkroom } from "@darkroom/client";
const [url, token, transport] = process.argv.slice(2);
const darkroom = new Darkroom({ url, token, transport });
let connected = false;
darkroom.onChange(() => {
  if (connected !== darkroom.connected) console.log(JSON.stringify({ connected: (connected = darkroom.connected) }));
});
for await (const { credits, transaction } of darkroom.watchCredits()) {
  console.log(JSON.stringify([credits, transaction?.amount ?? null]));
  if (transaction?.amount === 2) break;
}
await new Promise((resolve) => setTimeout(resolve, 500));
darkroom.close();
"""


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_subscription_goes_on_at_the_server_that_replaces_a_stopped_one(
    built: Path, settings: Settings, transport: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        async with running(settings, idle=True) as first:
            ada = await first.api.sign_up()
            before = await ada.credits()
            proxy = await stack.enter_async_context(CutProxy.open(first.api.address))
            watching = Script(built, tmp_path, WATCH, f"{proxy.address}/graphql", str(ada.token), transport)
            await watching.wait_for(f"[{before},null]")
            await adjust_credits(ada.user["id"], 1, "at the first server")
            await watching.wait_for(",1]")
        async with running(settings, idle=True) as second:
            await adjust_credits(ada.user["id"], 2, "between two servers")
            proxy.forward_to(second.api.address)
            assert await watching.end() == 0, watching.output
    lines = [json.loads(line) for line in watching.output.splitlines()]
    assert [line[1] for line in lines if isinstance(line, list) and line[1]] == [1, 2]
    assert [line["connected"] for line in lines if isinstance(line, dict)] == [True, False, True, False]


CHANGE_TOKENS = """
import { Darkroom } from "@darkroom/client";
const [url, transport, token, newer, other] = process.argv.slice(2);
const darkroom = new Darkroom({ url, token, transport });
const { session } = darkroom;
const show = (...values) => console.log(JSON.stringify(values));
for await (const { credits, transaction } of darkroom.watchCredits()) {
  show(credits, transaction?.amount ?? null);
  if (transaction?.amount === 1) {
    darkroom.token = newer;
    darkroom.onChange(() => show("moved", darkroom.session - session));
  }
  if (transaction?.amount === 2) darkroom.token = other;
}
show("ended", darkroom.session - session);
darkroom.close();
"""


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_subscriptions_go_on_with_a_newer_token_of_the_account_and_end_with_that_of_another(
    built: Path, server: Running, ada: Api, transport: str, tmp_path: Path
) -> None:
    newer, eve = await ada.another_session(), await server.api.sign_up("eve@example.com")
    tokens = [str(one.token) for one in (ada, newer, eve)]
    changing = Script(built, tmp_path, CHANGE_TOKENS, f"{server.api.address}/graphql", transport, *tokens)
    await changing.wait_for("[30,null]")
    await adjust_credits(ada.user["id"], 1, "with the first token")
    await changing.wait_for('["moved",0]')
    await ada.one("mutation { signOut { sessionsEnded } }")
    await adjust_credits(ada.user["id"], 2, "with the second token")
    assert await changing.end() == 0, changing.output
    lines = [json.loads(line) for line in changing.output.splitlines()]
    assert [line for line in lines if line[1] and line[0] not in ("moved", "ended")] == [[31, 1], [33, 2]]
    assert ["ended", 1] in lines


PROGRESS = """
import { Darkroom } from "@darkroom/client";
const [url, transport, token, newer, id] = process.argv.slice(2);
const darkroom = new Darkroom({ url, token, transport });
for await (const { status } of darkroom.watchGeneration(id)) {
  console.log(status);
  if (status === "PENDING") {
    darkroom.token = newer;
    darkroom.onChange(() => console.log("moved"));
  }
}
console.log("ended");
darkroom.close();
"""


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_generation_is_watched_to_its_end_with_a_newer_token(
    built: Path, idle_server: Running, transport: str, tmp_path: Path
) -> None:
    ada = await idle_server.api.sign_up()
    newer = await ada.another_session()
    made = (await ada.create(prompt="A red boat"))["generations"][0]["id"]
    arguments = (f"{ada.address}/graphql", transport, str(ada.token), str(newer.token), made)
    watching = Script(built, tmp_path, PROGRESS, *arguments)
    await watching.wait_for("moved")
    await newer.one("mutation($id: ID!) { cancelGeneration(id: $id) { generation { id } } }", id=made)
    assert await watching.end() == 0, watching.output
    assert [line for line in watching.output.splitlines() if line != "moved"] == ["PENDING", "CANCELED", "ended"]


SUBJECTS = """
import { isSameSubject } from "./dist/id-token.js";
const token = (claims) => ["e30", Buffer.from(JSON.stringify(claims)).toString("base64url"), "c2ln"].join(".");
const ada = token({ iss: "https://id.example.com", sub: "Ada \u00e9 ???>>>", exp: 1 });
const others = [
  token({ iss: "https://id.example.com", sub: "Ada \u00e9 ???>>>", exp: 2 }),
  token({ iss: "https://id.example.com", sub: "Eve" }),
  token({ iss: "https://other.example.com", sub: "Ada \u00e9 ???>>>" }),
  token({}),
  "a.b.c",
  "session",
];
console.log(JSON.stringify(others.map((other) => isSameSubject(ada, other))), isSameSubject("session", "session"));
"""


async def test_tokens_of_an_issuer_say_whether_they_are_about_the_same_subject(built: Path) -> None:
    script = built / "subjects.mjs"
    script.write_text(SUBJECTS)
    code, output = await execute(built, str(NODE / "node"), str(script))
    assert code == 0, output
    assert output.split() == ["[true,false,false,false,false,false]", "false"]


RENEWED_BETWEEN_SUBSCRIPTIONS = """
import { Darkroom } from "@darkroom/client";
const issued = (claims) => ["e30", Buffer.from(JSON.stringify(claims)).toString("base64url"), "c2ln"].join(".");
const [iss, sub] = ["https://id.example.com", "Ada"];
const darkroom = new Darkroom({ url: "http://127.0.0.1:1/graphql", token: issued({ iss, sub, exp: 1 }) });
const sessions = [];
for (const token of [issued({ iss, sub, exp: 2 }), issued({ iss, sub: "Eve" }), "session", "newer session", null]) {
  darkroom.token = token;
  await new Promise((resolve) => setTimeout(resolve, 10));
  sessions.push(darkroom.session);
}
console.log(JSON.stringify(sessions));
"""


async def test_renewed_token_of_an_issuer_continues_the_session_where_nothing_is_subscribed(built: Path) -> None:
    script = built / "renewed_between.mjs"
    script.write_text(RENEWED_BETWEEN_SUBSCRIPTIONS)
    code, output = await execute(built, str(NODE / "node"), str(script))
    assert code == 0, output
    assert json.loads(output) == [0, 1, 2, 3, 4]


UNAVAILABLE = """
import { Darkroom } from "@darkroom/client";
const { setTimeout } = globalThis;
const pauses = [];
globalThis.setTimeout = (act, milliseconds, ...rest) => {
  if (milliseconds > 1000) pauses.push(milliseconds);
  return setTimeout(act, 0, ...rest);
};
const event = (message) => `event: next\\ndata: ${JSON.stringify(message)}\\n\\n`;
const unavailable = event({ data: null, errors: [{ message: "Not now.", extensions: { code: "UNAVAILABLE" } }] });
const running = event({ data: { generationProgress: { id: "gen_1", version: 1, status: "PENDING" } } });
let requests = 0;
globalThis.fetch = async () => {
  requests += 1;
  if (requests > 1100) process.exit(3);
  return new Response((requests === 8 ? running : "") + unavailable + "event: complete\\ndata: \\n\\n");
};
const darkroom = new Darkroom({ url: "http://localhost/graphql", transport: "events", lostAfterSeconds: 0 });
const seen = [];
try {
  for await (const { status } of darkroom.watchGeneration("gen_1")) seen.push(status);
} catch ({ code }) {
  seen.push(code);
}
console.log(JSON.stringify({ seen, requests, pauses }));
"""


async def test_event_streams_of_an_unavailable_server_are_asked_for_after_longer_and_longer_pauses(built: Path) -> None:
    script = built / "unavailable.mjs"
    script.write_text(UNAVAILABLE)
    code, output = await execute(built, str(NODE / "node"), str(script))
    assert code == 0, output
    shown = json.loads(output)
    assert shown["seen"] == ["PENDING", "UNAVAILABLE"]
    assert shown["requests"] == 8 + 1000
    doubled = [1000, 2000, 4000, 8000, 16000, 30000, 30000]
    expected = [*doubled, *doubled, 30000]  # data has come before the eighth pause
    chance = [pause - shortest for pause, shortest in zip(shown["pauses"], expected, strict=False)]
    assert all(300 <= added <= 3000 for added in chance), shown["pauses"][: len(expected)]
    assert min(shown["pauses"][len(expected) :]) >= 30300
