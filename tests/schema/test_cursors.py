"""Cursors belong to one list: a cursor of another one is refused, and never an empty or a first page."""

import base64

import pytest

from models import User, ids
from tests.conftest import Running
from tests.support.client import Api
from tests.support.fakes.webhook_receiver import CREATE_ENDPOINT
from tests.support.integrity import make_admin
from tests.support.named_lists import new_album

EVENTS = ["GENERATION_COMPLETED"]
pytestmark = pytest.mark.any_database

# Each with the beginning of its cursors, up to the prefix of the ID.
LISTS = {
    "admin { users(%s) { nodes { id } } }": ids.USER,
    "admin { generations(%s) { nodes { id } } }": f"NEWEST {ids.GENERATION}",
    "admin { transactions(%s) { nodes { id } } }": ids.TRANSACTION,
    "admin { auditLog(%s) { nodes { id } } }": ids.AUDIT_ENTRY,
    "admin { paymentReviews(%s) { nodes { id } } }": ids.EXTERNAL_EVENT,
    "styles(%s) { nodes { id } }": f"1 {ids.STYLE}",
    "styles(filter: {own: true}, %s) { nodes { id } }": ids.STYLE,
    "viewer { generations(%s) { nodes { id } } }": f"NEWEST {ids.GENERATION}",
    "viewer { generations(orderBy: FAVORITES_FIRST, %s) { nodes { id } } }": f"FAVORITES_FIRST 1 {ids.GENERATION}",
    "viewer { albums(%s) { nodes { id } } }": f"1 {ids.ALBUM}",
    "viewer { albums { nodes { generations(%s) { nodes { id } } } } }": f"NEWEST {ids.GENERATION}",
    "viewer { generations { nodes { children(%s) { nodes { id } } } } }": f"NEWEST {ids.GENERATION}",
    "viewer { generations { nodes { chain(%s) { nodes { id } } } } }": f"CHAIN {ids.GENERATION}",
    "webhookEndpoints { deliveries(%s) { nodes { id } } }": ids.WEBHOOK_DELIVERY,
}


async def codes(api: Api, field: str, argument: str, beginning: str) -> list[tuple[str, str]]:
    """Return the errors of a list from this cursor on, each with its message."""
    order, _, prefix = beginning.rpartition(" ")
    key = f"{order} {ids.new_id(prefix)}".lstrip()
    cursor = base64.urlsafe_b64encode(key.encode()).decode()
    body = (await api.raw("{ %s }" % (field % f'{argument}: "{cursor}"'))).json()
    return [(error["extensions"]["code"], error["message"]) for error in body.get("errors", ())]


async def test_cursor_of_another_list_is_refused(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    (generation,) = (await admin.create(prompt="x"))["generations"]
    await new_album(admin, "Foxes", [generation["id"]])
    await User.filter(id=admin.user["id"]).update(email_verified=True)
    made = await admin.one(CREATE_ENDPOINT, input={"url": "https://hooks.example.com/", "events": EVENTS})
    assert made["errors"] == []
    for field, own in LISTS.items():
        order = own.rpartition(" ")[0]
        others = {*LISTS.values(), *(f"{order} {each.split(' ')[-1]}".lstrip() for each in LISTS.values())} - {own}
        for argument in ("after", "before"):
            assert await codes(admin, field, argument, own) == [], field
            for other in sorted(others):
                found = await codes(admin, field, argument, other)
                assert found == [("INVALID_INPUT", "This is not a cursor of this list.")], (field, other)
