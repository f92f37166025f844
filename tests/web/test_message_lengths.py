"""What a client writes is repeated in part at most, in every kind of error message."""

import asyncio
import json
from typing import Any

import pytest

from tests.conftest import Running
from tests.support.client import PATIENCE, Api

LONG = "x" * 20_000
MAX_QUOTED = 100
MAX_MESSAGE = 300
STREAM = {"accept": "text/event-stream"}
RESPONSE = {"accept": "application/graphql-response+json"}

# LONG stands for the long text.
DOCUMENTS: dict[str, dict[str, Any]] = {
    "operation name": {"query": "query A { __typename }", "operationName": "LONG"},
    "operation name with spaces": {"query": "query A { __typename }", "operationName": "long word " * 1_500},
    "operation name with lines": {"query": "query A { __typename }", "operationName": "a\nb\r\x1b[31m\u2028" * 1_500},
    "operation name with quotes": {"query": "query A { __typename }", "operationName": "'\"" * 5_000},
    "field": {"query": "{ LONG }"},
    "argument": {"query": '{ style(slug: "a", LONG: 1) { id } }'},
    "fragment": {"query": "{ ...LONG }"},
    "type": {"query": "query($a: LONG) { __typename }"},
    "directive": {"query": "{ __typename @LONG }"},
    "variable": {"query": "{ style(slug: $LONG) { id } }"},
    "unused variable": {"query": "query($LONG: Int) { __typename }"},
    "variable's value": {"query": "query($a: Int) { styles(first: $a) { totalCount } }", "variables": {"a": "LONG"}},
    "variable's key": {
        "query": "mutation($a: SignInInput!) { signIn(input: $a) { token } }",
        "variables": {"a": {"email": "a", "password": "b", "LONG": 1}},
    },
    "enum value": {"query": "query($a: Role) { __typename }", "variables": {"a": "LONG"}},
    "string literal": {"query": '{ styles(first: "LONG") { totalCount } }'},
    "number": {"query": "{ styles(first: " + "9" * 4_000 + ") { totalCount } }"},
    "float": {"query": "{ styles(first: 1." + "9" * 20_000 + ") { totalCount } }"},
    "syntax: name": {"query": "{ a } LONG"},
    "syntax: string": {"query": '{ a } "LONG"'},
    "syntax: block string": {"query": '{ a } """LONG"""'},
    "syntax: unterminated string": {"query": '{ a(b: "LONG) }'},
    "conflicting aliases": {"query": "{ LONG: __typename LONG: styles { totalCount } }"},
    "id": {"query": 'query { style(id: "LONG") { id } }'},
    "cursor": {"query": '{ styles(first: 1, after: "LONG") { totalCount } }'},
    "payload's field": {
        "query": "mutation($i: CreateGenerationInput!) { createGeneration(input: $i) { errors { message field } } }",
        "variables": {"i": {"prompt": "a", "idempotencyKey": "LONG", "variables": {"LONG": "LONG"}}},
    },
}


def document(name: str) -> Any:
    return json.loads(json.dumps(DOCUMENTS[name]).replace("LONG", LONG))


def messages_of(body: Any) -> list[str]:
    """Return the errors' messages in a response, and other texts of those errors."""
    errors = list(body.get("errors", []))
    for value in (body.get("data") or {}).values():
        errors += (value or {}).get("errors") or []
    return [error["message"] for error in errors] + [
        part for error in errors for part in error.get("field") or error.get("extensions", {}).get("field", [])
    ]


def check(texts: list[str]) -> None:
    assert texts
    for text in texts:
        assert len(text) <= MAX_MESSAGE
        assert LONG[: MAX_QUOTED + 1] not in text
        assert text.isprintable() or "\ufffd" in text
        assert not any(character in text for character in "\n\r\x1b\u2028")


@pytest.fixture(scope="module")
async def ada(module_server: Running) -> Api:
    return await module_server.api.sign_up("lengths@example.com")


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_message_over_http_repeats_little_of_the_document(module_server: Running, ada: Api, name: str) -> None:
    for headers in (RESPONSE, STREAM):
        answer = await ada.http.post("/graphql", json=document(name), headers=ada.headers(**headers))
        assert answer.status_code in (200, 400)
        text = answer.text
        body = json.loads(text.split("data: ", 1)[1].split("\n")[0]) if headers is STREAM else answer.json()
        check(messages_of(body))


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_message_over_a_socket_repeats_little_of_the_document(
    module_server: Running, ada: Api, name: str
) -> None:
    async with ada.socket() as socket:
        socket.inbox["1"] = asyncio.Queue()
        await socket.connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": document(name)}))
        message = await asyncio.wait_for(socket.inbox["1"].get(), PATIENCE)
        payload = message["payload"]
        check(messages_of({"errors": payload} if message["type"] == "error" else payload))
