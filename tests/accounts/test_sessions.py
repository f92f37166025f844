"""The list of sessions, their revocation, and their end, which moves on while they are used."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import Session, ids
from models.database.connection import rows
from services.accounts.secret_token import hash_token
from services.accounts.sign_ins.origin import KeptPlace, SignInOrigin
from setting_types import SessionPlace
from settings import Settings
from tests.conftest import running
from tests.support.client import CREDITS, Api

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code } } }"
SESSIONS = "{ viewer { sessions { id device place isCurrent createdAt lastSeenAt expiresAt } } }"
REVOKE = "mutation($id: ID!) { revokeSession(id: $id) { deletedIds errors { code message field } } }"
REVOKE_OTHERS = "mutation { revokeOtherSessions { deletedIds errors { code } } }"


async def sign_in(api: Api, agent: str = FIREFOX) -> Api:
    answer = await api.raw(
        SIGN_IN, headers={"user-agent": agent}, input={"email": "ada@example.com", "password": "correct horse"}
    )
    return replace(api, token=answer.json()["data"]["signIn"]["token"])


async def listed(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.one(SESSIONS))["sessions"]
    return found


async def is_signed_in(api: Api) -> bool:
    answer = (await api.raw("{ viewer { id } }")).json()
    if answer["data"] is None:
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
    return answer["data"] is not None


async def row_of(api: Api) -> Session:
    return await Session.get(token_hash=hash_token(api.token or ""))


async def age(api: Api, *, opened: timedelta, seen: timedelta, expires: timedelta) -> None:
    """Let a session have been opened and last seen some time ago, and expire in some time."""
    now = datetime.now(UTC)
    await Session.filter(token_hash=hash_token(api.token or "")).update(
        created_at=now - opened, last_seen_at=now - seen, expires_at=now + expires
    )


async def test_sessions_are_listed_with_device_place_and_the_current_one(ada: Api) -> None:
    browser = await sign_in(ada)
    first, second = await listed(browser)
    assert (first["device"], first["place"], first["isCurrent"]) == ("Firefox on Windows", "127.0.0.0/24", True)
    assert (second["device"].partition("/")[0], second["isCurrent"]) == ("python-httpx", False)
    assert first["createdAt"] <= first["lastSeenAt"] < first["expiresAt"]
    assert [each["isCurrent"] for each in await listed(ada)] == [False, True]
    eve = await ada.sign_up("eve@example.com")
    assert len(await listed(eve)) == 1


@pytest.mark.any_database
async def test_sessions_are_not_shown_to_api_keys(ada: Api) -> None:
    await ada.verify_address()
    key = (await ada.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    assert (await replace(ada, token=key).one(SESSIONS))["sessions"] is None
    assert (await replace(ada, token=key).refused(REVOKE_OTHERS))["code"] == "FORBIDDEN"


async def test_revoked_session_ends_at_once_with_its_open_sockets(ada: Api) -> None:
    other = await sign_in(ada)
    async with other.socket() as socket, ada.socket() as kept:
        await (await socket.subscribe(CREDITS)).next()
        await (await kept.subscribe(CREDITS)).next()
        id = (await row_of(other)).id
        assert await ada.one(REVOKE, id=id) == {"deletedIds": [id], "errors": []}
        await asyncio.wait_for(socket.connection.wait_closed(), 20)
        assert socket.connection.close_code == 4401
        assert (await (await kept.subscribe("{ viewer { id } }")).next())["id"] == ada.user["id"]
    assert not await is_signed_in(other)
    assert len(await listed(ada)) == 1
    error = await ada.refused(REVOKE, id=id)
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["id"])


async def test_session_of_another_account_answers_like_a_missing_one(ada: Api) -> None:
    eve = await ada.sign_up("eve@example.com")
    assert await eve.refused(REVOKE, id=(await row_of(ada)).id) == await eve.refused(REVOKE, id=ids.new_id(ids.SESSION))
    assert await is_signed_in(ada)


async def test_revoking_all_others_keeps_this_session_and_other_accounts(ada: Api) -> None:
    others = [await sign_in(ada) for _ in range(3)]
    eve = await ada.sign_up("eve@example.com")
    known = {(await row_of(other)).id for other in others}
    answer = await ada.one(REVOKE_OTHERS)
    assert set(answer["deletedIds"]) == known
    assert [await is_signed_in(api) for api in (ada, eve, *others)] == [True, True, False, False, False]


async def test_use_moves_the_end_of_a_session_on_but_not_past_its_maximum(ada: Api) -> None:
    days = timedelta(days=1)
    await age(ada, opened=20 * days, seen=timedelta(minutes=6), expires=days)
    assert await is_signed_in(ada)
    row = await row_of(ada)
    assert row.last_seen_at is not None
    assert timedelta(0) <= datetime.now(UTC) - row.last_seen_at < timedelta(minutes=1)
    assert timedelta(days=29) < row.expires_at - datetime.now(UTC) <= timedelta(days=30)
    await age(ada, opened=350 * days, seen=timedelta(minutes=6), expires=days)
    assert await is_signed_in(ada)
    assert timedelta(days=14) < (await row_of(ada)).expires_at - datetime.now(UTC) <= timedelta(days=15)
    await age(ada, opened=20 * days, seen=days, expires=-timedelta(seconds=1))
    assert not await is_signed_in(ada), "an expired session is not revived"


@pytest.mark.any_database
async def test_use_is_recorded_at_most_every_five_minutes(ada: Api) -> None:
    await age(ada, opened=timedelta(hours=1), seen=timedelta(minutes=4), expires=timedelta(days=1))
    before = await row_of(ada)
    for _ in range(3):
        await is_signed_in(ada)
    after = await row_of(ada)
    assert (after.last_seen_at, after.expires_at) == (before.last_seen_at, before.expires_at)


@pytest.mark.any_database
async def test_session_of_an_earlier_release_is_listed_and_used(ada: Api) -> None:
    await rows("UPDATE sessions SET last_seen_at = NULL, device = NULL, place = NULL RETURNING id")
    (only,) = await listed(ada)
    assert (only["device"], only["place"]) == (None, None)
    assert (await row_of(ada)).last_seen_at is not None


@pytest.mark.any_database
async def test_address_of_a_sign_in_is_kept_as_configured(settings: Settings) -> None:
    async with running(settings.model_copy(update={"session_place": SessionPlace.NOTHING}), idle=True) as server:
        ada = await server.api.sign_up()
        assert (await listed(ada))[0]["place"] is None


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (FIREFOX, "Firefox on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 "
         "Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/139.0 Safari/537.36 Edg/139.0", "Edge on Linux"),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/139.0 Mobile Safari/537.36",
         "Chrome on Android"),
        ("curl/8.5.0", "curl/8.5.0"), ("Darkroom/3 (iPhone; iOS 18)", "Darkroom/3 on iPhone"), ("", None),
        ("Mozilla/5.0", None), ("<script>alert(1)</script>", None), ("x" * 10_000, "x" * 61),
    ],
)  # fmt: skip
def test_device_is_named_by_its_user_agent(agent: str, device: str | None) -> None:
    assert SignInOrigin("", agent).device == device


@pytest.mark.parametrize(
    ("client", "full", "network"),
    [
        ("203.0.113.77", "203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("unknown", None, None),
        ("", None, None),
    ],
)
def test_place_is_an_address_or_its_network(client: str, full: str | None, network: str | None) -> None:
    kept = [SignInOrigin(client).place(each) for each in KeptPlace]
    assert kept == [full, network, None]
