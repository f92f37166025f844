"""Memberships and passes granted by admins: effective and published at once, idempotent by key."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import AuditEntry, Pass, Plan, User
from models.enum import PlanKind
from services.billing.admin_grant import MAX_HOURS
from tests.conftest import Running
from tests.support.client import Api
from tests.support.integrity import assert_invariants, make_admin

SET = """
mutation($userId: ID!, $isMember: Boolean!) {
  adminSetMembership(userId: $userId, isMember: $isMember) {
    user { id isMember membership { startedAt plan { slug } } } errors { code message field }
  }
}"""
GRANT = """
mutation($userId: ID!, $plan: String!, $hours: Int, $idempotencyKey: String) {
  adminGrantPass(userId: $userId, plan: $plan, hours: $hours, idempotencyKey: $idempotencyKey) {
    user { id pass { plan { slug } startedAt expiresAt } } errors { code message field }
  }
}"""
CHANGES = """
subscription { creditsChanged { version transaction { id } membership { plan { slug } } pass { plan { slug } } } }"""
LOCKED = '{ style(slug: "cyberpunk-street", collection: "scenes") { id locked } }'
LEAVE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
UNKNOWN_USER = "usr_01h455vb4pex5vsknk084sn02q"
HOUR = timedelta(hours=1)


async def audit_entries() -> list[tuple[str | None, str, str | None, dict[str, Any]]]:
    """Return the audit log, oldest first."""
    return [
        (entry.actor_id, entry.action.value, entry.target, entry.detail)
        for entry in await AuditEntry.all().order_by("id")
    ]


async def period_of(reference: str) -> tuple[datetime, datetime]:
    held = await Pass.get(reference=reference)
    return held.started_at, held.expires_at


async def test_granted_membership_unlocks_styles_at_once_and_is_published(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    mine, admin_id = {"userId": ada.user["id"]}, admin.user["id"]
    style = await ada.one(LOCKED)
    assert style["locked"]
    async with ada.socket() as socket:
        credits = await socket.subscribe(CHANGES)
        opening = await credits.next()
        given = await admin.one(SET, **mine, isMember=True)
        published = await credits.next()
        assert (await admin.one(SET, **mine, isMember=True))["user"] == given["user"], "nothing changes"
        assert (await ada.one(LOCKED))["locked"] is False
        taken = await admin.one(SET, **mine, isMember=False)
        ended = await credits.next()
    assert given["errors"] == taken["errors"] == []
    assert (given["user"]["isMember"], given["user"]["membership"]["plan"]) == (True, None)
    assert taken["user"] == {"id": ada.user["id"], "isMember": False, "membership": None}
    assert (published["version"], published["membership"]) == (opening["version"] + 1, {"plan": None})
    assert (ended["version"], ended["membership"]) == (published["version"] + 1, None)
    assert (await ada.one(LOCKED))["locked"]
    assert await audit_entries() == [
        (admin_id, "SET_MEMBERSHIP", ada.user["id"], {"isMember": True}),
        (admin_id, "SET_MEMBERSHIP", ada.user["id"], {"isMember": False}),
    ]
    assert (await User.get(id=ada.user["id"])).member_since is None
    await assert_invariants(idle_server.services)


async def test_revoking_granted_membership_keeps_paid_plan(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    plan = await Plan.create(slug="paid", title={"en": "Paid"}, kind=PlanKind.SUBSCRIPTION, position=900, max_batch=2)
    until = datetime.now(UTC) + timedelta(days=9)
    await User.filter(id=ada.user["id"]).update(plan_id=plan.id, member_until=until)
    for is_member in (True, False):
        done = await admin.one(SET, userId=ada.user["id"], isMember=is_member)
        assert done["user"]["isMember"] is True
        user = await User.get(id=ada.user["id"])
        assert (user.is_member, user.plan_id, user.member_until) == (is_member, plan.id, until)


async def test_pass_starts_at_once_or_after_last_one_and_is_granted_once(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    other = await make_admin(idle_server.api, "other@example.com")
    mine = {"userId": ada.user["id"], "plan": "flash-lite"}
    async with ada.socket() as socket:
        credits = await socket.subscribe(CHANGES)
        opening = await credits.next()
        duplicates = await asyncio.gather(
            *(admin.one(GRANT, **mine, hours=24, idempotencyKey="ticket-1") for _ in range(4))
        )
        published = await credits.next()
    assert [duplicate["errors"] for duplicate in duplicates] == [[]] * 4
    assert (published["version"], published["pass"]) == (opening["version"] + 1, {"plan": {"slug": "flash-lite"}})
    (first,) = await Pass.all()
    assert first.expires_at - first.started_at == 24 * HOUR
    for duplicate in duplicates:
        shown = duplicate["user"]["pass"]
        assert shown["plan"] == {"slug": "flash-lite"}
        assert datetime.fromisoformat(shown["expiresAt"]) == first.expires_at
    for another in ({**mine, "hours": 25}, {**mine, "hours": 24, "plan": "flash"}):
        refused = await admin.refused(GRANT, **another, idempotencyKey="ticket-1")
        assert (refused["code"], refused["field"]) == ("CONFLICT", ["idempotencyKey"])
    assert (await other.one(GRANT, **mine, idempotencyKey="ticket-1"))["errors"] == []
    assert (await admin.one(GRANT, **mine, hours=1))["errors"] == []
    log = await AuditEntry.all().order_by("id")
    one, two, three = [await period_of(f"admin:{entry.id}") for entry in log]
    assert one == (first.started_at, first.expires_at)
    assert two == (first.expires_at, first.expires_at + 3 * HOUR), "the plan's duration"
    assert three == (two[1], two[1] + HOUR)
    assert [(entry.actor_id, entry.target, entry.detail) for entry in log] == [
        (by.user["id"], ada.user["id"], {"plan": "flash-lite", "hours": hours})
        for by, hours in ((admin, 24), (other, 3), (admin, 1))
    ]
    assert (await ada.create(prompt="A fox"))["generations"][0]["paidBy"] == "PASS"
    await assert_invariants(idle_server.services)


@pytest.mark.any_database
async def test_refused_grant_changes_nothing(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    deleted = await idle_server.api.sign_up("deleted@example.com")
    await deleted.execute(LEAVE, input={"password": "correct horse", "confirmEmail": "deleted@example.com"})
    monthly = (await Plan.filter(kind=PlanKind.SUBSCRIPTION, is_active=True).first()) or await Plan.create(
        slug="monthly", title={"en": "Monthly"}, kind=PlanKind.SUBSCRIPTION, position=900, max_batch=2
    )
    await Plan.filter(slug="flash").update(is_active=False)
    lite = {"userId": ada.user["id"], "plan": "flash-lite"}
    for given, code, field in (
        ({**lite, "plan": "no-such"}, "INVALID_INPUT", "plan"),
        ({**lite, "plan": "\x00"}, "INVALID_INPUT", "plan"),
        ({**lite, "plan": monthly.slug}, "INVALID_INPUT", "plan"),
        ({**lite, "plan": "flash"}, "INVALID_INPUT", "plan"),  # no longer on sale
        ({**lite, "hours": 0}, "INVALID_INPUT", "hours"),
        ({**lite, "hours": MAX_HOURS + 1}, "INVALID_INPUT", "hours"),
        ({**lite, "idempotencyKey": ""}, "INVALID_INPUT", "idempotencyKey"),
        ({**lite, "userId": UNKNOWN_USER}, "NOT_FOUND", "userId"),
        ({**lite, "userId": deleted.user["id"]}, "NOT_FOUND", "userId"),
    ):
        refused = await admin.refused(GRANT, **given)
        assert (refused["code"], refused["field"]) == (code, [field]), given
    for user_id in (UNKNOWN_USER, deleted.user["id"], "x"):
        refused = await admin.refused(SET, userId=user_id, isMember=True)
        assert (refused["code"], refused["field"]) == ("NOT_FOUND", ["userId"])
    await admin.verify_address()
    key = (await admin.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    for client in (ada, Api(idle_server.api.http, idle_server.api.address, key)):
        assert (await client.refused(GRANT, **lite))["code"] == "FORBIDDEN"
        assert (await client.refused(SET, userId=ada.user["id"], isMember=True))["code"] == "FORBIDDEN"
    assert (await Pass.all().count(), await audit_entries()) == (0, [])
    await assert_invariants(idle_server.services)
