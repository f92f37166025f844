"""Guests become accounts without a password: by a mailed link, or by a user of an identity provider."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from identity_settings import IssuerSetting
from models import Identity, Session, User
from models.database.connection import rows
from models.enum import Role
from settings import Settings
from tests.accounts.test_external_sign_in import ADA, LINK, VERIFIED, World, problem
from tests.accounts.test_guests import VIEWER, guest_of, reasons
from tests.accounts.test_sign_in_links import REQUEST, SENT, sign_in, token_of
from tests.conftest import running
from tests.support.client import Api, photo
from tests.support.fakes.identity_provider import AUDIENCE, IdentityProvider
from tests.support.integrity import assert_invariants
from tests.support.mail_server import Mailbox


@pytest.fixture
async def world(settings: Settings, mailbox: Mailbox) -> AsyncIterator[World]:
    async with IdentityProvider() as provider:
        issuers = (IssuerSetting(issuer=provider.issuer, audience=(AUDIENCE,)),)
        mail = {"smtp_url": mailbox.url, "mail_from": "hello@darkroom.example"}
        changes = {"oidc_issuers": issuers, "admin_emails": ("boss@example.com",), **mail}
        async with running(settings.model_copy(update=changes), idle=True) as server:
            yield World(server, provider)


async def link(world: World, client: Api, **claims: Any) -> Any:
    nonce = await world.nonce()
    token = world.provider.token(nonce=nonce, **claims)
    return await client.one(LINK, input={"idToken": token, "nonce": nonce})


async def test_link_alone_completes_a_guest(world: World, mailbox: Mailbox) -> None:
    guest = await guest_of(world.api)
    (made,) = (await guest.create(photo(64, 64), prompt="A fox"))["generations"]
    token = await token_of(guest, mailbox, 1)
    mail = mailbox.mails[-1]
    assert (mail["To"], mail["Subject"]) == (ADA, "Confirm your e-mail address and sign in")
    assert (await guest.one(VIEWER))["isGuest"], "nothing changes before the link is opened"
    answers = await asyncio.gather(*(sign_in(guest, token) for _ in range(4)))
    (done,) = [answer for answer in answers if answer["token"]]
    assert done["user"] == {"email": ADA, "emailVerified": True}
    for client in (guest, replace(guest, token=done["token"])):
        viewer = await client.one(VIEWER)
        assert (viewer["id"], viewer["isGuest"], viewer["email"]) == (guest.user["id"], False, ADA)
        assert viewer["generations"]["totalCount"] == 1
        assert await client.generation(made["id"])
    assert await reasons(guest.user["id"]) == [("guest", 3), ("deduct", -1), ("signup", 27)]
    again = await token_of(world.api, mailbox, 2)
    assert (await sign_in(world.api, again))["user"] == {"email": ADA, "emailVerified": True}
    await assert_invariants(world.server.services)


async def test_link_that_is_opened_elsewhere_ends_the_sessions_of_the_guest(world: World, mailbox: Mailbox) -> None:
    """The guest may have named the address of another user, whose owner then must not share the account."""
    guest = await guest_of(world.api)
    token = await token_of(guest, mailbox, 1)
    done = await sign_in(world.api, token)
    assert done["errors"] == []
    assert not await guest.is_signed_in()
    assert (await replace(world.api, token=done["token"]).one(VIEWER))["id"] == guest.user["id"]


async def test_page_of_the_link_completes_a_guest(world: World, mailbox: Mailbox) -> None:
    guest = await guest_of(world.api)
    token = await token_of(guest, mailbox, 1)
    assert (await world.api.http.post("/sign-in", data={"token": token})).status_code == 200
    assert not (await User.get(id=guest.user["id"])).is_guest


async def test_guest_gets_no_address_of_another_account(world: World, mailbox: Mailbox) -> None:
    ada = await world.api.sign_up(ADA)
    await mailbox.wait_for(1)
    guest = await guest_of(world.api)
    token = await token_of(guest, mailbox, 2)
    assert mailbox.mails[-1]["Subject"] == "Sign in", "it signs in to the account that has it"
    done = await sign_in(guest, token)
    assert (await replace(guest, token=done["token"]).one(VIEWER))["id"] == ada.user["id"]
    assert (await guest.one(VIEWER))["isGuest"], "which does not change the guest"


async def test_of_guests_with_one_address_one_gets_it(world: World, mailbox: Mailbox) -> None:
    first, second = await guest_of(world.api), await guest_of(world.api)
    tokens = [await token_of(first, mailbox, 1), await token_of(second, mailbox, 2)]
    made = await asyncio.gather(*(sign_in(world.api, token) for token in tokens))
    refused = [answer for answer in made if answer["errors"]]
    assert [problem(answer) for answer in refused] == [("CONFLICT", ["token"])]
    assert await User.filter(is_guest=True).count() == 1
    assert await User.filter(email=ADA).count() == 1


async def test_guest_links_that_do_not_work_any_more(world: World, mailbox: Mailbox) -> None:
    guest = await guest_of(world.api)
    first = await token_of(guest, mailbox, 1, "first@example.com")
    second = await token_of(guest, mailbox, 2)
    assert problem(await sign_in(guest, first)) == ("INVALID_INPUT", ["token"]), "superseded"
    verify = "mutation($token: String!) { verifyEmail(token: $token) { errors { code } } }"
    change = "mutation($token: String!) { changeEmail(token: $token) { errors { code } } }"
    for other in (verify, change):
        assert (await guest.one(other, token=second))["errors"] == [{"code": "INVALID_INPUT"}], "of another kind"
    await rows("UPDATE users SET suspended_at = NOW() WHERE id = $1 RETURNING id", guest.user["id"])
    assert problem(await sign_in(world.api, second))[0] == "FORBIDDEN"
    await rows("UPDATE users SET suspended_at = NULL WHERE id = $1 RETURNING id", guest.user["id"])
    sign_up = {"email": "new@example.com", "password": "correct horse"}
    signed_up = "mutation($input: SignUpInput!) { signUp(input: $input) { errors { code } } }"
    assert (await guest.one(signed_up, input=sign_up))["errors"] == []
    assert problem(await sign_in(guest, second)) == ("INVALID_INPUT", ["token"]), "it is complete already"


async def test_responses_do_not_say_whether_an_address_has_an_account(world: World, mailbox: Mailbox) -> None:
    await world.api.sign_up(ADA)
    await mailbox.wait_for(1)
    guest = await guest_of(world.api)
    for email in (ADA, "unknown@example.com", *(f"unknown{number}@example.com" for number in range(5))):
        assert await guest.one(REQUEST, email=email) == SENT
    await world.server.services.accounts.mail.aclose()
    assert len(mailbox.mails) == 1 + 1 + 3, "three an hour for one guest"


async def test_role_of_an_admin_address_needs_its_mail(world: World, mailbox: Mailbox) -> None:
    guest = await guest_of(world.api)
    token = await token_of(guest, mailbox, 1, "boss@example.com")
    assert await User.filter(role=Role.ADMIN).count() == 0
    assert (await sign_in(world.api, token))["errors"] == []
    assert (await User.get(id=guest.user["id"])).role is Role.ADMIN
    assert not await guest.is_signed_in(), "who made the guest has nothing of it"


async def test_identity_completes_a_guest(world: World) -> None:
    guest = await guest_of(world.api)
    (made,) = (await guest.create(photo(64, 64), prompt="A fox"))["generations"]
    old = datetime.now(UTC) - timedelta(hours=1)
    await Session.filter(user_id=guest.user["id"]).update(created_at=old)
    picture = "https://img.example.com/ada.png"
    assert (await link(world, guest, **VERIFIED, name="Ada", picture=picture))["errors"] == []
    user = await User.get(id=guest.user["id"])
    assert (user.is_guest, user.email, user.email_verified, user.name, user.image) == (False, ADA, True, "Ada", picture)
    assert await reasons(user.id) == [("guest", 3), ("deduct", -1), ("signup", 27)]
    for client in (guest, world.client(**VERIFIED)):
        assert (await client.one(VIEWER))["id"] == user.id
        assert await client.generation(made["id"])
    await assert_invariants(world.server.services)


async def test_identity_without_a_verified_address_completes_a_guest(world: World) -> None:
    guest = await guest_of(world.api)
    assert (await link(world, guest, email=ADA))["errors"] == []
    viewer = await guest.one(VIEWER)
    assert (viewer["isGuest"], viewer["email"]) == (False, None)
    assert (await world.client().one(VIEWER))["id"] == guest.user["id"]


async def test_identity_of_another_account_completes_no_guest(world: World) -> None:
    ada = await world.api.sign_up(ADA)
    await world.client(sub="eve").one(VIEWER)
    guest = await guest_of(world.api)
    assert problem(await link(world, guest, sub="eve")) == ("CONFLICT", ["idToken"])
    assert problem(await link(world, guest, sub="ada", **VERIFIED)) == ("CONFLICT", ["idToken"]), "of the address"
    others = [await guest_of(world.api) for _ in range(3)]
    made = await asyncio.gather(*(link(world, other, sub="new") for other in others))
    assert sorted(len(one["errors"]) for one in made) == [0, 1, 1]
    assert (await guest.one(VIEWER))["isGuest"]
    assert {one.user_id for one in await Identity.all()}.isdisjoint({guest.user["id"], ada.user["id"]})
