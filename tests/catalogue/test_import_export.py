"""The catalogue as a whole: what is written out can be read in again, all or nothing, and a start leaves it alone."""

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


async def exported(admin: Api) -> Any:
    return (await admin.one(EXPORT))["catalogue"]


async def take(admin: Api, catalogue: Any, **more: Any) -> tuple[int, int, int]:
    made = await admin.one(IMPORT, catalogue=catalogue, **more)
    assert made["errors"] == [], made
    return made["created"], made["updated"], made["unchanged"]


async def problems(admin: Api, catalogue: Any) -> dict[str, str]:
    made = await admin.one(IMPORT, catalogue=catalogue, dryRun=False)
    assert (made["created"], made["updated"], {error["code"] for error in made["errors"]}) == (0, 0, {"INVALID_INPUT"})
    return {".".join(error["field"][1:]): error["message"] for error in made["errors"]}


async def test_what_is_written_out_is_read_in_unchanged_and_what_differs_is_taken_at_once(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    make = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { message } } }"
    added = await admin.one(make, input={"title": "Vault", "prompt": "A vault.\n\nOf gold.", "collection": "scenes"})
    await ada.one(make, input={"title": "Mine", "prompt": "Mine."})
    whole = await exported(admin)
    count = await Collection.filter(is_active=True).count()
    count += await Style.filter(is_active=True, owner_id__isnull=True).count()
    assert await take(admin, whole, dryRun=False) == (0, 0, count)
    assert "Mine" not in str(whole)
    assert await exported(admin) == whole

    (generation,) = (await ada.create(prompt="x", styleId=await ada.style("free", "sandbox")))["generations"]
    before = await Generation.get(id=generation["id"])
    changed = copy.deepcopy(whole)
    sandbox = next(entry for entry in changed["collections"] if entry["slug"] == "sandbox")
    free = next(style for style in sandbox["styles"] if style["slug"] == "free")
    sandbox["base_cost"], free["title"] = 77, {"en": "Free as a bird"}
    partial = {"collections": [{**sandbox, "styles": [free]}, SEASONS]}
    assert await take(admin, partial) == (2, 2, 0), "a dry run is what is left out"
    assert await exported(admin) == whole
    assert await take(admin, partial, dryRun=False) == (2, 2, 0)
    assert await take(admin, partial, dryRun=False) == (0, 0, 4)
    after = await Generation.get(id=generation["id"])
    assert (after.style_title, after.cost, after.full_prompt) == (before.style_title, before.cost, before.full_prompt)
    now = await exported(admin)
    assert [entry["slug"] for entry in now["collections"]] == [e["slug"] for e in whole["collections"]] + ["seasons"]
    assert now["collections"][-1]["styles"][0]["prompt"] == "Leaves in {colour}.\nMany.", "line by line"
    quote = "query($id: ID!) { quote(input: {styleId: $id}) { cost } }"
    assert (await ada.one(quote, id=await ada.style("free", "sandbox")))["cost"] == 77

    noir = await ada.style("noir", "avenger")
    await admin.one("mutation($id: ID!) { deleteStyle(id: $id) { deletedIds } }", id=noir)
    await admin.one(
        "mutation($id: ID!) { updateStyle(id: $id, input: {cost: 3}) { style { id } } }", id=added["style"]["id"]
    )
    settled = await exported(admin)
    await idle_server.services.catalogue.styles.seed()
    assert await exported(admin) == settled, "the profile has no say in what admins did"
    acts = await AuditEntry.all().order_by("id")
    assert [(act.action.value, act.target) for act in acts] == [
        ("CREATE_STYLE", added["style"]["id"]),
        ("IMPORT_CATALOGUE", None),
        ("DELETE_STYLE", noir),
        ("UPDATE_STYLE", added["style"]["id"]),
    ]
    assert acts[1].detail == {"created": 2, "updated": 2}


@pytest.mark.any_database
async def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_changed(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up("ada@example.com"), await make_admin(idle_server.api)
    whole, style = await exported(admin), SEASONS["styles"][0]
    told = await problems(
        admin,
        {
            "collections": [
                {**SEASONS, "base_cost": 0, "refund_policy": "PERHAPS", "colour": 1},
                {**SEASONS, "slug": "Not a slug", "styles": [{**style, "title": 7}, {"slug": "x"}]},
            ]
        },
    )
    assert {"collections.0.base_cost", "collections.0.refund_policy", "collections.0.colour"} <= told.keys()
    assert told["collections.1.styles.1.prompt"] == "This is missing."
    assert {"collections.1.slug", "collections.1.styles.0.title"} <= told.keys()
    told = await problems(
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
    assert told.keys() == {
        "collections.1.slug",
        "collections.0.qualities.STANDARD",
        "collections.0.title.fr",
        "collections.0.styles.1.slug",
        "collections.0.styles.1.prompt",
        "collections.0.styles.2.slug",
    }
    best: dict[str, Any] = {"collections": [SEASONS | {"qualities": {"BEST": 1}}]}
    nothings: list[Any] = [[], "x", 7, {}, {"collections": {}}, best]
    for nothing in nothings:
        assert await problems(admin, nothing)
    assert await exported(admin) == whole
    for person, code in ((idle_server.api, "UNAUTHENTICATED"), (ada, "FORBIDDEN")):
        assert (await person.refused(IMPORT, catalogue={"collections": []}))["code"] == code
        assert (await person.refused(EXPORT))["code"] == code
