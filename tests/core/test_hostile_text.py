"""Texts that break databases are stored as they are or refused with an error code."""

import json
import time

from tests.support.client import Api

# On PostgreSQL, NUL and lone surrogates make the driver raise an error that otherwise means an outage.
TEXTS = ("\0", "\ud800", "a\x00b", "\x1b[31m", "' OR 1=1 --", "%_\\", "\u202e", "x" * 20_000, "")
ERRORS = "errors { code }"
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


async def test_accents_in_any_order_do_not_delay_other_requests(ada: Api) -> None:
    marks = "a" + "\u0301\u0327" * 20_000  # sorted in quadratic time they take three seconds
    for query in QUERIES:
        began = time.perf_counter()
        await ada.raw(query, text=marks)
        assert time.perf_counter() - began < 1.5, query
