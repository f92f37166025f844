"""Filters of the catalogue: whole categories only, and accents in either form."""

import unicodedata
from typing import Any

from models import Style
from tests.conftest import Running
from tests.support.client import Api
from tests.support.custom_styles import QUOTE, RAIN, create, titles
from tests.support.integrity import make_admin

IMPORT = (
    "mutation($catalogue: JSON!) { adminImportCatalogue(catalogue: $catalogue, dryRun: false)"
    " { created updated errors { message field } } }"
)
CREATE = "mutation($input: CreateGenerationInput!) { createGeneration(input: $input) { errors { message field } } }"
NAME = "Café Zoë"  # in NFC
DRINK = {"name": "drink", "label": "Drink", "options": ["thé", "rosé"]}


def decomposed(value: Any) -> Any:
    """Return a text, or all texts in a list or object, with accents as characters of their own."""
    if isinstance(value, str):
        return unicodedata.normalize("NFD", value)
    if isinstance(value, list):
        return [decomposed(one) for one in value]
    return {key: decomposed(one) for key, one in value.items()} if isinstance(value, dict) else value


async def variables_problems(api: Api, style: str, drink: str) -> Any:
    refused = (await api.one(CREATE, input={"styleId": style, "variables": {"drink": drink}}))["errors"]
    return [error["field"] for error in refused]


async def test_category_is_neither_a_title_nor_a_description_nor_a_slug(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    noir = await Style.get(slug="noir")
    for text in ("noir", noir.title["zh"], noir.description["en"]):
        assert await titles(ada, search=text)
        assert await titles(ada, category=text) == [], text
    heroes = await titles(ada, category="Heroes")
    assert "Noir" in heroes
    assert await titles(ada, search="heroes") == heroes
    await create(ada, title="Night", category="By  night")
    for text in ("By night", " by   NIGHT "):
        assert await titles(ada, own=True, category=text) == ["Night"], text
    assert await titles(ada, own=True, category="Night") == await titles(ada, own=True, category="  ") == []


async def test_imported_texts_are_found_and_chosen_by_either_form_of_an_accent(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    style = {
        "slug": "cafe", "title": {"en": NAME}, "description": {"en": "Où l’été dure."}, "category": {"en": "Cafés"},
        "members_only": False, "reference_image": "OPTIONAL", "prompt": "A {drink}.",
        "variables": [{**DRINK, "label": {"en": "Drink"}, "options": ["thé", {"value": "b", "label": {"en": "rosé"}}]}],
    }  # fmt: skip
    collection = {
        "slug": "places", "title": {"en": "Cafés"}, "description": {}, "base_cost": 1, "refund_policy": "ON_FAILURE",
        "qualities": {"STANDARD": 1}, "sizes": {}, "styles": [style],
    }  # fmt: skip
    counts = await admin.one(IMPORT, catalogue={"collections": [decomposed(collection)]})
    assert (counts["created"], counts["errors"]) == (2, [])
    for form in ("NFC", "NFD"):
        for criteria in ({"search": "café été"}, {"category": "cafés"}):
            given = {name: unicodedata.normalize(form, text) for name, text in criteria.items()}
            assert await titles(ada, **given) == [NAME], (form, criteria)
        for drink in ("THÉ", "rosé"):
            given_drink = unicodedata.normalize(form, drink)
            assert await variables_problems(ada, await ada.style("cafe", "places"), given_drink) == [], (form, drink)
    again = await admin.one(IMPORT, catalogue={"collections": [collection]})
    assert (again["created"], again["updated"]) == (0, 0), "it is stored in one form"


async def test_options_of_a_custom_style_are_chosen_by_either_form_of_an_accent(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, **decomposed({**RAIN, "prompt": "A {drink}.", "variables": [{**DRINK, "default": "thé"}]}))
    assert made["variables"][0]["options"] == DRINK["options"]
    row = await Style.get(id=made["id"])
    stored = row.variables
    for variables in (stored, decomposed(stored)):  # the second: as the release before stored it
        await Style.filter(id=made["id"]).update(variables=variables)
        for form in ("NFC", "NFD"):
            drink = unicodedata.normalize(form, "Rosé")
            assert await variables_problems(ada, made["id"], drink) == [], form
    assert (await ada.one(QUOTE, input={"styleId": made["id"]}))["cost"] == 1
