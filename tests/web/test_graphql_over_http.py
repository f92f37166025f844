"""GraphQL over HTTP: content types and status codes, malformed bodies, and the content of errors."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from models.database.connection import rows
from tests.conftest import Running
from tests.support.client import SIGN_UP, Api, photo

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
MIB = 2**20

PARSE_ERROR = {"query": "{"}
VALIDATION_ERROR = {"query": "{ nothing }"}
VARIABLE_ERROR = {"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": {}}}
VALID = {"query": "{ __typename }"}
INVALID = pytest.mark.parametrize("body", [PARSE_ERROR, VALIDATION_ERROR, VARIABLE_ERROR])


@pytest.fixture
def api(module_server: Running) -> Api:
    return module_server.api


async def post(api: Api, body: Any, accept: str = JSON) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await api.http.post("/graphql", content=content, headers={"content-type": JSON, "accept": accept})


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (JSON, JSON),
        (RESPONSE_JSON, RESPONSE_JSON),
        ("*/*", JSON),
        (f"{RESPONSE_JSON}, {JSON};q=0.9", RESPONSE_JSON),
        (f"{JSON};q=0.5, {RESPONSE_JSON};q=0.9", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0.1, */*", JSON),
        (f"{RESPONSE_JSON};q=0, {JSON}", JSON),
        (f"{RESPONSE_JSON};q=bad, application/*;q=0.2", JSON),
        ("text/html", JSON),  # no acceptable type: the default
    ],
)
async def test_response_has_the_preferred_media_type(api: Api, accept: str, expected: str) -> None:
    response = await post(api, VALID, accept)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{expected}; charset=utf-8"
    assert response.json() == {"data": {"__typename": "Query"}}


@INVALID
async def test_invalid_document_is_400_without_data_in_the_graphql_media_type(api: Api, body: dict[str, Any]) -> None:
    response = await post(api, body, RESPONSE_JSON)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith(RESPONSE_JSON)
    assert "data" not in response.json()
    assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"INVALID_INPUT"}


@INVALID
async def test_invalid_document_is_200_in_plain_json(api: Api, body: dict[str, Any]) -> None:
    response = await post(api, body)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(JSON)
    assert response.json()["errors"]


async def test_execution_error_is_200_with_data_in_the_graphql_media_type(api: Api) -> None:
    response = await post(api, {"query": "mutation { signOut { sessionsEnded } }"}, RESPONSE_JSON)
    assert response.status_code == 200
    assert "data" in response.json()
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "{__typename}", "operationName": "\\ud800"}',
        b"null", b"1", b'"x"', b"true", b"[]", b"[1]", b"{}", b"", b"{", b"\xff\xfe{}", b'{"query": "\xc3("}',
        b'{"query": null}', b'{"query": {}}', b'{"query": 1}', b'{"query": ""}',
        b'{"query": "{__typename}", "variables": [1]}',
        b'{"query": "{__typename}", "variables": "x"}', b'{"query": "{__typename}", "operationName": {}}',
        b'{"query": "{__typename}", "operationName": "Missing"}', b'{"query": "{__typename}", "extensions": 1}',
        b'{"query": "fragment F on Query { __typename }"}', b'{"query": "{__typename}", "variables": {"x": NaN}}',
        b'{"query": "{__typename}", "variables": {"x": -Infinity}}',
        b'[{"query": "{__typename}"}]',
        b"[" * 50_000, b'{"a":' * 10_000,
        b'{"query": "{__typename}", "variables": {"x": ' + b"9" * 20_000 + b"}}",
    ],
    ids=lambda body: body[:32].decode(errors="replace"),
)  # fmt: skip
async def test_malformed_body_is_refused_with_a_graphql_error(api: Api, body: bytes) -> None:
    for accept in (JSON, RESPONSE_JSON):
        response = await post(api, body, accept)
        assert 400 <= response.status_code < 500
        assert response.headers["content-type"].startswith(accept)
        (error,) = response.json()["errors"]
        assert error["extensions"] == {"code": "INVALID_INPUT"}
        assert "data" not in response.json()


@pytest.mark.parametrize(
    "query",
    [
        "{ styles(first: " + "9" * 20_000 + ") { totalCount } }",
        '{ style(slug: "' + "a" * 50_000 + '") { id } }',
        '{ style(slug: "\\ud800") { id } }',
        '{ style(slug: "\\u0000") { id } }',
        "{ styles(first: 2147483648) { totalCount } }",
        "{ styles(first: 1e400) { totalCount } }",
        "{ styles(first: -1) { totalCount } }",
        "{ styles(first: 1000000000) { totalCount } }",
        '{ styles(after: "AAAA") { totalCount } }',
        '{ node(id: "\\u0000") { id } }',
        'query($s: String!) { style(slug: $s, collection: $s) { id } }',
    ],
    ids=lambda query: query[:48],
)  # fmt: skip
async def test_hostile_values_do_not_cause_internal_errors(api: Api, query: str) -> None:
    for text in ("\0", "\ud800", 'x"}\n'):
        response = await post(api, {"query": query, "variables": {"s": text} if "$s" in query else {}})
        assert response.status_code == 200
        codes = {error["extensions"]["code"] for error in response.json().get("errors", ())}
        assert codes <= {"INVALID_INPUT", "NOT_FOUND"}


async def test_error_message_truncates_the_quoted_input(api: Api) -> None:
    response = await post(api, {"query": '{ styles(first: "' + "a" * 50_000 + '") { totalCount } }'})
    assert len(response.content) < 2_000


async def test_too_large_body_is_413(api: Api) -> None:
    response = await post(api, {"query": "{ __typename }" + " " * 100 * 1024})
    assert response.status_code == 413
    assert response.json()["errors"][0] == {
        "message": "The request is too large: it can have up to 100 KiB.",
        "extensions": {"code": "INVALID_INPUT"},
    }


async def test_chunked_body_is_limited_while_it_streams(api: Api) -> None:
    async def endless() -> Any:
        for _ in range(1000):
            yield b" " * 1024

    response = await api.http.post("/graphql", content=endless(), headers={"content-type": JSON})
    assert response.status_code == 413


async def test_too_large_upload_is_413_with_a_translated_message(api: Api) -> None:
    ada = await api.sign_up("large@example.com")
    response = await ada.raw(
        "mutation($input: CreateGenerationInput!) { createGeneration(input: $input) { errors { code } } }",
        {"input.image": photo() + b"\0" * 11 * MIB},
        {"accept-language": "zh-CN"},
        input={},
    )
    assert response.status_code == 413
    assert response.json()["errors"][0]["message"].startswith("图片太大：最多可为 10 MiB。")


async def test_other_methods_and_content_types_are_refused(api: Api) -> None:
    assert (await api.http.put("/graphql", json=VALID)).status_code == 405
    form = await api.http.post("/graphql", data={"query": "{ __typename }"})
    text = await api.http.post(
        "/graphql", content=b'{"query": "{ __typename }"}', headers={"content-type": "text/plain"}
    )
    for response in (form, text):
        assert response.status_code in (400, 415)
        assert response.json()["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


AT_COUNT = "Variable '$i' has invalid value at .count:"


async def test_invalid_variable_is_refused_with_what_was_expected_and_without_its_value(api: Api) -> None:
    query = "query($i: QuoteInput!, $ids: [ID!] = [], $d: DateTime) { quote(input: $i) { cost } nodes(ids: $ids) { id }"
    query += " viewer { generations(filter: {createdAfter: $d}) { totalCount } } }"
    secret = "hunter2 found: it? Did you mean value: 3"
    is_no_object = "Variable '$i' has invalid value: Expected value of type 'QuoteInput' to be an object."
    for variables, expected in (
        ({}, "Variable '$i' has invalid value: Expected a value of non-null type 'QuoteInput!' to be provided."),
        ({"i": 5}, is_no_object),
        ({"i": secret}, is_no_object),
        ({"i": {"count": secret}}, f"{AT_COUNT} Int cannot represent non-integer value."),
        ({"i": {}, "ids": [{"a": secret}]}, "Variable '$ids' has invalid value at [0]: ID cannot represent value."),
    ):
        (error,) = (await post(api, {"query": query, "variables": variables})).json()["errors"]
        assert error["message"] == expected
    wrong = {"i": {}, "d": secret}
    (error,) = (await post(api, {"query": query, "variables": wrong})).json()["errors"]
    assert "RFC 3339" in error["message"]
    assert secret not in error["message"]


async def test_number_of_validation_errors_is_limited(api: Api) -> None:
    query = "{" + " ".join(f"field{number}" for number in range(900)) + "}"
    response = await post(api, {"query": query})
    assert len(response.json()["errors"]) == 10
    assert len(response.content) < 5_000


async def test_internal_error_shows_only_a_reference_that_is_also_logged(api: Api) -> None:
    secret = "VERY-SECRET-DETAIL"
    await rows("UPDATE styles SET variables = $1 WHERE slug = 'free'", json.dumps([{"unknown": secret}]))
    with capture_logs() as logs:
        response = await post(api, {"query": '{ style(slug: "free") { title variables { name } } }'}, RESPONSE_JSON)
    assert response.status_code == 200
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    reference = error["extensions"]["reference"]
    assert error["message"] == f"Something went wrong on our side. Reference: {reference}"
    assert secret not in response.text
    assert "validation" not in response.text.lower()
    (line,) = [line for line in logs if line["event"] == "graphql.crashed"]
    assert line["reference"] == reference
    assert secret in str(line["exc_info"])


async def test_refusals_are_logged_without_traceback_or_warning(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with capture_logs() as logs:
        response = await post(api, {"query": "mutation { signOut { sessionsEnded } }"})
        await post(api, {"query": "{ styles(first: 0) { totalCount } }"})
        await post(api, PARSE_ERROR)
        await post(api, b"null")
        await api.raw(SIGN_UP, input={"email": "invalid", "password": "x"})
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert [line for line in logs if "exc_info" in line or line["log_level"] in ("error", "warning")] == []
    assert [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"] == []
