"""React hooks of the TypeScript client around sessions: cookies, known devices, and accounts that change."""

from pathlib import Path

import pytest

from setting_types import SignupVerification, Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.hooks import shown_by

pytestmark = pytest.mark.any_database

COOKIE = """
keepCookies();
const open = () => new Darkroom({ url, credentials: "include", transport: "events" });
const useBoth = () => ({ session: hooks.useSession(), credits: hooks.useCredits(), gallery: hooks.useGallery() });
let client = open();
let page = run(client, useBoth);
show("busy at first", page.now?.session.busy ?? true);
await page.until(({ session }) => !session.busy);
show("signed in", page.now.session.signedIn);
show("worked", await page.now.session.signIn({ ...input, cookie: true }));
await page.until(({ credits, gallery }) => credits.credits === 30 && !gallery.loading);
show("token", client.token, "signed in", page.now.session.signedIn);
page.end();
client.close();
client = open(); // as after a reload
page = run(client, useBoth);
await page.until(({ session, credits }) => session.signedIn && credits.credits === 30);
await page.now.session.signOut();
await page.until(({ session, credits }) => !session.signedIn && credits.credits === null);
show("by the server", await client.findSession());
process.exit();
"""


async def test_hooks_follow_the_account_of_a_session_in_a_cookie(built: Path, server: Running, ada: Api) -> None:
    shown = await shown_by(built, "cookie", COOKIE, f"{server.api.address}/graphql")
    assert shown == [
        ["busy at first", True],
        ["signed in", False],
        ["worked", True],
        ["token", None, "signed in", True],
        ["by the server", False],
    ]


SIGN_UP = """
const client = new Darkroom({ url });
const page = run(client, hooks.useSession);
await page.until(() => true);
show(await page.now.signUp(input));
await page.until(({ busy }) => !busy);
show(page.now.signedIn, page.now.mustVerifyEmail, page.now.error);
process.exit();
"""


async def test_sign_up_that_a_mail_continues_says_so(built: Path, settings: Settings) -> None:
    mail = {"smtp_url": "smtp://127.0.0.1:1", "signup_verification": SignupVerification.REQUIRED}
    async with running(settings.model_copy(update=mail), idle=True) as server:
        shown = await shown_by(built, "sign_up", SIGN_UP, f"{server.api.address}/graphql")
    assert shown == [[False], [False, True, None]]


KNOWN_DEVICE = """
const client = new Darkroom({ url });
const page = run(client, hooks.useSession);
await page.until(() => true);
await page.now.signIn(input);
await page.now.signOut();
const kept = client.deviceToken;
const signIn = async (deviceToken, password = input.password) => {
  const one = run(new Darkroom({ url, deviceToken }), hooks.useSession);
  await one.until(() => true);
  return one.now.signIn({ ...input, password });
};
for (let times = 0; times < 12; times++) await signIn(null, "wrong password");
show(await signIn(null), await signIn(kept));
process.exit();
"""


async def test_device_that_has_signed_in_is_known_at_the_next_time(built: Path, settings: Settings) -> None:
    async with running(settings.model_copy(update={"rate_limits": Switch.ON}), idle=True) as server:
        await server.api.sign_up()
        shown = await shown_by(built, "device", KNOWN_DEVICE, f"{server.api.address}/graphql")
    assert shown == [[False, True]]


RENEWED = """
const [token, newer, other, id] = rest;
const client = new Darkroom({ url, token });
const page = run(client, () => ({
  credits: hooks.useCredits(),
  quote: hooks.useQuote({}),
  live: hooks.useGeneration(id),
  collections: hooks.useCollections(),
}));
let wasEmpty = false;
const watch = () => (wasEmpty ||= page.now?.credits.credits === null || !page.now?.quote.value);
await page.until(({ credits, quote, live }) => credits.credits === 9999 && quote.value && live.generation);
page.listeners.add(watch);
client.token = newer;
await new Promise((resolve) => { const stop = client.onChange(() => (stop(), resolve())); });
await client.run(CreateGenerationDocument, { input: { prompt: "A fox" } });
await page.until(({ credits, quote }) => credits.credits === 9998 && quote.value.balanceAfter === 9997);
const amounts = page.now.credits.lines.map(({ amount }) => amount);
show("kept", !wasEmpty, "lines", amounts, "status", page.now.live.generation.status);
page.listeners.delete(watch);
client.token = other;
const { credits, quote, collections, live } = await page.until(({ credits }) => credits.credits === null);
show("of another account", quote.value, collections.value, live.generation);
await page.until(({ credits, quote }) => credits.credits === 10000 && quote.value?.balanceAfter === 9999);
process.exit();
"""


async def test_hooks_go_on_with_a_newer_token_and_begin_again_for_another_account(
    built: Path, idle_server: Running
) -> None:
    ada = await idle_server.api.sign_up()
    newer, eve = await ada.another_session(), await idle_server.api.sign_up("eve@example.com")
    made = (await ada.create(prompt="A red boat"))["generations"][0]["id"]
    tokens = [str(one.token) for one in (ada, newer, eve)]
    shown = await shown_by(built, "renewed", RENEWED, f"{ada.address}/graphql", *tokens, made)
    assert shown == [
        ["kept", True, "lines", [-1], "status", "PENDING"],
        ["of another account", None, None, None],
    ]
