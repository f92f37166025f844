"""Admin queries: accounts, generations, the ledger and the audit log; refused to all other users."""

from typing import Any

import pytest

from models import Generation, User, ids
from models.database.connection import rows
from models.enum import AdminAction, Role
from services.accounts.user import DEMO_EMAIL
from services.events import audit_log
from tests.accounts.test_guest_merge import made_by, merge, token_of
from tests.accounts.test_guests import guest_of
from tests.conftest import Running
from tests.support import factories
from tests.support.client import Api
from tests.support.factories import NOW, insert
from tests.support.integrity import make_admin

USERS = """
query($search: String, $first: Int, $after: String, $last: Int, $before: String) {
  admin { users(search: $search, first: $first, after: $after, last: $last, before: $before) {
    totalCount nodes { id email } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  } }
}"""
USER = "query($id: ID, $email: String) { admin { user(id: $id, email: $email) { id email name suspendedAt } } }"
GENERATIONS = """
query($first: Int, $after: String, $filter: GenerationFilter) {
  admin { generations(first: $first, after: $after, filter: $filter) {
    totalCount nodes { id providerCost providerRequestId owner { id email } } pageInfo { hasNextPage endCursor }
  } }
}"""
TRANSACTIONS = """
query($first: Int, $after: String, $last: Int, $before: String, $filter: TransactionFilter) {
  admin { transactions(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    totalCount nodes { id type amount user { id } generation { id } } edges { cursor }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  } }
}"""
AUDIT_LOG = """
query($first: Int, $after: String, $filter: AuditFilter) {
  admin { auditLog(first: $first, after: $after, filter: $filter) {
    nodes { id at action target detail actor { id email } } pageInfo { hasNextPage endCursor }
  } }
}"""
NODES = """
query($ids: [ID!]!) { nodes(ids: $ids) {
  __typename id
  ... on User { email billingPortalUrl }
  ... on Generation { owner { id } }
  ... on CreditTransaction { user { id } }
  ... on AuditEntry { action }
} }"""


async def search_emails(admin: Api, search: str | None = None) -> list[str]:
    """Return the addresses that a search finds and check its total count."""
    found = (await admin.one(USERS, search=search))["users"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["email"] for node in found["nodes"]]


async def insert_user(email: str, **more: Any) -> str:
    """Insert an account that cannot sign in and return its id."""
    return str((await insert("users", factories.user(email=email, **more)))["id"])


async def test_admin_finds_accounts_by_part_of_the_address_or_id_newest_first(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api, "root@darkroom.example")
    ada = await insert_user("ada.lovelace@example.com")
    await insert_user("bob_100%@example.com")
    await insert_user("bobx1000@example.com")
    deleted = await insert_user("deleted@example.com", deleted_at=NOW)
    all_emails = ["bobx1000@example.com", "bob_100%@example.com", "ada.lovelace@example.com", "root@darkroom.example"]
    all_emails.append(DEMO_EMAIL)  # every database has it
    assert await search_emails(admin) == await search_emails(admin, "  ") == all_emails
    assert await search_emails(admin, "LoveLace@EX") == ["ada.lovelace@example.com"]
    assert await search_emails(admin, "b_1") == await search_emails(admin, "0%") == ["bob_100%@example.com"]
    assert await search_emails(admin, "bob") == all_emails[:2]
    assert await search_emails(admin, ada) == ["ada.lovelace@example.com"]
    assert (
        await search_emails(admin, ada[:-3])
        == await search_emails(admin, deleted)
        == await search_emails(admin, "deleted")
        == []
    )
    for search in ("x" * 321, "a\x00b"):
        refused = await admin.refused(USERS, search=search)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["search"])


async def test_admin_finds_addresses_of_any_alphabet_ignoring_case(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api, "root@darkroom.example")
    for email in ("Bob.Öz@MÜNCHEN-test.de", "bob@example.com"):
        await idle_server.api.sign_up(email)
    for search in (
        "MÜNCHEN",
        "münchen-Test.DE",
        "Öz@MÜN",
        "ÖZ",
        "bob.öz@münchen-test.de",
        "xn--mnchen",
        "BOB.ö",
        "ÖZ@m",
    ):
        assert await search_emails(admin, search) == ["Bob.Öz@münchen-test.de"], search
    for search in ("Bob@MÜN", "b.öz@ünchen", "bob@münchen-test.de"):
        assert await search_emails(admin, search) == [], search


async def test_admin_pages_accounts_in_both_directions(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api, "admin@few.example")
    for number in range(4):
        await insert_user(f"{number}@few.example")
    first = (await admin.one(USERS, search="@few.example", first=2))["users"]
    assert [node["email"][0] for node in first["nodes"]] == ["3", "2"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (
        5,
        True,
        False,
    )
    second = (await admin.one(USERS, search="@few.example", first=3, after=first["pageInfo"]["endCursor"]))["users"]
    assert [node["email"][0] for node in second["nodes"]] == ["1", "0", "a"]
    assert second["pageInfo"]["hasNextPage"] is False
    back = (await admin.one(USERS, search="@few.example", last=1, before=second["edges"][1]["cursor"]))["users"]
    assert [node["email"][0] for node in back["nodes"]] == ["1"]
    assert back["pageInfo"]["hasPreviousPage"] is True
    assert (await admin.refused(USERS, first=101))["code"] == "INVALID_INPUT"
    assert (await admin.refused(USERS, after="nonsense"))["code"] == "INVALID_INPUT"


async def test_admin_finds_one_account_by_either_id_or_address(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    ada = await insert_user("ada@example.com", name="Ada", suspended_at=NOW)
    deleted = await insert_user("deleted@example.com", deleted_at=NOW)
    by_id = (await admin.one(USER, id=ada))["user"]
    assert (by_id["email"], by_id["name"]) == ("ada@example.com", "Ada")
    assert by_id["suspendedAt"] is not None
    assert (await admin.one(USER, email="Ada@Example.com"))["user"] == by_id
    assert (await admin.one(USER, id=deleted))["user"] == {
        "id": deleted,
        "email": None,
        "name": None,
        "suspendedAt": None,
    }
    unknown: list[dict[str, Any]] = [
        {"id": ids.new_id(ids.USER)}, {"id": "ada"}, {"id": ids.new_id(ids.GENERATION)},
        {"email": "deleted@example.com"}, {"email": "eve@example.com"}, {"email": "ada"},
        {"email": "a\x00@example.com"},
    ]  # fmt: skip
    for wanted in unknown:
        assert (await admin.one(USER, **wanted))["user"] is None, wanted
    neither: dict[str, Any] = {}
    for both in (neither, {"id": ada, "email": "ada@example.com"}):
        assert (await admin.refused(USER, **both))["code"] == "INVALID_INPUT"


async def test_admin_lists_all_generations_with_admin_fields(idle_server: Running) -> None:
    admin, ada, eve = (
        await make_admin(idle_server.api),
        await insert_user("ada@example.com"),
        await insert_user("eve@example.com"),
    )
    made = []
    for owner, status in ((ada, "FAILED"), (eve, "CANCELED"), (ada, "PENDING"), (eve, "FAILED")):
        ended = (
            {"completed_at": NOW, "provider_cost": 0.25, "provider_request_id": "req"} if status != "PENDING" else {}
        )
        if status == "FAILED":
            ended["error_code"] = "GENERATION_FAILED"
        row = factories.generation(owner, status=status, stage=status.replace("PENDING", "QUEUED"), **ended)
        made.append((await insert("generations", {**row, "search_text": f"a fox {owner}"}))["id"])
    await Generation.filter(id=made[3]).update(deleted_at=(await Generation.get(id=made[3])).created_at)
    first = (await admin.one(GENERATIONS, first=2))["generations"]
    assert [node["id"] for node in first["nodes"]] == [made[2], made[1]]
    assert first["totalCount"] == 3
    assert first["nodes"][1] == {
        "id": made[1],
        "providerCost": 0.25,
        "providerRequestId": "req",
        "owner": {"id": eve, "email": "eve@example.com"},
    }
    rest = (await admin.one(GENERATIONS, first=2, after=first["pageInfo"]["endCursor"]))["generations"]
    assert ([node["id"] for node in rest["nodes"]], rest["pageInfo"]["hasNextPage"]) == ([made[0]], False)
    for filter, expected in (
        ({"status": ["FAILED"]}, [made[0]]),
        ({"search": f"FOX {eve}"}, [made[1]]),
        ({"batchId": (await Generation.get(id=made[2])).batch_id}, [made[2]]),
        ({"styleId": ids.new_id(ids.STYLE)}, []),
        ({"isShared": True}, []),
        ({"isShared": False}, [made[2], made[1], made[0]]),
    ):
        found = (await admin.one(GENERATIONS, filter=filter))["generations"]
        assert [node["id"] for node in found["nodes"]] == expected, filter


async def test_admin_lists_the_ledger_of_all_accounts_newest_first(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    ada, eve = await idle_server.api.sign_up("ada@example.com"), await idle_server.api.sign_up("eve@example.com")
    (hers,) = (await ada.create(prompt="A fox"))["generations"]
    lines = (await admin.one(TRANSACTIONS))["transactions"]
    listed = [(node["type"], node["user"]["id"], node["generation"]) for node in lines["nodes"]]
    bonuses = [("BONUS", client.user["id"], None) for client in (eve, ada, admin)]
    demo = ("BONUS", (await User.get(email=DEMO_EMAIL)).id, None)
    assert listed == [("DEDUCTION", ada.user["id"], {"id": hers["id"]}), *bonuses, demo]
    assert lines["totalCount"] == 5
    page = (await admin.one(TRANSACTIONS, first=2, after=lines["edges"][0]["cursor"]))["transactions"]
    assert page["nodes"] == lines["nodes"][1:3]
    back = (await admin.one(TRANSACTIONS, last=1, before=page["pageInfo"]["startCursor"]))["transactions"]
    assert back["nodes"] == lines["nodes"][:1]
    spent = (await admin.one(TRANSACTIONS, filter={"type": ["DEDUCTION", "REFUND"]}))["transactions"]
    assert spent["nodes"] == lines["nodes"][:1]
    moment = "2026-01-01T00:00:00Z"
    assert (await admin.one(TRANSACTIONS, filter={"createdBefore": moment}))["transactions"]["nodes"] == []
    after = (await admin.one(TRANSACTIONS, filter={"createdAfter": moment}))["transactions"]
    assert after["nodes"] == lines["nodes"]


async def test_audit_log_lists_actor_action_and_target_newest_first(idle_server: Running) -> None:
    admin, ada = await make_admin(idle_server.api), await insert_user("ada@example.com")
    await audit_log.record(None, AdminAction.SET_ROLE, admin.user["id"], role="ADMIN")
    await audit_log.record(admin.user["id"], AdminAction.SET_MAINTENANCE, None, readOnly=True)
    await audit_log.record(admin.user["id"], AdminAction.SET_SUSPENDED, ada, reason="Spam", was=False)
    page = (await admin.one(AUDIT_LOG, first=2))["auditLog"]
    me = {"id": admin.user["id"], "email": "admin@example.com"}
    entries = [(node["action"], node["target"], node["detail"], node["actor"]) for node in page["nodes"]]
    assert entries == [
        ("SET_SUSPENDED", ada, {"reason": "Spam", "was": False}, me),
        ("SET_MAINTENANCE", None, {"readOnly": True}, me),
    ]
    rest = (await admin.one(AUDIT_LOG, first=2, after=page["pageInfo"]["endCursor"]))["auditLog"]
    (oldest,) = rest["nodes"]
    assert (oldest["action"], oldest["actor"], rest["pageInfo"]["hasNextPage"]) == ("SET_ROLE", None, False)


async def test_audit_log_of_an_account_has_what_was_done_to_it_and_its_generations(idle_server: Running) -> None:
    admin, ada, eve = (
        await make_admin(idle_server.api),
        await insert_user("ada@example.com"),
        await insert_user("e@e.e"),
    )
    by, hers = admin.user["id"], ids.new_id(ids.GENERATION)
    await audit_log.record(by, AdminAction.SET_SUSPENDED, ada, reason="Spam")
    await audit_log.record(by, AdminAction.SET_SUSPENDED, eve, reason="Spam")
    await audit_log.record(by, AdminAction.DELETE_GENERATION, hers, user=ada, reason="Spam")
    await audit_log.record(by, AdminAction.SET_MAINTENANCE, None, reason=None, after={"user": ada})

    async def targets(account: str | None, **page: Any) -> list[str | None]:
        found = (await admin.one(AUDIT_LOG, filter={"account": account}, **page))["auditLog"]
        return [node["target"] for node in found["nodes"]]

    assert await targets(ada) == [hers, ada]
    first = (await admin.one(AUDIT_LOG, filter={"account": ada}, first=1))["auditLog"]
    assert [node["target"] for node in first["nodes"]] == [hers]
    assert await targets(ada, after=first["pageInfo"]["endCursor"]) == [ada]
    assert await targets(eve) == [eve]
    assert await targets(hers) == await targets("x") == await targets(ids.new_id(ids.USER)) == []
    assert await targets(None) == [None, hers, eve, ada]
    assert (await admin.one(AUDIT_LOG, first=1))["auditLog"]["nodes"][0]["detail"] == {"after": {"user": ada}}


async def test_audit_log_of_an_account_has_what_was_done_to_its_guest(idle_server: Running) -> None:
    admin, ada, eve = (
        await make_admin(idle_server.api),
        await idle_server.api.sign_up("ada@example.com"),
        await idle_server.api.sign_up("eve@example.com"),
    )
    guest = await guest_of(idle_server.api)
    made = await made_by(idle_server, guest)
    refund = 'mutation($id: ID!) { adminRefundGeneration(id: $id, reason: "Blurred") { errors { code } } }'
    assert (await admin.one(refund, id=made))["errors"] == []
    by, guest_id = admin.user["id"], guest.user["id"]
    await audit_log.record(by, AdminAction.ADJUST_CREDITS, guest_id, reason="A gift")
    assert (await merge(ada, await token_of(guest)))["errors"] == []
    await audit_log.record(by, AdminAction.SET_SUSPENDED, ada.user["id"], reason="Spam")
    for account, expected in ((ada.user["id"], [ada.user["id"], guest_id, made]), (guest_id, [guest_id, made])):
        found = (await admin.one(AUDIT_LOG, filter={"account": account}))["auditLog"]["nodes"]
        assert [node["target"] for node in found] == expected
    assert (await admin.one(AUDIT_LOG, filter={"account": eve.user["id"]}))["auditLog"]["nodes"] == []


@pytest.mark.any_database
async def test_audit_entries_lead_to_the_account_generation_and_style(idle_server: Running) -> None:
    admin, ada = await make_admin(idle_server.api), await idle_server.api.sign_up(name="Ada")
    (made,) = (await ada.create(prompt="A fox"))["generations"]
    style = await ada.style("cute", "plushify")
    by, her = admin.user["id"], {"id": ada.user["id"], "email": "ada@example.com", "name": "Ada"}
    await audit_log.record(by, AdminAction.SET_SUSPENDED, ada.user["id"], reason="Spam")
    await audit_log.record(by, AdminAction.REFUND_GENERATION, made["id"], user=ada.user["id"], reason="Late")
    await audit_log.record(by, AdminAction.DELETE_GENERATION, ids.new_id(ids.GENERATION), user=ada.user["id"])
    await audit_log.record(by, AdminAction.UPDATE_STYLE, style, changed=["cost"])
    await audit_log.record(by, AdminAction.DELETE_STYLE, ids.new_id(ids.STYLE), slug="gone")
    await audit_log.record(by, AdminAction.SETTLE_PAYMENT, ids.new_id(ids.EXTERNAL_EVENT), user=ada.user["id"])
    await audit_log.record(by, AdminAction.SET_MAINTENANCE, None, readOnly=True)
    parts = "user { id email name } generation { id prompt } style { id slug }"
    found = await admin.one(f"{{ admin {{ auditLog(first: 7) {{ nodes {{ {parts} }} }} }} }}")
    nothing = {"user": None, "generation": None, "style": None}
    assert found["auditLog"]["nodes"] == [
        nothing,
        {**nothing, "user": her},
        nothing,
        {**nothing, "style": {"id": style, "slug": "cute"}},
        {**nothing, "user": her},
        {**nothing, "user": her, "generation": {"id": made["id"], "prompt": "A fox"}},
        {**nothing, "user": her},
    ]


@pytest.mark.any_database
async def test_admin_can_refetch_listed_nodes_by_id_and_other_users_cannot(idle_server: Running) -> None:
    admin, ada = await make_admin(idle_server.api), await idle_server.api.sign_up()
    eve = await idle_server.api.sign_up("eve@example.com")
    (hers,) = (await ada.create(prompt="A fox"))["generations"]
    (line,) = await rows("SELECT id FROM credit_transactions WHERE generation_id = $1", hers["id"])
    await ada.verify_address()
    await ada.execute('mutation { createApiKey(name: "script") { key } }')
    (key,) = (await ada.one("{ viewer { apiKeys { id } } }"))["apiKeys"]
    entry = await audit_log.record(admin.user["id"], AdminAction.GRANT_PASS, ada.user["id"])
    owner = {"id": ada.user["id"]}
    wanted = [ada.user["id"], hers["id"], line["id"], key["id"], entry.id]
    assert await admin.one(NODES, ids=wanted) == [
        {"__typename": "User", **owner, "email": "ada@example.com", "billingPortalUrl": None},
        {"__typename": "Generation", "id": hers["id"], "owner": owner},
        {"__typename": "CreditTransaction", "id": line["id"], "user": owner},
        {"__typename": "ApiKey", "id": key["id"]},
        {"__typename": "AuditEntry", "id": entry.id, "action": "GRANT_PASS"},
    ]
    missing = [ids.new_id(id.split("_")[0]) for id in wanted]
    await admin.verify_address()
    script = (await admin.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    for client, requested in ((admin, missing), (eve, wanted), (Api(ada.http, ada.address, script), wanted)):
        assert await client.one(NODES, ids=requested) == [None] * 5
    assert [node and node["id"] for node in await ada.one(NODES, ids=wanted)] == [*wanted[:4], None]


@pytest.mark.any_database
async def test_admin_queries_are_refused_to_users_api_keys_and_former_admins(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    await admin.verify_address()
    key = (await admin.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    query = "{ admin { users { nodes { id } } } }"
    for client, code in (
        (ada, "FORBIDDEN"),
        (Api(ada.http, ada.address, key), "FORBIDDEN"),
        (idle_server.api, "UNAUTHENTICATED"),
    ):
        body = (await client.raw(query)).json()
        assert body["data"] == {"admin": None}
        assert [error["extensions"]["code"] for error in body["errors"]] == [code]
    await User.filter(id=admin.user["id"]).update(role=Role.USER)
    assert (await admin.refused(query))["code"] == "FORBIDDEN"
