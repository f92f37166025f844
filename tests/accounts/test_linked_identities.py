"""An account's identities: listed for their owner, unlinked while another way to sign in is left, and exported."""

import asyncio
import io
import json
import time
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import Identity, Session, User
from models.database.connection import rows
from settings import Settings
from tests.accounts.test_external_sign_in import ADA, LINK, VERIFIED, World, open_world, problem
from tests.support.client import Api
from tests.support.mail_server import Mailbox

LIST = "{ viewer { identities { id issuer subjectHint name email linkedAt lastUsedAt } } }"
UNLINK = """
mutation($id: ID!) { unlinkIdentity(id: $id) { deletedIds viewer { id } errors { code field message } } }"""
EXPORT = "mutation { requestDataExport { dataExport { url } errors { code } } }"


@pytest.fixture
async def world(settings: Settings, mailbox: Mailbox) -> AsyncIterator[World]:
    async with open_world(settings, smtp_url=mailbox.url, mail_from="hello@darkroom.example") as found:
        yield found


async def session_of(world: World, **claims: Any) -> Api:
    made = await world.sign_in(await world.nonce(), **claims)
    assert made["errors"] == []
    return replace(world.api, token=made["token"], user=made["user"])


async def identities(api: Api) -> Any:
    return (await api.one(LIST))["identities"]


async def test_owner_sees_what_an_identity_is_and_not_its_whole_subject(world: World) -> None:
    ada = await session_of(world, **VERIFIED, sub="auth0|1234567890", name="Ada L.")
    (found,) = await identities(ada)
    assert (found["issuer"], found["subjectHint"]) == (world.provider.issuer, "7890")
    assert (found["name"], found["email"]) == ("Ada L.", ADA)
    assert found["linkedAt"] <= found["lastUsedAt"]
    for subject, hint in (("1", ""), ("12", "2"), ("12345", "45")):
        client = world.client(sub=subject, email="eve@example.com", name=None)
        (found,) = await identities(client)
        assert (found["subjectHint"], found["email"]) == (hint, None), "the address is not verified"
    key = await ada.one('mutation { createApiKey(name: "script") { key } }')
    assert await identities(replace(ada, token=key["key"])) is None


async def test_use_is_noted_to_five_minutes(world: World) -> None:
    client = world.client(sub="1")
    await identities(client)
    first = (await Identity.get()).last_used_at
    await identities(client)
    assert first is not None
    assert (await Identity.get()).last_used_at == first
    await Identity.all().update(last_used_at=datetime.now(UTC) - timedelta(minutes=6))
    await identities(client)
    renewed = (await Identity.get()).last_used_at
    assert renewed is not None
    assert renewed >= first
    await session_of(world, sub="1", name="New")
    (found,) = await identities(client)
    assert found["name"] == "New"


async def test_linked_and_unlinked_identities_are_noted_to_the_account(world: World, mailbox: Mailbox) -> None:
    ada = await world.api.sign_up(ADA)
    other = await world.api.one(
        "mutation($input: SignInInput!) { signIn(input: $input) { token } }",
        input={"email": ADA, "password": "correct horse"},
    )
    await mailbox.wait_for(1)
    await world.prove(ada.user["id"], proven=False)
    nonce = await world.nonce()
    token = world.provider.token(nonce=nonce, sub="ada-at-work", name="Ada", email="work@example.com")
    assert (await ada.one(LINK, input={"idToken": token, "nonce": nonce}))["errors"] == []
    await mailbox.wait_for(2)
    (found,) = await identities(ada)
    made = await ada.one(UNLINK, id=found["id"])
    assert (made["deletedIds"], made["errors"]) == ([found["id"]], [])
    await mailbox.wait_for(3)
    assert [(mail["To"], mail["Subject"]) for mail in mailbox.mails[1:]] == [
        (ADA, "A sign-in was added to your account"), (ADA, "A sign-in was removed from your account"),
    ]  # fmt: skip
    assert all(world.provider.issuer in mail.get_content() for mail in mailbox.mails[1:])
    assert await identities(ada) == []
    assert await ada.is_signed_in()
    assert not await replace(ada, token=other["token"]).is_signed_in(), "the identity may have opened it"
    assert problem(await ada.one(UNLINK, id=found["id"])) == ("NOT_FOUND", ["id"])


async def test_last_way_to_sign_in_is_not_removed(world: World) -> None:
    client = await session_of(world, sub="only-one")
    (found,) = await identities(client)
    for attempt in range(2):
        assert problem(await client.one(UNLINK, id=found["id"])) == ("CONFLICT", ["id"]), attempt
    assert await world.client(sub="only-one").is_signed_in()
    # The identity of an issuer that is not accepted any more signs in to nothing, and neither does an unlinked one.
    user_id = client.user["id"]
    old = {"user_id": user_id, "subject": "x"}
    await Identity.create(**old, issuer="https://old.example.com", key_hash="1" * 64)
    await Identity.create(**old, issuer=world.provider.issuer, key_hash="2" * 64, unlinked_at=datetime.now(UTC))
    assert problem(await client.one(UNLINK, id=found["id"])) == ("CONFLICT", ["id"])
    await User.filter(id=user_id).update(email=ADA, email_verified=False)
    assert problem(await client.one(UNLINK, id=found["id"])) == ("CONFLICT", ["id"]), "no link is mailed to it"
    await User.filter(id=user_id).update(email_verified=True)
    assert (await client.one(UNLINK, id=found["id"]))["errors"] == []


async def test_of_two_identities_that_are_unlinked_at_once_one_stays(world: World) -> None:
    client = await session_of(world, sub="first")
    nonce = await world.nonce()
    token = world.provider.token(nonce=nonce, sub="second")
    assert (await client.one(LINK, input={"idToken": token, "nonce": nonce}))["errors"] == []
    found = await identities(client)
    made = await asyncio.gather(*(client.one(UNLINK, id=one["id"]) for one in found))
    assert sorted(len(one["errors"]) for one in made) == [0, 1]
    assert len(await identities(client)) == 1


async def test_only_the_owner_unlinks_and_only_in_a_new_session(world: World) -> None:
    ada, eve = await session_of(world, **VERIFIED, sub="ada"), await session_of(world, sub="eve")
    (of_ada,) = await identities(ada)
    for wrong in (of_ada["id"], "", "idn_1", eve.user["id"]):
        assert problem(await eve.one(UNLINK, id=wrong)) == ("NOT_FOUND", ["id"]), wrong
    assert problem(await world.client(sub="ada").one(UNLINK, id=of_ada["id"]))[0] == "FORBIDDEN"
    await Session.filter(user_id=ada.user["id"]).update(created_at=datetime.now(UTC) - timedelta(minutes=16))
    assert problem(await ada.one(UNLINK, id=of_ada["id"]))[0] == "FORBIDDEN"
    assert (await world.api.refused(UNLINK, id=of_ada["id"]))["code"] == "UNAUTHENTICATED"


async def test_unlinked_identity_comes_back_only_by_its_owner(world: World) -> None:
    ada = await session_of(world, **VERIFIED, sub="ada")
    (found,) = await identities(ada)
    assert (await ada.one(UNLINK, id=found["id"]))["errors"] == []
    later = int(time.time()) + 30
    for claims in ({}, {"iat": later}):
        assert not await world.client(**VERIFIED, sub="ada", **claims).is_signed_in(), "an open page renews its tokens"
    made = await world.sign_in(await world.nonce(), **VERIFIED, sub="ada")
    assert problem(made) == ("INVALID_INPUT", ["idToken"]), "not by the address either: the account has removed it"
    assert [one.subject for one in await Identity.all()] == [""]
    eve = await session_of(world, sub="ada", iat=later)
    assert eve.user["id"] != ada.user["id"], "without the address, it is a new user"
    nonce = await world.nonce()
    token = world.provider.token(nonce=nonce, sub="ada")
    assert problem(await ada.one(LINK, input={"idToken": token, "nonce": nonce})) == ("CONFLICT", ["idToken"])


async def test_unlinked_identity_is_linked_again(world: World) -> None:
    ada = await session_of(world, **VERIFIED, sub="ada")
    (found,) = await identities(ada)
    await ada.one(UNLINK, id=found["id"])
    nonce = await world.nonce()
    token = world.provider.token(nonce=nonce, sub="ada", **VERIFIED)
    assert (await ada.one(LINK, input={"idToken": token, "nonce": nonce}))["errors"] == []
    assert (await session_of(world, **VERIFIED, sub="ada")).user["id"] == ada.user["id"]


async def test_export_has_the_picture_and_the_identities(world: World) -> None:
    picture = "https://img.example.com/ada.png"
    ada = await session_of(world, **VERIFIED, sub="auth0|1234567890", name="Ada", picture=picture)
    await ada.one(EXPORT)
    await world.server.services.accounts.exports.build_pending()
    url = (await ada.one(EXPORT))["dataExport"]["url"]
    data = json.loads(zipfile.ZipFile(io.BytesIO((await ada.http.get(url)).content)).read("data.json"))
    assert data["account"]["image"] == picture
    (found,) = data["identities"]
    assert (found["subject"], found["name"], found["email"]) == ("auth0|1234567890", "Ada", ADA)
    hashes = [row["hash"] for row in await rows("SELECT key_hash AS hash FROM identities")]
    assert hashes[0] not in json.dumps(data)
