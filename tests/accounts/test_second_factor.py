"""The second factor of admins: setting it up, proving it in each session, removing it, and what needs it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from models import AuditEntry, RecoveryCode, SecondFactor, Session, User
from models.enum import Role
from services.core.message import message
from services.services import Services
from setting_types import AdminSecondFactor
from settings import Settings
from tests.conftest import Running, running
from tests.support.authenticator_app import CONFIRM, REMOVE, START, VERIFY, App, code_of, set_up
from tests.support.bus_subscribers import first_activity_event
from tests.support.client import PATIENCE, Api
from tests.support.integrity import make_admin
from tests.support.mail_server import Mailbox
from tests.web.test_server_sent_events import streaming

PASSWORD = "correct horse"
SIGN_IN = """
mutation($input: SignInInput!) {
  signIn(input: $input) { token user { id secondFactor { isProved } } errors { code field message } }
}"""
ADMIN = "{ admin { users { nodes { id email } } } }"
FEED = "subscription { adminActivity { kind } }"
SESSIONS = "{ viewer { sessions { isCurrent secondFactorAt } secondFactor { since isProved recoveryCodesLeft } } }"
ADJUST = """
mutation($id: ID!) {
  adminAdjustCredits(input: {userId: $id, amount: 5, reason: "test", idempotencyKey: "a"}) {
    user { credits } errors { code }
  }
}"""


@pytest.fixture
async def admin(idle_server: Running) -> Api:
    return await make_admin(idle_server.api)


@pytest.fixture
async def required(settings: Settings) -> AsyncIterator[Running]:
    """A server on which every admin needs a second factor."""
    async with running(
        settings.model_copy(update={"admin_second_factor": AdminSecondFactor.REQUIRED}), idle=True
    ) as found:
        yield found


async def sign_in(admin: Api, **more: Any) -> Api:
    """Return a client with a new session of the account."""
    made = await admin.one(SIGN_IN, input={"email": admin.user["email"], "password": PASSWORD, **more})
    assert made["errors"] == []
    return replace(admin, token=made["token"])


async def first_line(lines: AsyncIterator[str], services: Services) -> None:
    """Publish alerts until an event stream delivers something."""

    async def first_of() -> str:
        return await anext(lines)

    first = asyncio.create_task(first_of())
    while not first.done():
        await services.events.publisher.alert(message("A test alert"))
        await asyncio.wait([first], timeout=0.02)


async def test_app_is_set_up_with_a_code_and_recovery_codes_are_shown_once(admin: Api) -> None:
    assert (await admin.one(SESSIONS))["secondFactor"] is None
    started = await admin.one(START)
    uri = urlsplit(started["uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query)["secret"] == [started["secret"]]
    assert len(started["secret"]) == 32, "160 bits"
    assert await User.filter(second_factor_since__isnull=False).count() == 0
    assert (await admin.one(ADMIN))["users"], "nothing changes before it is confirmed"

    app = App(str(admin.user["id"]), started["secret"], [])
    wrong = await admin.refused(CONFIRM, code=app.code(ahead=50))
    assert (wrong["code"], wrong["field"]) == ("INVALID_INPUT", ["code"])
    confirmed = await admin.one(CONFIRM, code=f" {app.code()[:3]} {app.code()[3:]}")
    codes = confirmed["recoveryCodes"]
    assert len(set(codes)) == 10
    assert all(len(code) == 19 for code in codes)
    factor = confirmed["user"]["secondFactor"]
    assert (factor["isProved"], factor["recoveryCodesLeft"]) == (True, 10)
    assert (await admin.one(ADMIN))["users"], "the session that set it up has proved it"
    assert (await admin.refused(START))["code"] == "CONFLICT"
    assert (await admin.refused(CONFIRM, code=app.code(ahead=1)))["code"] == "CONFLICT"

    (row,) = await SecondFactor.all()
    stored = [row.salt, row.secret_hash, *[code.code_hash for code in await RecoveryCode.all()]]
    assert not any(started["secret"].casefold() in text.casefold() for text in stored)
    assert not any(code.replace("-", "") in text for text in stored for code in codes)
    entries = [(entry.action, entry.actor_id, entry.target) for entry in await AuditEntry.all()]
    assert entries == [("ENABLE_SECOND_FACTOR", admin.user["id"], admin.user["id"])]


async def test_each_session_proves_the_factor_before_it_is_an_admins(admin: Api, idle_server: Running) -> None:
    app = await set_up(admin)
    other = await sign_in(admin)
    refused = await other.refused(ADMIN)
    assert refused["code"] == "SECOND_FACTOR_REQUIRED"
    assert "verifySecondFactor" in refused["message"]
    assert (await other.refused(ADJUST, id=admin.user["id"]))["code"] == "SECOND_FACTOR_REQUIRED"
    eve = await idle_server.api.sign_up("eve@example.com")
    query = "query($id: ID!) { node(id: $id) { id } }"
    assert await other.one(query, id=eve.user["id"]) is None, "it sees what a user sees"
    found = await other.one(SESSIONS)
    assert found["secondFactor"]["isProved"] is False
    assert {session["isCurrent"]: session["secondFactorAt"] is not None for session in found["sessions"]} == {
        True: False,
        False: True,
    }

    proved = await other.one(VERIFY, code=await app.fresh_code())
    assert proved["user"]["secondFactor"] == {"isProved": True, "recoveryCodesLeft": 10}
    assert (await other.one(ADMIN))["users"]
    assert (await other.one(query, id=eve.user["id"]))["id"] == eve.user["id"]
    third = await sign_in(admin)
    assert (await third.refused(ADMIN))["code"] == "SECOND_FACTOR_REQUIRED", "each session for itself"


async def test_sign_in_takes_a_code(admin: Api) -> None:
    app = await set_up(admin)
    credentials = {"email": admin.user["email"], "password": PASSWORD}
    before = await Session.all().count()
    refused = await admin.refused(SIGN_IN, input={**credentials, "code": app.code(ahead=50)})
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["code"])
    assert await Session.all().count() == before, "a wrong code opens no session"
    refused = await admin.refused(SIGN_IN, input={**credentials, "password": "wrong horse", "code": app.code()})
    assert refused["field"] == ["password"]
    made = await admin.one(SIGN_IN, input={**credentials, "code": await app.fresh_code()})
    assert made["user"]["secondFactor"] == {"isProved": True}
    assert (await replace(admin, token=made["token"]).one(ADMIN))["users"]
    again = await admin.refused(SIGN_IN, input={**credentials, "code": app.code()})
    assert again["field"] == ["code"], "each code works once"
    by_recovery = await sign_in(admin, code=app.recovery[0])
    assert (await by_recovery.one(SESSIONS))["secondFactor"]["recoveryCodesLeft"] == 9


@pytest.mark.any_database
async def test_code_has_no_effect_without_a_second_factor(admin: Api) -> None:
    other = await sign_in(admin, code="123456")
    assert (await other.one(ADMIN))["users"]
    assert (await other.one("{ viewer { secondFactor { since } } }"))["secondFactor"] is None


@pytest.mark.any_database
async def test_fields_of_one_request_follow_the_factor(admin: Api) -> None:
    app = await set_up(admin)
    other, id = await sign_in(admin), admin.user["id"]
    body = (
        await other.raw(
            "mutation($id: ID!, $code: String!) {"
            " before: adminSetMembership(userId: $id, isMember: true) { errors { code } }"
            " verifySecondFactor(code: $code) { errors { code } }"
            " after: adminSetMembership(userId: $id, isMember: true) { errors { code } } }",
            id=id,
            code=await app.fresh_code(),
        )
    ).json()
    assert body["data"] is None, "a field that is refused makes the data null"
    assert [error["extensions"]["code"] for error in body["errors"]] == ["SECOND_FACTOR_REQUIRED"]
    both = await (await sign_in(admin)).execute(
        "mutation($id: ID!, $code: String!) {"
        " verifySecondFactor(code: $code) { errors { code } }"
        " adminSetMembership(userId: $id, isMember: true) { errors { code } } }",
        id=id,
        code=await app.fresh_code(),
    )
    assert [found["errors"] for found in both.values()] == [[], []]


@pytest.mark.any_database
async def test_signing_in_does_not_take_the_proof_along(admin: Api) -> None:
    app = await set_up(admin)
    other = await make_admin(admin, "other@example.com")
    await set_up(other)
    for email in (admin.user["email"], other.user["email"]):
        response = await admin.raw(
            "mutation($input: SignInInput!, $id: ID!) { signIn(input: $input) { errors { code } }"
            " adminSetMembership(userId: $id, isMember: true) { errors { code } } }",
            input={"email": email, "password": PASSWORD},
            id=app.user_id,
        )
        assert "SECOND_FACTOR_REQUIRED" in response.text, "the new session has proved nothing"


@pytest.mark.any_database
async def test_removing_needs_a_code_and_ends_every_proof(admin: Api) -> None:
    app = await set_up(admin)
    for code in ("", "000000000", "abcd-efgh-jkmn-pqrs", "x" * 10_000, "\x00" * 6, "１２３４５６"):
        assert (await admin.refused(REMOVE, code=code))["code"] == "INVALID_INPUT"
    removed = await admin.one(REMOVE, code=await app.fresh_code())
    assert removed == {"user": {"secondFactor": None}, "errors": []}
    assert [await SecondFactor.all().count(), await RecoveryCode.all().count()] == [0, 0]
    assert (await admin.one(ADMIN))["users"], "it is optional"
    assert (await admin.refused(VERIFY, code=app.recovery[0]))["message"] == "This account has no second factor."
    again = await set_up(await sign_in(admin))
    assert again.secret != app.secret
    assert (await admin.refused(ADMIN))["code"] == "SECOND_FACTOR_REQUIRED", "it proved the former one"
    actions = [(entry.action, entry.detail) for entry in await AuditEntry.all().order_by("id")]
    assert actions[1] == ("DISABLE_SECOND_FACTOR", {"by": "CODE"})


@pytest.mark.any_database
async def test_setup_needs_the_password_or_a_new_session_and_an_admin(admin: Api, idle_server: Running) -> None:
    eve = await idle_server.api.sign_up("eve@example.com")
    assert (await eve.refused(START))["code"] == "FORBIDDEN"
    assert (await eve.refused(CONFIRM, code="123456"))["code"] == "FORBIDDEN"
    assert (await idle_server.api.refused(START))["code"] == "UNAUTHENTICATED"
    await Session.all().update(created_at=datetime.now(UTC) - timedelta(minutes=16))
    for password in (None, "wrong horse"):
        refused = await admin.refused(START, input={"password": password})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["password"])
    assert (await admin.one(START, input={"password": PASSWORD}))["errors"] == []
    await admin.verify_address()
    key = (await admin.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    script = replace(admin, token=key)
    assert (await script.refused(START))["code"] == "FORBIDDEN"
    for document in (CONFIRM, VERIFY, REMOVE):
        assert (await script.refused(document, code="123456"))["code"] == "FORBIDDEN"


@pytest.mark.any_database
async def test_setup_ends_after_some_minutes_and_a_new_one_replaces_it(admin: Api) -> None:
    first, second = await admin.one(START), await admin.one(START)
    stale = App(str(admin.user["id"]), first["secret"], [])
    assert (await admin.refused(CONFIRM, code=stale.code()))["code"] == "INVALID_INPUT"
    await SecondFactor.all().update(created_at=datetime.now(UTC) - timedelta(minutes=16))
    app = App(stale.user_id, second["secret"], [])
    assert (await admin.refused(CONFIRM, code=app.code()))["message"].startswith("Please start the setup again")
    assert (await admin.refused(VERIFY, code=app.code()))["message"] == "This account has no second factor."


@pytest.mark.any_database
async def test_required_factor_is_set_up_before_anything_else(required: Running) -> None:
    admin = await make_admin(required.api)
    refused = await admin.refused(ADMIN)
    assert refused["code"] == "SECOND_FACTOR_REQUIRED"
    assert "startSecondFactor" in refused["message"]
    app = await set_up(admin)
    assert (await admin.one(ADMIN))["users"]
    await admin.one(REMOVE, code=await app.fresh_code())
    assert (await admin.refused(ADMIN))["code"] == "SECOND_FACTOR_REQUIRED"
    eve = await required.api.sign_up("eve@example.com")
    assert (await eve.refused(ADMIN))["code"] == "FORBIDDEN", "to users it is no question of a factor"


async def test_factor_stays_when_the_role_is_removed_and_is_removed_by_its_user(admin: Api) -> None:
    app = await set_up(admin)
    await User.filter(id=app.user_id).update(role=Role.USER)
    assert (await admin.refused(ADMIN))["code"] == "FORBIDDEN"
    other = await sign_in(admin)
    assert (await other.one(SESSIONS))["secondFactor"]["isProved"] is False
    await User.filter(id=app.user_id).update(role=Role.ADMIN)
    assert (await other.refused(ADMIN))["code"] == "SECOND_FACTOR_REQUIRED"
    await User.filter(id=app.user_id).update(role=Role.USER)
    assert (await other.one(REMOVE, code=await app.fresh_code()))["errors"] == []
    (entry,) = await AuditEntry.filter(action="DISABLE_SECOND_FACTOR")
    assert (entry.actor_id, entry.target) == (None, app.user_id), "the user is no admin"


async def test_open_sockets_and_streams_follow_the_factor(admin: Api, idle_server: Running) -> None:
    other = await make_admin(admin, "other@example.com")
    async with admin.socket() as socket, other.socket() as unaffected, streaming(admin, FEED) as sse:
        stream = await socket.subscribe(FEED)
        await first_activity_event(stream, idle_server.services)
        lines = sse.aiter_lines()
        await first_line(lines, idle_server.services)
        app = await set_up(await sign_in(admin))  # in another session: these have not proved it
        async with asyncio.timeout(PATIENCE):
            assert any(["SECOND_FACTOR_REQUIRED" in line async for line in lines])
        found = await stream.message()
        while found["type"] == "next" and "errors" not in found["payload"]:  # its own activities
            found = await stream.message()
        assert "SECOND_FACTOR_REQUIRED" in str(found), "the stream ends"
        refused = await (await socket.subscribe(ADMIN)).message()
        assert "SECOND_FACTOR_REQUIRED" in str(refused)
        code = await app.fresh_code()
        assert (await (await socket.subscribe(VERIFY, code=code)).next())["errors"] == []
        assert (await (await socket.subscribe(ADMIN)).next())["users"]
        await (await unaffected.subscribe(ADMIN)).next()


@pytest.mark.any_database
async def test_graphiql_for_admins_follows_the_factor(settings: Settings) -> None:
    introspection = "{ __schema { queryType { name } } }"
    async with running(settings.model_copy(update={"graphiql": "admins"}), idle=True) as server:
        admin = await make_admin(server.api)
        app = await set_up(admin)
        other = await sign_in(admin)
        assert "errors" in (await other.raw(introspection)).json()
        tabs = "/graphiql/tabs"
        before = (await other.http.get(tabs, headers=other.headers())).json()["tabs"]
        assert [tab["name"] for tab in before] == ["enter-code"]
        await other.one(VERIFY, code=await app.fresh_code())
        assert (await other.execute(introspection))["__schema"]
        assert len((await other.http.get(tabs, headers=other.headers())).json()["tabs"]) > 5


async def test_kept_answers_and_plans_follow_the_factor(admin: Api, idle_server: Running) -> None:
    app = await set_up(admin)
    other, eve = await sign_in(admin), await idle_server.api.sign_up("eve@example.com")
    query = "query($id: ID!) { viewer { credits } node(id: $id) { id ... on User { email } } }"
    seen = []
    for client in (admin, other, admin, other):
        for _ in range(3):  # the operation is compiled, and answers are kept
            seen.append((await client.execute(query, id=eve.user["id"]))["node"] is not None)
    assert seen == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3
    await other.one(VERIFY, code=await app.fresh_code())
    assert (await other.execute(query, id=eve.user["id"]))["node"]["email"] == "eve@example.com"


@pytest.mark.any_database
async def test_switching_it_on_and_off_is_mailed(settings: Settings, mailbox: Mailbox) -> None:
    mailing = settings.model_copy(update={"smtp_url": mailbox.url, "mail_from": "hello@example.com"})
    async with running(mailing, idle=True) as server:
        admin = await make_admin(server.api)
        await mailbox.wait_for(1)  # that verifies the address
        app = await set_up(admin)
        await mailbox.wait_for(2)
        await admin.one(VERIFY, code=app.recovery[3])
        await mailbox.wait_for(3)
        await admin.one(REMOVE, code=await app.fresh_code())
        await mailbox.wait_for(4)
    subjects = [str(mail["Subject"]) for mail in mailbox.mails[1:]]
    assert subjects == ["A second factor was set up", "A recovery code was used", "The second factor was removed"]
    assert not any(code in str(mail) for mail in mailbox.mails for code in [app.secret, *app.recovery])


@pytest.mark.any_database
async def test_only_sessions_see_the_factor_and_admins_that_of_others(admin: Api, idle_server: Running) -> None:
    await set_up(admin)
    other = await make_admin(admin, "other@example.com")
    query = "query($id: ID!) { admin { user(id: $id) { secondFactor { isProved recoveryCodesLeft } } } }"
    found = (await other.one(query, id=admin.user["id"]))["user"]["secondFactor"]
    assert found == {"isProved": False, "recoveryCodesLeft": 10}
    await admin.verify_address()
    key = (await admin.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    script = replace(admin, token=key)
    assert (await script.one("{ viewer { secondFactor { since } } }"))["secondFactor"] is None
    assert (await script.refused(ADMIN))["code"] == "FORBIDDEN", "keys have no admin rights, with or without a factor"


def test_code_of_the_test_is_that_of_the_rfc() -> None:
    assert code_of("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 1) == "287082"
