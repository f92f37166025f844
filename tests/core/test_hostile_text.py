"""Texts that break databases are stored as they are or refused with an error code."""

import json

from tests.support.client import Api
from tests.support.named_lists import ADD_TAGS, CREATE_ALBUM, RENAME_TAG, tag_ids

# On PostgreSQL, NUL and lone surrogates make the driver raise an error that otherwise means an outage.
TEXTS = ("\0", "\ud800", "a\x00b", "\x1b[31m", "' OR 1=1 --", "%_\\", "\u202e", "x" * 20_000, "")
ERRORS = "errors { code }"
CREATE_PROMPT = "mutation($prompt: String!) { createGeneration(input: {prompt: $prompt}) { errors { code field } } }"
CREATE_KEY = "mutation($name: String!) { createApiKey(name: $name) { errors { code field } } }"
SET_NAME = "mutation($name: String) { updateProfile(input: {name: $name}) { user { name } errors { code } } }"
QUERIES = [
    "query($text: String!) { style(slug: $text) { id } }",
    "query($text: String!) { style(slug: $text, collection: $text) { id } }",
    "query($text: String!) { styles(filter: {search: $text}) { totalCount nodes { id } } }",
    "query($text: String!) { styles(filter: {category: $text}) { nodes { id } } }",
    "query($text: String!) { styles(filter: {collection: $text}) { nodes { id } } }",
    "query($text: String!) { styles(after: $text) { nodes { id } } }",
    "query($text: ID!) { node(id: $text) { id } nodes(ids: [$text]) { id } }",
    "query($text: ID!) { quote(input: {styleId: $text}) { cost } }",
    "query($text: String!) { quote(input: {model: $text}) { cost } }",
    "query($text: ID!) { viewer { generation(id: $text) { id } } }",
    "query($text: String!) { viewer { generations(filter: {collection: $text}) { nodes { id } } } }",
    "query($text: ID!) { viewer { generations(filter: {styleId: $text, batchId: $text}) { nodes { id } } } }",
    "query($text: String!) { viewer { transactions(before: $text) { nodes { id } } } }",
    f"mutation($text: ID!) {{ cancelGeneration(id: $text) {{ {ERRORS} }} }}",
    f"mutation($text: String!) {{ signIn(input: {{email: $text, password: $text}}) {{ {ERRORS} }} }}",
    f'mutation($text: String!) {{ signIn(input: {{email: "ada@example.com", password: $text}}) {{ {ERRORS} }} }}',
    f"mutation($text: String!) {{ signUp(input: {{email: $text, password: $text}}) {{ {ERRORS} }} }}",
    f"mutation($text: String!) {{ updateProfile(input: {{name: $text}}) {{ {ERRORS} }} }}",
    f"mutation($text: String!) {{ updateProfile(input: {{locale: $text}}) {{ {ERRORS} }} }}",
    f'mutation($text: String!) {{ changePassword(input: {{current: $text, new: "long enough"}}) {{ {ERRORS} }} }}',
    f'mutation($text: String!) {{ changePassword(input: {{current: "x", new: $text}}) {{ {ERRORS} }} }}',
    f"mutation($text: String!) {{ createGeneration(input: {{prompt: $text}}) {{ {ERRORS} }} }}",
    f'mutation($text: String!) {{ createGeneration(input: {{prompt: "x", model: $text}}) {{ {ERRORS} }} }}',
    f'mutation($text: String!) {{ createGeneration(input: {{prompt: "x", aspectRatio: $text}}) {{ {ERRORS} }} }}',
    f'mutation($text: String!) {{ createGeneration(input: {{prompt: "x", idempotencyKey: $text}}) {{ {ERRORS} }} }}',
    f"mutation($text: ID!) {{ createGeneration(input: {{styleId: $text}}) {{ {ERRORS} }} }}",
    f'mutation($text: JSON!) {{ createGeneration(input: {{prompt: "x", variables: {{v: $text}}}}) {{ {ERRORS} }} }}',
]


async def test_hostile_text_in_any_argument_gives_an_error_code(ada: Api) -> None:
    for query in QUERIES:
        for text in TEXTS:
            body = json.dumps({"query": query, "variables": {"text": text}})
            response = await ada.http.post(
                "/graphql", content=body, headers=ada.headers(**{"content-type": "application/json"})
            )
            codes = {error["extensions"]["code"] for error in response.json().get("errors", ())}
            assert codes <= {"INVALID_INPUT", "NOT_FOUND"}, (query, text[:20], response.text)


# Characters of no width, fillers of Hangul and a pattern without dots; and what has some of them where they are needed.
BLANK = ("", " \u00a0\u3000", "\u200b", "\u2060", "\u3164", "\uffa0 \u200d", "\ufe0f", "\u2800", "\u3164" * 200)
SEEN = (
    "\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645",
    "\u0915\u094d\u200d\u0937",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u2764\ufe0f",
    "\u06dd",
)


async def test_name_of_nothing_visible_is_none(ada: Api) -> None:
    await ada.verify_address()
    (made,) = (await ada.create(prompt="A fox"))["generations"]
    await ada.one(ADD_TAGS, ids=[made["id"]], tags=["red"])
    tag = (await tag_ids(ada))["red"]
    for text in BLANK:
        for document, variables, field in (
            (CREATE_ALBUM, {"name": text}, ["name"]),
            (ADD_TAGS, {"ids": [made["id"]], "tags": [text]}, ["tags", "0"]),
            (RENAME_TAG, {"id": tag, "name": text}, ["name"]),
            (CREATE_PROMPT, {"prompt": text}, ["styleId"]),
            (CREATE_KEY, {"name": text}, ["name"]),
        ):
            refusal = await ada.refused(document, **variables)
            assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", field), (document, text)
        assert (await ada.one(SET_NAME, name=text))["user"] == {"name": None}
    for text in SEEN:
        assert (await ada.one(CREATE_ALBUM, name=text))["album"]["name"] == text
        assert (await ada.one(RENAME_TAG, id=tag, name=text))["tag"]["name"] == text
        assert (await ada.one(SET_NAME, name=text))["user"] == {"name": text}
