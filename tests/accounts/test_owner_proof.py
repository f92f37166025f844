"""What strangers left on an account ends when its owner is first proven: by a sign-in link, or a new password."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from models import User, WebhookEndpoint
from settings import Settings
from tests.accounts.test_email_change import CHANGE, CREATE_KEY, EVE, FORGOT, RESET, VERIFY, request, sign_in, token_for
from tests.accounts.test_external_sign_in import ADA, LINK, VERIFIED, World, open_world
from tests.accounts.test_sign_in_links import REQUEST as REQUEST_LINK
from tests.accounts.test_sign_in_links import SIGN_IN as BY_LINK
from tests.support.client import Api
from tests.support.mail_server import Mailbox

WAYS = pytest.mark.parametrize("way", ["link", "reset"])
CREATE_ENDPOINT = """
mutation { createWebhookEndpoint(input: {url: "https://example.com/hook"}) { secret errors { code } } }"""
NOTICE = "Your account is yours alone now"


@pytest.fixture
async def world(settings: Settings, mailbox: Mailbox) -> AsyncIterator[World]:
    async with open_world(settings, smtp_url=mailbox.url, mail_from="hello@darkroom.example") as found:
        yield found


async def link_identity(world: World, client: Api, **claims: Any) -> None:
    nonce = await world.nonce()
    token = world.provider.token(nonce=nonce, **claims)
    assert (await client.one(LINK, input={"idToken": token, "nonce": nonce}))["errors"] == []


async def prove(api: Api, mailbox: Mailbox, email: str, way: str) -> Api:
    """Return the session of the reader of an address, who has no other proof."""
    api, sent = replace(api, token=None), len(mailbox.mails)
    await api.one(REQUEST_LINK if way == "link" else FORGOT, email=email)
    token = await token_for(mailbox, email, sent + 1)
    made = await (api.one(BY_LINK, input={"token": token}) if way == "link" else api.one(RESET, token=token))
    assert made["errors"] == []
    return replace(api, token=made["token"])


def later() -> int:
    """Return when a token was issued that a new password, which ends all earlier ones, does not end."""
    return int(time.time()) + 30


def notices(mailbox: Mailbox) -> list[str]:
    return [mail["To"] for mail in mailbox.mails if mail["Subject"] == NOTICE]


@WAYS
async def test_identity_of_a_stranger_who_named_the_address_of_someone_else_is_unlinked(
    world: World, mailbox: Mailbox, way: str
) -> None:
    made = await world.sign_in(await world.nonce(), sub="eve")
    eve = replace(world.api, token=made["token"], user=made["user"])
    await request(eve, ADA)
    assert (await world.api.one(CHANGE, token=await token_for(mailbox, ADA, 1)))["errors"] == []
    await mailbox.wait_for(1)
    ada = await prove(world.api, mailbox, ADA, way)
    assert await ada.one("{ viewer { id identities { id } } }") == {"id": eve.user["id"], "identities": []}
    again = await world.sign_in(await world.nonce(), sub="eve", iat=later())
    assert again["user"]["id"] != eve.user["id"], "a new account"
    await mailbox.wait_for(3)
    assert notices(mailbox) == [ADA]


@WAYS
async def test_tokens_of_a_strangers_identity_are_refused(world: World, mailbox: Mailbox, way: str) -> None:
    await world.api.sign_up(ADA)
    assert (await world.api.one(VERIFY, token=await token_for(mailbox, ADA, 1)))["errors"] == []
    eve = await sign_in(world.api, ADA)
    assert eve is not None
    await link_identity(world, eve, sub="eve")
    await mailbox.wait_for(2)
    assert await world.client(sub="eve").is_signed_in()
    await prove(world.api, mailbox, ADA, way)
    assert not await world.client(sub="eve", iat=later()).is_signed_in()


@WAYS
async def test_keys_endpoints_and_password_of_an_account_that_moved_to_the_address_end(
    world: World, mailbox: Mailbox, way: str
) -> None:
    eve = await world.api.sign_up(EVE)
    await mailbox.wait_for(1)
    await eve.verify_address()
    script = replace(eve, token=(await eve.one(CREATE_KEY))["key"])
    assert (await eve.one(CREATE_ENDPOINT))["errors"] == []
    await request(eve, ADA)
    assert (await world.api.one(CHANGE, token=await token_for(mailbox, ADA, 3)))["errors"] == []
    await mailbox.wait_for(4)
    assert await script.is_signed_in()
    ada = await prove(world.api, mailbox, ADA, way)
    assert [await client.is_signed_in() for client in (ada, script)] == [True, False]
    assert await WebhookEndpoint.all().count() == 0
    assert await sign_in(world.api, ADA) is None
    assert (await User.get(id=eve.user["id"])).owner_proven


async def test_link_ends_the_password_of_a_stranger_whose_verification_the_owner_opened(
    world: World, mailbox: Mailbox
) -> None:
    eve = await world.api.sign_up(ADA)
    assert (await world.api.one(VERIFY, token=await token_for(mailbox, ADA, 1)))["errors"] == []
    again = await sign_in(world.api, ADA)
    assert again is not None
    ada = await prove(world.api, mailbox, ADA, "link")
    assert await sign_in(world.api, ADA) is None
    assert not await again.is_signed_in()
    await mailbox.wait_for(3)
    assert notices(mailbox) == [ADA], "it may have been her own"
    text = " ".join(mailbox.mails[-1].get_content().split())
    assert "its former password, linked sign-ins, API keys and webhooks" in text
    assert await ada.one("{ viewer { id } }") == {"id": eve.user["id"]}, "with its pictures and credits"


@WAYS
async def test_owner_who_was_proven_before_keeps_everything(world: World, mailbox: Mailbox, way: str) -> None:
    ada = await world.api.sign_up(ADA)
    assert (await ada.one(VERIFY, token=await token_for(mailbox, ADA, 1)))["errors"] == []
    script = replace(ada, token=(await ada.one(CREATE_KEY))["key"])
    assert (await ada.one(CREATE_ENDPOINT))["errors"] == []
    await link_identity(world, ada, **VERIFIED, sub="ada")
    await mailbox.wait_for(2)
    await prove(world.api, mailbox, ADA, way)
    assert await script.is_signed_in()
    assert await WebhookEndpoint.all().count() == 1
    made = await world.sign_in(await world.nonce(), **VERIFIED, sub="ada", iat=later())
    assert made["user"]["id"] == ada.user["id"]
    if way == "link":
        assert await sign_in(world.api, ADA) is not None
    await world.server.services.accounts.mail.aclose()
    assert notices(mailbox) == []


async def test_notice_is_in_the_language_of_the_account(world: World, mailbox: Mailbox) -> None:
    await world.api.sign_up(ADA, locale="zh")
    await mailbox.wait_for(1)
    await prove(world.api, mailbox, ADA, "link")
    await mailbox.wait_for(3)
    assert mailbox.mails[-1]["Subject"] == "你的账户现在只属于你"
