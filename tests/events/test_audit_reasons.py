"""Every action of an admin has its reason in the audit log, also where the API can do without one."""

from typing import Any

import pytest

from models import AuditEntry, User
from models.enum import Role
from tests.conftest import Running
from tests.support.client import Api

WHY = "Ticket 4711: the customer asked for it."
OPERATIONS: dict[str, str] = {
    "SET_MEMBERSHIP": "adminSetMembership(userId: $id, isMember: true, reason: $reason) { errors { code field } }",
    "GRANT_PASS": 'adminGrantPass(userId: $id, plan: "flash", idempotencyKey: "a", reason: $reason)'
    " { errors { code field } }",
    "SET_ROLE": "adminSetRole(userId: $id, role: ADMIN, reason: $reason) { errors { code field } }",
    "SET_MAINTENANCE": "adminSetMaintenance(input: {readOnly: true}, reason: $reason) { errors { code field } }",
    "IMPORT_CATALOGUE": "adminImportCatalogue(catalogue: $catalogue, dryRun: false, reason: $reason)"
    " { errors { code field } }",
}


@pytest.mark.parametrize("action", OPERATIONS)
async def test_reason_of_an_action_is_recorded_and_optional(idle_server: Running, action: str) -> None:
    admin, ada = await idle_server.api.sign_up("root@example.com"), await idle_server.api.sign_up()
    await User.filter(id=admin.user["id"]).update(role=Role.SUPER_ADMIN)
    catalogue = (await admin.one("{ admin { catalogue } }"))["catalogue"]
    catalogue["collections"][0]["base_cost"] += 1
    given = {"id": ada.user["id"], "catalogue": catalogue}
    for wrong in ("x" * 501, "a\x00b"):
        assert await run(admin, action, given, wrong) == [{"code": "INVALID_INPUT", "field": ["reason"]}]
    assert await AuditEntry.all().count() == 0
    assert await run(admin, action, given, f" {WHY} ") == []
    assert await run(admin, action, given, "Another reason, and nothing to do.") == []
    (entry,) = await AuditEntry.all()
    assert (entry.action.value, entry.actor_id, entry.detail["reason"]) == (action, admin.user["id"], WHY)


@pytest.mark.any_database
async def test_action_without_a_reason_has_none(idle_server: Running) -> None:
    admin, ada = await idle_server.api.sign_up("root@example.com"), await idle_server.api.sign_up()
    await User.filter(id=admin.user["id"]).update(role=Role.SUPER_ADMIN)
    for reason in (None, " "):
        assert await run(admin, "GRANT_PASS", {"id": ada.user["id"]}, reason) == []
    (entry,) = await AuditEntry.all()
    assert entry.detail == {"plan": "flash", "hours": 6}


async def run(admin: Api, action: str, given: dict[str, Any], reason: str | None) -> Any:
    """Return the errors of the action."""
    operation = OPERATIONS[action]
    declared = ", ".join(
        f"${name}: {kind}" for name, kind in (("id", "ID!"), ("catalogue", "JSON!")) if f"${name}" in operation
    )
    used = {name: value for name, value in given.items() if f"${name}" in operation}
    document = f"mutation({declared}{', ' if declared else ''}$reason: String) {{ {operation} }}"
    return (await admin.one(document, **used, reason=reason))["errors"]
