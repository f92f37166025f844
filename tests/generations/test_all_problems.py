"""Everything that is wrong with a request is refused at once, and a quote has a price with what speaks against it."""

from typing import Any

from models.database.connection import rows
from tests.conftest import Running
from tests.support.client import photo

CREATE = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code field message } }
}"""
QUOTE = """
query($input: QuoteInput!) {
  quote(input: $input) {
    cost affordable balanceAfter
    errors { code field message ... on InsufficientCreditsError { required balance } }
  }
}"""
OLD_QUOTE = "query($input: QuoteInput!) { quote(input: $input) { cost } }"


async def test_request_is_refused_with_every_field_that_is_wrong(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    before = await ada.credits()
    wrong: dict[str, Any] = {
        "count": 99,
        "aspectRatio": "wide",
        "prompt": "x" * 100_000,
        "styleId": "nothing",
    }
    refused = await ada.one(CREATE, input=wrong)
    assert [(error["code"], error["field"]) for error in refused["errors"]] == [
        ("INVALID_INPUT", ["count"]),
        ("INVALID_INPUT", ["aspectRatio"]),
        ("INVALID_INPUT", ["prompt"]),
        ("NOT_FOUND", ["styleId"]),
    ]
    assert refused["generations"] == []
    refused = await ada.one(CREATE, input={"count": 99, "model": "nothing", "aspectRatio": "wide", "prompt": "A fox"})
    assert [error["field"] for error in refused["errors"]] == [["count"], ["aspectRatio"], ["model"]]
    style = await ada.style("cute", "plushify")  # needs a photo
    variables = {"nothing": "x", "other": "y"}
    refused = await ada.one(CREATE, input={"styleId": style, "count": 0, "variables": variables})
    assert [error["field"] for error in refused["errors"]] == [
        ["count"],
        ["image"],
        ["variables", "nothing"],
        ["variables", "other"],
    ]
    assert await ada.credits() == before
    made = await ada.create(photo(), styleId=style)
    assert made["errors"] == []


async def test_quote_has_a_price_together_with_what_speaks_against_it(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    style = await ada.style("noir", "avenger")
    await rows("UPDATE styles SET cost = 1000 WHERE id = $1 RETURNING id", style)
    one = (await ada.one(QUOTE, input={"styleId": style}))["cost"]
    found = await ada.one(QUOTE, input={"styleId": style, "count": 900, "aspectRatio": "9:1"})
    assert (found["cost"], found["affordable"]) == (900 * one, False)
    assert [(error["code"], error["field"]) for error in found["errors"]] == [
        ("INVALID_INPUT", ["count"]),
        ("INVALID_INPUT", ["aspectRatio"]),
        ("INSUFFICIENT_CREDITS", None),
    ]
    balance = await ada.credits()
    assert (found["errors"][2]["required"], found["errors"][2]["balance"]) == (900 * one, balance)
    assert found["balanceAfter"] == balance - 900 * one
    await rows("UPDATE styles SET members_only = TRUE WHERE id = $1 RETURNING id", style)
    locked = await ada.one(QUOTE, input={"styleId": style})
    assert locked["cost"] > 0
    assert locked["errors"][0] | {"message": ""} == {"code": "MEMBERSHIP_REQUIRED", "field": ["styleId"], "message": ""}
    body = (await ada.raw(OLD_QUOTE, input={"styleId": style})).json()
    assert (body["data"], body["errors"][0]["extensions"]["code"]) == ({"quote": None}, "MEMBERSHIP_REQUIRED")


async def test_quote_without_errors_selected_is_null_as_before(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    body = (await ada.raw(OLD_QUOTE, input={"count": 50})).json()
    assert body["data"] == {"quote": None}
    assert [error["extensions"]["field"] for error in body["errors"]] == [["count"]]
    poor = (await ada.raw(OLD_QUOTE, input={"count": 1})).json()
    assert poor["data"]["quote"]["cost"] > 0
    unknown = (await ada.raw(QUOTE, input={"styleId": "sty_nothing"})).json()
    assert unknown["data"] == {"quote": None}, "without a style there is no price"


async def test_forms_are_refused_with_every_field_that_is_wrong(idle_server: Running) -> None:
    api = idle_server.api
    sign_up = "mutation($input: SignUpInput!) { signUp(input: $input) { user { locale } errors { field } } }"
    wrong: dict[str, Any] = {"email": "no address", "password": "x", "name": "\x00", "locale": "!"}
    refused = await api.one(sign_up, input=wrong)
    assert [error["field"] for error in refused["errors"]] == [["email"], ["password"], ["name"], ["locale"]]
    ada = await api.sign_up(locale="fr-CA")
    assert (await ada.one("{ viewer { locale } }"))["locale"] is None, "a tag of another language is no choice"
    style = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { field } } }"
    fields: dict[str, Any] = {"title": "", "prompt": "x" * 100_000, "description": "\x00", "cost": None}
    refused = await ada.one(style, input=fields)
    assert [error["field"] for error in refused["errors"]] == [["description"], ["title"], ["prompt"]]
    variables = [{"name": "No", "label": ""}, {"name": "size", "label": "x"}]
    refused = await ada.one(style, input={"title": "Rain", "prompt": "Rain.", "variables": variables})
    found = {tuple(error["field"]) for error in refused["errors"]}
    assert found >= {("variables", "0", "name"), ("variables", "0", "label"), ("variables", "1", "name")}
    upload = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { id } errors { field } } }"
    refused = await ada.one(upload, input={"contentType": "text/html", "byteSize": 0, "idempotencyKey": ""})
    assert [error["field"] for error in refused["errors"]] == [["contentType"], ["byteSize"], ["idempotencyKey"]]


async def test_variables_of_a_style_are_accepted_with_types(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    style = await ada.style("noir", "avenger")
    query = "query($id: ID!) { node(id: $id) { ... on Style { variables { name options required default } } } }"
    variable = (await ada.one(query, id=style))["variables"][0]
    value = variable["options"][0] if variable["options"] else "red"
    needs_photo = photo()
    both = {variable["name"]: value}
    typed = [{"name": variable["name"], "value": value}]
    made = await ada.create(needs_photo, styleId=style, styleVariables=typed, idempotencyKey="once")
    assert made["errors"] == []
    assert made["generations"][0]["variables"][variable["name"]]
    again = await ada.create(needs_photo, styleId=style, variables=both, idempotencyKey="once")
    assert again["generations"][0]["id"] == made["generations"][0]["id"], "both forms are the same input"
    for wrong in ({"styleVariables": typed, "variables": both}, {"styleVariables": typed * 2}):
        refused = await ada.one(CREATE, input={"styleId": style, **wrong})
        assert [error["field"] for error in refused["errors"]] == [["styleVariables"]]


async def test_reference_image_is_accepted_in_exactly_one_form(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await ada.one(CREATE, {"input.reference.image": photo()}, input={"prompt": "A fox", "reference": {}})
    assert made["errors"] == []
    assert (await ada.generation(made["generations"][0]["id"]))["original"]
    announce = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { id } } }"
    upload = (await ada.one(announce, input={"contentType": "image/jpeg", "byteSize": 9}))["upload"]["id"]
    none = await ada.one(CREATE, input={"prompt": "A fox", "reference": {"uploadId": upload}})
    assert [error["field"] for error in none["errors"]] == [["uploadId"]], "nothing was sent there"
    both = await ada.one(CREATE, input={"prompt": "A fox", "uploadId": upload, "reference": {"uploadId": upload}})
    assert [error["field"] for error in both["errors"]] == [["reference"]]
    for wrong in ({}, {"image": None}, {"image": None, "uploadId": upload}):
        body = (await ada.raw(CREATE, input={"prompt": "A fox", "reference": wrong})).json()
        assert body["errors"][0]["extensions"]["code"] == "INVALID_INPUT"
