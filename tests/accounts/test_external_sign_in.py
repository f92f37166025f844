"""Accounts of users who sign in at an identity provider: creation, linking, nonces, and how access ends."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from identity_settings import IssuerSetting
from models import Identity, Session, User
from models.database.connection import rows
from models.enum import Role
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREDITS, PATIENCE, Api
from tests.support.fakes.identity_provider import AUDIENCE, IdentityProvider

pytestmark = pytest.mark.any_database

ADA = "ada@example.com"
VERIFIED: dict[str, Any] = {"email": ADA, "email_verified": True}
VIEWER = "{ viewer { id email emailVerified name image } }"
NONCE = "mutation { createSignInNonce { nonce expiresAt errors { code } } }"
SIGN_IN = """
mutation($input: SignInWithIdTokenInput!) {
  signInWithIdToken(input: $input) { token user { id email } errors { code field message } }
}"""
LINK = "mutation($input: LinkIdentityInput!) { linkIdentity(input: $input) { user { id } errors { code field } } }"
SIGN_OUT = "mutation($everywhere: Boolean) { signOut(everywhere: $everywhere) { sessionsEnded } }"
DELETE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedIds errors { code } } }"

LEAVE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code field } } }"


@dataclass(frozen=True)
class World:
    server: Running
    provider: IdentityProvider

    @property
    def api(self) -> Api:
        return self.server.api

    def client(self, **claims: Any) -> Api:
        """Return a client that sends a token with these claims with every request."""
        return Api(self.api.http, self.api.address, self.provider.token(**claims), {})

    async def nonce(self) -> str:
        made = await self.api.one(NONCE)
        return str(made["nonce"])

    async def sign_in(self, nonce: str, claim: str | None = None, **claims: Any) -> Any:
        token = self.provider.token(nonce=claim or nonce, **claims)
        return await self.api.one(SIGN_IN, input={"idToken": token, "nonce": nonce})

    async def prove(self, user_id: str, *, proven: bool = True) -> None:
        await User.filter(id=user_id).update(email_verified=True, owner_proven=proven)


@contextlib.asynccontextmanager
async def open_world(settings: Settings, **changes: Any) -> AsyncIterator[World]:
    async with IdentityProvider() as provider:
        issuers = (IssuerSetting(issuer=provider.issuer, audience=(AUDIENCE,)),)
        async with running(settings.model_copy(update={"oidc_issuers": issuers, **changes}), idle=True) as server:
            yield World(server, provider)


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with open_world(settings, admin_emails=("boss@example.com",)) as found:
        yield found


def problem(payload: Any) -> tuple[str, list[str] | None]:
    (error,) = payload["errors"]
    return error["code"], error["field"]


async def test_first_requests_at_the_same_time_create_one_account(world: World) -> None:
    client = world.client(**VERIFIED, name="  Ada\nL.  " + "x" * 200, picture="javascript:alert(1)")
    found = await asyncio.gather(*(client.one(VIEWER) for _ in range(8)))
    assert len({one["id"] for one in found}) == 1 == await Identity.all().count()
    assert found[0]["name"].startswith("AdaL.  xxx")
    assert len(found[0]["name"]) == 100
    assert (found[0]["email"], found[0]["emailVerified"], found[0]["image"]) == (ADA, True, None)
    assert [line["amount"] for line in await client.ledger()] == [30]


async def test_unverified_address_takes_over_nothing(world: World) -> None:
    ada = await world.api.sign_up(ADA)
    await world.prove(ada.user["id"])
    wrong: list[dict[str, Any]] = [{}, *({"email_verified": value} for value in (False, "yes", 1, None))]
    for number, claims in enumerate(wrong):
        found = await world.client(sub=f"eve-{number}", email=ADA, **claims).one(VIEWER)
        assert found["id"] != ada.user["id"]
        assert (found["email"], found["emailVerified"]) == (None, False), "the address is not kept"


async def test_address_that_an_account_has_not_proved_is_not_linked(world: World) -> None:
    ada = await world.api.sign_up(ADA)
    client = world.client(**VERIFIED)
    for proof in ({}, {"email_verified": True}):  # someone else's password, and the owner opened the link
        await User.filter(id=ada.user["id"]).update(**proof)
        body = (await client.raw(VIEWER)).json()
        assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert "There is an account with this e-mail address." in body["errors"][0]["message"]
    made = await world.sign_in(await world.nonce(), **VERIFIED)
    assert problem(made) == ("INVALID_INPUT", ["idToken"])
    assert await Identity.all().count() == 0
    await world.prove(ada.user["id"])
    found = await world.client(**VERIFIED, picture="https://img.example.com/a.png").one(VIEWER)
    assert (found["id"], found["image"]) == (ada.user["id"], "https://img.example.com/a.png")
    assert (await ada.one(VIEWER))["id"] == ada.user["id"], "the password signs in, too"


async def test_suspended_account_is_not_linked(world: World) -> None:
    ada = await world.api.sign_up(ADA)
    await world.prove(ada.user["id"])
    await rows("UPDATE users SET suspended_at = NOW() WHERE id = $1 RETURNING id", ada.user["id"])
    assert not await world.client(**VERIFIED).is_signed_in()


async def test_admin_emails_apply_to_a_verified_address(world: World) -> None:
    await world.client(sub="1", email="boss@example.com").one(VIEWER)
    boss = await world.client(sub="2", email="boss@example.com", email_verified=True).one("{ viewer { role } }")
    assert boss == {"role": "ADMIN"}
    assert await User.filter(role=Role.ADMIN).count() == 1


@pytest.mark.parametrize("form", ["text", "hex"])
async def test_nonce_works_once(world: World, form: str) -> None:
    nonce = await world.nonce()
    claim = nonce if form == "text" else hashlib.sha256(nonce.encode()).hexdigest()
    made = await world.sign_in(nonce, claim, **VERIFIED)
    assert made["errors"] == []
    assert (await replace(world.api, token=made["token"]).one(VIEWER))["email"] == ADA
    assert problem(await world.sign_in(nonce, claim, **VERIFIED)) == ("INVALID_INPUT", ["nonce"]), "reused"
    racing = await world.nonce()
    made = await asyncio.gather(*(world.sign_in(racing, **VERIFIED) for _ in range(5)))
    assert sum(one["token"] is not None for one in made) == 1


async def test_nonces_that_do_not_belong_to_the_token_are_refused(world: World) -> None:
    nonce, other = await world.nonce(), await world.nonce()
    assert problem(await world.sign_in(nonce, other)) == ("INVALID_INPUT", ["nonce"])
    for forged in ("", "x", "A" * 75, nonce[:-1], nonce[::-1], nonce + "=", "é", nonce.swapcase()):
        assert problem(await world.sign_in(forged, forged or "x"))[1] == ["nonce"], forged
    without = world.provider.token()
    made = await world.api.one(SIGN_IN, input={"idToken": without, "nonce": nonce})
    assert problem(made) == ("INVALID_INPUT", ["nonce"])
    for text in ("", "x", "a.b.c", world.provider.token(nonce=nonce, aud="x"), world.provider.token(exp=1)):
        made = await world.api.one(SIGN_IN, input={"idToken": text, "nonce": nonce})
        assert problem(made) == ("INVALID_INPUT", ["idToken"])
    assert await Identity.all().count() == 0
    assert (await world.sign_in(nonce))["errors"] == [], "wrong tokens do not use it up"


async def test_sign_in_sets_cookies(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.api.address, timeout=30) as http:
        browser = Api(http, world.api.address)
        nonce = await world.nonce()
        token = world.provider.token(nonce=nonce, **VERIFIED)
        made = await browser.one(SIGN_IN, input={"idToken": token, "nonce": nonce, "cookie": True})
        assert (made["token"], made["errors"]) == (None, [])
        assert (await browser.one(VIEWER))["email"] == ADA


async def test_identity_is_linked_in_a_new_session_of_a_verified_account(world: World) -> None:
    ada = await world.api.sign_up(ADA)
    eve = await world.client(sub="eve").one(VIEWER)

    async def link(client: Api, **claims: Any) -> Any:
        nonce = await world.nonce()
        token = world.provider.token(nonce=nonce, **claims)
        return await client.one(LINK, input={"idToken": token, "nonce": nonce})

    assert problem(await link(ada)) == ("FORBIDDEN", None), "the address may be someone else's"
    await world.prove(ada.user["id"], proven=False)
    assert problem(await link(ada, sub="eve")) == ("CONFLICT", ["idToken"])
    for _ in range(2):
        assert await link(ada, email="other@example.com") == {"user": {"id": ada.user["id"]}, "errors": []}
    assert (await world.client().one(VIEWER))["id"] == ada.user["id"]
    assert (await world.client(sub="eve").one(VIEWER))["id"] == eve["id"]
    assert problem(await link(world.client())) == ("FORBIDDEN", None), "a token that is sent is no new session"


async def test_sign_out_ends_this_token_or_all_that_were_issued(world: World) -> None:
    now = int(time.time())
    first, second = world.client(iat=now - 20), world.client(iat=now - 10)
    assert await first.is_signed_in()
    assert await first.one(SIGN_OUT) == {"sessionsEnded": 1}
    assert [await client.is_signed_in() for client in (first, second)] == [False, True]
    await second.one(SIGN_OUT, everywhere=True)
    assert not await second.is_signed_in()
    assert await world.client(iat=now + 30).is_signed_in(), "after a new sign-in at the issuer"


async def test_suspension_and_deletion_end_access(world: World) -> None:
    client = world.client(**VERIFIED)
    user = await client.one(VIEWER)
    await rows("UPDATE users SET suspended_at = NOW() WHERE id = $1 RETURNING id", user["id"])
    assert not await client.is_signed_in()
    suspended = (await world.sign_in(await world.nonce(), **VERIFIED))["errors"]
    assert suspended[0]["message"] == "This account is suspended."
    await rows("UPDATE users SET suspended_at = NULL WHERE id = $1 RETURNING id", user["id"])
    assert (await client.one(DELETE, input={"confirmEmail": ADA}))["errors"] == []
    assert not await client.is_signed_in()
    assert not await world.client(**VERIFIED, iat=int(time.time()) + 30).is_signed_in(), "an open page renews tokens"
    assert [one.subject for one in await Identity.all()] == [""]
    made = await world.sign_in(await world.nonce(), **VERIFIED)
    assert made["user"]["email"] == ADA
    assert made["user"]["id"] != user["id"]


async def test_socket_goes_on_with_a_renewed_token_and_ends_with_it(world: World) -> None:
    now = int(time.time())
    client = world.client(exp=now - 55)  # five seconds are left, of those by which clocks may differ
    async with client.socket() as socket:
        stream = await socket.subscribe(CREDITS)
        await stream.next()
        assert (await socket.ping(token=world.provider.token(sub="eve")))["renewed"] is False
        assert await Identity.all().count() == 1, "a renewal creates no account"
        assert await socket.ping(token=world.provider.token(iat=now - 1)) == {"renewed": True}
        await client.one(SIGN_OUT)
        assert await (await socket.subscribe("{ viewer { credits } }")).next() == {"credits": 30}
        await world.client(iat=now - 2).one(SIGN_OUT, everywhere=True)
        assert (await stream.message())["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        await asyncio.wait_for(socket.connection.wait_closed(), PATIENCE)


async def test_unreachable_issuer_is_unavailable_and_others_sign_in(world: World) -> None:
    world.provider.is_up = False
    body = (await world.client().raw(VIEWER)).json()
    assert body["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert await (await world.api.sign_up(ADA)).is_signed_in()


async def test_account_without_an_address_can_set_one(world: World) -> None:
    client = world.client()
    refused = await client.refused("mutation { requestEmailVerification { sent errors { code } } }")
    assert refused["code"] == "NOT_FOUND"
    assert (await client.refused('mutation { createApiKey(name: "x") { key errors { code } } }'))["code"] == "FORBIDDEN"


async def test_account_without_an_address_is_deleted_by_its_id(world: World) -> None:
    client = world.client(sub="without-address")
    user = await client.one(VIEWER)
    assert user["email"] is None
    assert (await client.one(DELETE, input={"confirmEmail": ADA}))["errors"] == [{"code": "INVALID_INPUT"}]
    made = await client.one(DELETE, input={"confirmEmail": user["id"]})
    assert made == {"deletedIds": [user["id"]], "errors": []}
    assert not await client.is_signed_in()


async def test_account_without_a_password_is_deleted_only_after_a_recent_sign_in(world: World) -> None:
    now = int(time.time())
    old = datetime.now(UTC) - timedelta(minutes=16)
    made = await world.sign_in(await world.nonce(), **VERIFIED)
    session = replace(world.api, token=made["token"])
    await Session.filter(user_id=made["user"]["id"]).update(created_at=old)
    for claims in ({"auth_time": now - 3600}, {"iat": now - 3600}):
        client = world.client(**VERIFIED, **claims)
        assert problem(await client.one(LEAVE, input={"confirmEmail": ADA})) == ("FORBIDDEN", None), claims
    assert problem(await session.one(LEAVE, input={"confirmEmail": ADA})) == ("FORBIDDEN", None)
    again = await world.sign_in(await world.nonce(), **VERIFIED)
    recent = replace(world.api, token=again["token"])
    assert (await recent.one(LEAVE, input={"confirmEmail": ADA}))["errors"] == []
    client = world.client(sub="2", auth_time=now - 60, iat=now)
    assert (await client.one(LEAVE, input={"confirmEmail": (await client.one(VIEWER))["id"]}))["errors"] == []
