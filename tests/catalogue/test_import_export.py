"""Export and import of the catalogue: round trip, validation, all or nothing, and seeding afterwards."""

import copy
from typing import Any

import pytest

from models import AuditEntry, Collection, Generation, Style
from tests.conftest import Running
from tests.support.client import Api
from tests.support.integrity import make_admin

EXPORT = "{ admin { catalogue } }"
IMPORT = (
    "mutation($catalogue: JSON!, $dryRun: Boolean) { adminImportCatalogue(catalogue: $catalogue, dryRun: $dryRun)"
    " { created updated unchanged errors { code message field } } }"
)
SEASONS: dict[str, Any] = {
    "slug": "seasons",
    "title": {"en": "Seasons"},
    "description": {},
    "base_cost": 7,
    "refund_policy": "ON_FAILURE",
    "qualities": {"STANDARD": 1},
    "sizes": {},
    "styles": [
        {
            "slug": "autumn",
            "title": {"en": "Autumn", "zh": "秋"},
            "description": {"en": "Leaves."},
            "members_only": False,
            "reference_image": "OPTIONAL",
            "prompt": "Leaves in {colour}.\nMany.",
            "variables": [{"name": "colour", "label": {"en": "Colour"}, "options": ["red", "gold"]}],
        }
    ],
}


async def export(admin: Api) -> Any:
    return (await admin.one(EXPORT))["catalogue"]


async def import_(admin: Api, catalogue: Any, **more: Any) -> tuple[int, int, int]:
    counts = await admin.one(IMPORT, catalogue=catalogue, **more)
    assert counts["errors"] == [], counts
    return counts["created"], counts["updated"], counts["unchanged"]


async def problems(admin: Api, catalogue: Any) -> dict[str, str]:
    made = await admin.one(IMPORT, catalogue=catalogue, dryRun=False)
    assert (made["created"], made["updated"], {error["code"] for error in made["errors"]}) == (0, 0, {"INVALID_INPUT"})
    return {".".join(error["field"][1:]): error["message"] for error in made["errors"]}


async def test_import_of_an_export_changes_nothing_and_differences_are_applied_at_once(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    create_style = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { message } } }"
    added = await admin.one(
        create_style, input={"title": "Vault", "prompt": "A vault.\n\nOf gold.", "collection": "scenes"}
    )
    await ada.one(create_style, input={"title": "Mine", "prompt": "Mine."})
    whole = await export(admin)
    count = await Collection.filter(is_active=True).count()
    count += await Style.filter(is_active=True, owner_id__isnull=True).count()
    assert await import_(admin, whole, dryRun=False) == (0, 0, count)
    assert "Mine" not in str(whole)
    assert await export(admin) == whole

    (generation,) = (await ada.create(prompt="x", styleId=await ada.style("free", "sandbox")))["generations"]
    before = await Generation.get(id=generation["id"])
    changed = copy.deepcopy(whole)
    sandbox = next(entry for entry in changed["collections"] if entry["slug"] == "sandbox")
    free = next(style for style in sandbox["styles"] if style["slug"] == "free")
    sandbox["base_cost"], free["title"] = 77, {"en": "Free as a bird"}
    partial = {"collections": [{**sandbox, "styles": [free]}, SEASONS]}
    assert await import_(admin, partial) == (2, 2, 0), "a dry run is the default"
    assert await export(admin) == whole
    assert await import_(admin, partial, dryRun=False) == (2, 2, 0)
    assert await import_(admin, partial, dryRun=False) == (0, 0, 4)
    after = await Generation.get(id=generation["id"])
    assert (after.style_title, after.cost, after.full_prompt) == (before.style_title, before.cost, before.full_prompt)
    now = await export(admin)
    assert [entry["slug"] for entry in now["collections"]] == [e["slug"] for e in whole["collections"]] + ["seasons"]
    assert now["collections"][-1]["styles"][0]["prompt"] == "Leaves in {colour}.\nMany.", "line breaks are kept"
    quote = "query($id: ID!) { quote(input: {styleId: $id}) { cost } }"
    assert (await ada.one(quote, id=await ada.style("free", "sandbox")))["cost"] == 77

    noir = await ada.style("noir", "avenger")
    await admin.one("mutation($id: ID!) { deleteStyle(id: $id) { deletedIds } }", id=noir)
    await admin.one(
        "mutation($id: ID!) { updateStyle(id: $id, input: {cost: 3}) { style { id } } }", id=added["style"]["id"]
    )
    edited = await export(admin)
    await idle_server.services.catalogue.styles.seed()
    assert await export(admin) == edited, "seeding leaves rows that admins edited unchanged"
    entries = await AuditEntry.all().order_by("id")
    assert [(entry.action.value, entry.target) for entry in entries] == [
        ("CREATE_STYLE", added["style"]["id"]),
        ("IMPORT_CATALOGUE", None),
        ("DELETE_STYLE", noir),
        ("UPDATE_STYLE", added["style"]["id"]),
    ]
    assert entries[1].detail == {
        "created": 2, "added": ["seasons", "seasons/autumn"],
        "updated": 2, "changed": {"sandbox": ["base_cost"], "sandbox/free": ["title"]},
    }  # fmt: skip


async def test_audit_log_names_what_an_import_changed_up_to_a_limit(idle_server: Running) -> None:
    admin = await make_admin(idle_server.api)
    style = SEASONS["styles"][0]
    many = {**SEASONS, "styles": [{**style, "slug": f"s{number}"} for number in range(150)]}
    assert await import_(admin, {"collections": [many]}, dryRun=False) == (151, 0, 0)
    dearer = {**many, "styles": [{**each, "cost": 9, "category": {}} for each in many["styles"]]}
    assert await import_(admin, {"collections": [dearer]}, dryRun=False) == (0, 150, 1)
    noir = await admin.style("s7", "seasons")
    await admin.one("mutation($id: ID!) { deleteStyle(id: $id) { deletedIds } }", id=noir)
    assert await import_(admin, {"collections": [dearer]}, dryRun=False) == (0, 1, 150)
    first, second, deletion, again = await AuditEntry.all().order_by("id")
    assert (first.detail["created"], first.detail["added"][:2]) == (151, ["seasons", "seasons/s0"])
    assert (len(first.detail["added"]), first.detail["changed"]) == (100, {})
    assert (second.detail["updated"], second.detail["added"]) == (150, [])
    assert second.detail["changed"] == {f"seasons/s{number}": ["cost"] for number in range(100)}
    assert (deletion.detail["slug"], deletion.detail["before"]["cost"]) == ("s7", 9)
    assert again.detail["changed"] == {"seasons/s7": ["is_active"]}


@pytest.mark.any_database
async def test_invalid_import_reports_all_problems_and_changes_nothing(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    whole, style = await export(admin), SEASONS["styles"][0]
    found = await problems(
        admin,
        {
            "collections": [
                {**SEASONS, "base_cost": 0, "refund_policy": "PERHAPS", "colour": 1},
                {**SEASONS, "slug": "Not a slug", "styles": [{**style, "title": 7}, {"slug": "x"}]},
            ]
        },
    )
    assert {"collections.0.base_cost", "collections.0.refund_policy", "collections.0.colour"} <= found.keys()
    assert found["collections.1.styles.1.prompt"] == "This is missing."
    assert {"collections.1.slug", "collections.1.styles.0.title"} <= found.keys()
    found = await problems(
        admin,
        {
            "collections": [
                {
                    **SEASONS,
                    "qualities": {"HD": 2},
                    "title": {"fr": "Saisons"},
                    "styles": [style, {**style, "prompt": "No { brace, no \x00"}, {**style, "slug": "own-x"}],
                },
                SEASONS,
            ]
        },
    )
    assert found.keys() == {
        "collections.1.slug",
        "collections.0.qualities.STANDARD",
        "collections.0.title.fr",
        "collections.0.styles.1.slug",
        "collections.0.styles.1.prompt",
        "collections.0.styles.2.slug",
    }
    best: dict[str, Any] = {"collections": [SEASONS | {"qualities": {"BEST": 1}}]}
    malformed: list[Any] = [[], "x", 7, {}, {"collections": {}}, best]
    for document in malformed:
        assert await problems(admin, document)
    assert await export(admin) == whole
    for client, code in ((idle_server.api, "UNAUTHENTICATED"), (ada, "FORBIDDEN")):
        assert (await client.refused(IMPORT, catalogue={"collections": []}))["code"] == code
        assert (await client.refused(EXPORT))["code"] == code
