"""Adjustments by admins: one line, one audit entry, published at once, idempotent by key."""

import asyncio
from typing import Any

import pytest

from models import AuditEntry, CreditTransaction, User
from models.database.connection import run_tx
from models.enum import TransactionType
from services.billing import ledger
from services.billing.admin_adjustment import MAX_AMOUNT, MAX_BALANCE
from services.core.text import MAX_REASON
from tests.conftest import Running
from tests.support.client import CREDITS, Api
from tests.support.integrity import assert_invariants, make_admin

ADJUST = """
mutation($input: AdjustCreditsInput!) {
  adminAdjustCredits(input: $input) {
    user { id email credits }
    transaction { id type amount balance metadata description user { id } }
    errors { code message field }
  }
}"""
LEDGER = "{ viewer { credits version transactions(first: 1) { nodes { type amount balance metadata description } } } }"
UNKNOWN_USER = "usr_01h455vb4pex5vsknk084sn02q"


def adjustment_of(api: Api, amount: int, **more: Any) -> dict[str, Any]:
    """Return the input of an adjustment of this account."""
    return {"userId": api.user["id"], "amount": amount, "reason": "An outage", **more}


async def audit_entries() -> list[tuple[str | None, str, str | None, dict[str, Any]]]:
    """Return the audit log, oldest first."""
    return [
        (entry.actor_id, entry.action.value, entry.target, entry.detail)
        for entry in await AuditEntry.all().order_by("id")
    ]


async def test_adjustment_writes_one_line_with_its_reason_and_publishes_one_action(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    version = (await ada.one(LEDGER))["version"]
    async with ada.socket() as socket:
        credits = await socket.subscribe(CREDITS)
        await credits.next()
        given = await admin.one(ADJUST, input=adjustment_of(ada, 25, reason="  Sorry for\nyesterday "))
        published = await credits.next()
    assert given["errors"] == []
    assert given["user"] == {"id": ada.user["id"], "email": "ada@example.com", "credits": 10_025}
    line = given["transaction"]
    assert line.pop("id") == published["transaction"]["id"]
    assert line.pop("user") == {"id": ada.user["id"]}
    shown = {
        "type": "ADMIN",
        "amount": 25,
        "balance": 10_025,
        "metadata": {"reason": "Sorry for\nyesterday"},
        "description": "Adjusted by support",
    }
    assert line == shown
    assert (published["credits"], published["version"], published["transaction"]["amount"]) == (10_025, version + 1, 25)
    assert await ada.one(LEDGER) == {"credits": 10_025, "version": version + 1, "transactions": {"nodes": [shown]}}
    taken = await admin.one(ADJUST, input=adjustment_of(ada, -10_030))
    assert (taken["user"]["credits"], taken["transaction"]["balance"]) == (-5, -5)
    admin_id, ada_id = admin.user["id"], ada.user["id"]
    assert await audit_entries() == [
        (admin_id, "ADJUST_CREDITS", ada_id, {"amount": 25, "reason": "Sorry for\nyesterday"}),
        (admin_id, "ADJUST_CREDITS", ada_id, {"amount": -10_030, "reason": "An outage"}),
    ]
    await assert_invariants(idle_server.services)


async def test_same_key_of_same_admin_adjusts_once(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    admin, other = await make_admin(idle_server.api), await make_admin(idle_server.api, "other@example.com")
    keyed = adjustment_of(ada, 5, idempotencyKey="ticket-1")
    duplicates = await asyncio.gather(*(admin.one(ADJUST, input=keyed) for _ in range(4)))
    assert len({duplicate["transaction"]["id"] for duplicate in duplicates}) == 1
    assert [duplicate["errors"] for duplicate in duplicates] == [[]] * 4
    assert await ada.credits() == 10_005
    for another in (
        {**keyed, "amount": 6},
        {**keyed, "reason": "Another"},
        adjustment_of(eve, 5, idempotencyKey="ticket-1"),
    ):
        refused = await admin.refused(ADJUST, input=another)
        assert (refused["code"], refused["field"]) == ("CONFLICT", ["idempotencyKey"])
    assert (await other.one(ADJUST, input=keyed))["user"]["credits"] == 10_010, "another admin's key is another key"
    assert len(await audit_entries()) == 2
    await assert_invariants(idle_server.services)


async def test_one_key_used_concurrently_for_two_accounts_adjusts_one(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    admin = await make_admin(idle_server.api)
    for number in range(5):
        both = (admin.one(ADJUST, input=adjustment_of(who, 1, idempotencyKey=f"key-{number}")) for who in (ada, eve))
        codes = [[error["code"] for error in done["errors"]] for done in await asyncio.gather(*both)]
        assert sorted(codes) == [[], ["CONFLICT"]]
    assert await ada.credits() + await eve.credits() == 20_005
    assert len(await audit_entries()) == 5
    await assert_invariants(idle_server.services)


async def test_refused_adjustment_changes_nothing(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    deleted = await idle_server.api.sign_up("deleted@example.com")
    leave = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
    await deleted.execute(leave, input={"password": "correct horse", "confirmEmail": "deleted@example.com"})
    lines = await CreditTransaction.all().count()
    version = (await User.get(id=ada.user["id"])).version
    for input, code, field in (
        (adjustment_of(ada, 0), "INVALID_INPUT", "amount"),
        (adjustment_of(ada, MAX_AMOUNT + 1), "INVALID_INPUT", "amount"),
        (adjustment_of(ada, -MAX_AMOUNT - 1), "INVALID_INPUT", "amount"),
        (adjustment_of(ada, 5, reason=" \n "), "INVALID_INPUT", "reason"),
        (adjustment_of(ada, 5, reason="x" * (MAX_REASON + 1)), "INVALID_INPUT", "reason"),
        (adjustment_of(ada, 5, reason="a\x00b"), "INVALID_INPUT", "reason"),
        (adjustment_of(ada, 5, idempotencyKey=""), "INVALID_INPUT", "idempotencyKey"),
        (adjustment_of(deleted, 5), "NOT_FOUND", "userId"),
        (adjustment_of(ada, 5, userId=UNKNOWN_USER), "NOT_FOUND", "userId"),
        (adjustment_of(ada, 5, userId="gen_x"), "NOT_FOUND", "userId"),
    ):
        refused = await admin.refused(ADJUST, input=input)
        assert (refused["code"], refused["field"]) == (code, [field]), input
    assert (await admin.refused(ADJUST, input=adjustment_of(ada, 2**31)))["code"] == "INVALID_INPUT"
    assert await CreditTransaction.all().count() == lines
    assert (await User.get(id=ada.user["id"])).version == version
    assert await audit_entries() == []


@pytest.mark.any_database
async def test_balance_stays_within_32_bits(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    lines = [
        ledger.LedgerLine(TransactionType.BONUS, MAX_AMOUNT, f"gift:{number}")
        for number in range(MAX_BALANCE // MAX_AMOUNT - 1)
    ]
    await run_tx(ledger.post, ada.user["id"], lines)
    refused = await admin.refused(ADJUST, input=adjustment_of(ada, MAX_AMOUNT))
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["amount"])
    assert await ada.credits() == MAX_BALANCE - MAX_AMOUNT + 10_000
    assert (await admin.one(ADJUST, input=adjustment_of(ada, MAX_AMOUNT - 10_000)))["user"]["credits"] == MAX_BALANCE
    await assert_invariants(idle_server.services)


@pytest.mark.any_database
async def test_only_admin_with_session_can_adjust(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    await admin.verify_address()
    key = (await admin.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    for client, code in (
        (ada, "FORBIDDEN"),
        (Api(idle_server.api.http, idle_server.api.address, key), "FORBIDDEN"),
        (idle_server.api, "UNAUTHENTICATED"),
    ):
        assert (await client.refused(ADJUST, input=adjustment_of(ada, 5)))["code"] == code
    assert await ada.credits() == 10_000
