"""A server with mail and an identity provider, for tests of accounts in the studio."""

import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.client import Api, until
from tests.support.fakes.identity_provider import AUDIENCE, IdentityProvider
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.mail_server import Mailbox, mail_server
from tests.support.studio_page import StudioPage

SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code } } }"
CREATE_GUEST = """async () => {
  const body = JSON.stringify({ query: "mutation { createGuest(cookie: true) { errors { code } } }" });
  await fetch("/graphql", { method: "POST", headers: { "content-type": "application/json" }, body });
}"""


@dataclass(frozen=True)
class World:
    """`api`: a client of the server that is signed out."""

    server: Server
    mailbox: Mailbox
    provider: IdentityProvider
    api: Api

    async def account(self, name: str) -> tuple[str, Api]:
        """Return the address of a new account, and a client with a session of its own."""
        email = f"{name}@example.com"
        return email, await replace(self.api).sign_up(email, PASSWORD)

    async def signs_in(self, email: str, password: str = PASSWORD) -> bool:
        """Open a session; return whether that was possible."""
        return bool((await self.api.one(SIGN_IN, input={"email": email, "password": password}))["token"])

    async def mailed(self, to: str, path: str, count: int = 1) -> str:
        """Wait for `count` mails to an address with links to a page, and return the newest link without its host."""

        def links() -> list[str]:
            texts = [mail.get_content() for mail in self.mailbox.mails if mail["To"] == to]
            return [found[0] for text in texts if (found := re.search(rf"{path}\?token=[\w-]{{43}}", text))]

        async def are_enough() -> bool:
            return len(links()) >= count

        await until(are_enough)
        return links()[-1]

    async def confirm(self, studio: StudioPage, email: str) -> None:
        """Open the link of the mail that a sign-up sends, and confirm the address."""
        await studio.open(await self.mailed(email, "/verify-email"))
        await studio.button("Confirm").click()
        await studio.page.get_by_text("Your address is confirmed.").wait_for()


@contextlib.asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    async with mail_server() as mailbox, IdentityProvider() as provider:
        issuer = {"issuer": provider.issuer, "audience": AUDIENCE, "client_id": AUDIENCE, "name": "Example ID"}
        settings = {
            "SMTP_URL": mailbox.url,
            "MAIL_FROM": "hello@darkroom.example",
            "OIDC_ISSUERS": json.dumps([issuer]),
            "RATE_LIMITS": "off",
        }
        async with run_server(folder, **settings) as server, server.api() as api:
            provider.redirect_uri = f"{server.address}/sign-in/callback"
            yield World(server, mailbox, provider, api)


async def sign_in(studio: StudioPage, email: str, path: str = "/account") -> None:
    """Sign in by the button of a view that needs it."""
    await studio.open(path)
    await studio.page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    await studio.sign_in(email)
