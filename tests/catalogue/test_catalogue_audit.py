"""The audit log of the catalogue: changes with the state before and after, and no entry where nothing changed."""

from typing import Any

from models import AuditEntry, Style
from tests.conftest import Running
from tests.support.client import Api
from tests.support.integrity import make_admin

UPDATE = (
    "mutation($id: ID!, $input: UpdateStyleInput!)"
    " { updateStyle(id: $id, input: $input) { style { id title } errors { code message field } } }"
)
STYLE = "query($id: ID!) { node(id: $id) { ... on Style { title description category referenceImage } } }"
AUDIT = "{ admin { auditLog { nodes { action target detail } } } }"


async def update(admin: Api, id: str, **fields: Any) -> None:
    payload = await admin.one(UPDATE, id=id, input=fields)
    assert payload["errors"] == [], payload


async def test_update_of_the_catalogue_is_recorded_with_the_state_before_and_after(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    noir = await admin.style("noir", "avenger")
    row = await Style.get(id=noir)
    await update(admin, noir, title="Night", cost=7, membersOnly=row.members_only, prompt="A night.", variables=[])
    ((entry),) = (await admin.one(AUDIT))["auditLog"]["nodes"]
    assert (entry["action"], entry["target"]) == ("UPDATE_STYLE", noir)
    before: dict[str, Any] = {"cost": row.cost, "prompt": row.prompt, "title": row.title}
    after: dict[str, Any] = {"cost": 7, "prompt": "A night.", "title": {**row.title, "en": "Night"}}
    if row.prompt_without_photo is not None:
        before, after = (
            before | {"prompt_without_photo": row.prompt_without_photo},
            after | {"prompt_without_photo": None},
        )
    if row.variables:
        before, after = before | {"variables": row.variables}, after | {"variables": []}
    assert entry["detail"] == {"changed": sorted(before), "before": before, "after": after}
    await admin.one("mutation($id: ID!) { deleteStyle(id: $id) { deletedIds } }", id=noir)
    deletion = await AuditEntry.get(action="DELETE_STYLE")
    assert deletion.detail["slug"] == "noir"
    assert after.items() <= deletion.detail["before"].items()


async def test_update_to_the_present_values_changes_and_records_nothing(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    noir = await admin.style("noir", "avenger")
    row = await Style.get(id=noir)
    same = await admin.one(STYLE, id=noir)
    await update(admin, noir)
    await update(
        admin, noir, title=f" {same['title']} ", description=same["description"], category=same["category"],
        membersOnly=row.members_only, cost=row.cost, referenceImage=same["referenceImage"],
    )  # fmt: skip
    unchanged = await Style.get(id=noir)
    assert (unchanged.edited, unchanged.updated_at) == (False, row.updated_at)
    assert await AuditEntry.all().count() == 0
    await Style.filter(id=noir).update(prompt="An older version of the profile.")
    await idle_server.services.catalogue.styles.seed()
    assert (await Style.get(id=noir)).prompt == row.prompt, "the next start still updates it from the profile"
