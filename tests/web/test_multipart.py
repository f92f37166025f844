"""Malformed and hostile GraphQL multipart requests: each is a 4xx in JSON with a code, and stores nothing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import Running
from tests.support.client import CREATE, Api
from tests.support.corpus.pictures import png
from tests.support.integrity import count_rows, stored_keys
from tests.support.raw_multipart import BOUNDARY, CONTENT_TYPE, Part, file_map, form, operations

PATH = "variables.input.image"
NULL_IMAGE = {"input": {"prompt": "A fox", "image": None}}
OPERATIONS = operations(CREATE, NULL_IMAGE)
MAP = file_map({"0": [PATH]})
SECOND = Part(b"1", png(), b"owl.png", b"image/png")
HEAD = b"--" + BOUNDARY + b"\r\n"
FILE = Part(b"0", png(), b"fox.png", b"image/png")
VALID = (OPERATIONS, MAP, FILE)


@dataclass(frozen=True)
class Abuse:
    name: str
    parts: tuple[Part, ...] = ()
    body: bytes | None = None  # instead of the parts
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def wire(self) -> bytes:
        return form(self.parts) if self.body is None else self.body


def with_map(name: str, paths: object) -> Abuse:
    return Abuse(f"map: {name}", (OPERATIONS, file_map(paths), FILE))


def with_raw_map(name: str, text: bytes) -> Abuse:
    return Abuse(f"map: {name}", (OPERATIONS, Part(b"map", text), FILE))


def with_raw_operations(name: str, text: bytes) -> Abuse:
    return Abuse(f"operations: {name}", (Part(b"operations", text), MAP, FILE))


NOT_JSON = (
    ("empty", b""),
    ("invalid JSON", b"{"),
    ("NaN", b'{"a": NaN}'),
    ("not UTF-8", b"\xff\xfe"),
    ("nested 50,000 deep", b"[" * 50_000),
    ("a number of 20,000 digits", b'{"a": ' + b"9" * 20_000 + b"}"),
    ("null", b"null"),
    ("a number", b"1"),
    ("a text", b'"x"'),
    ("a list", b"[]"),
)

ABUSES = (
    Abuse("no parts"),
    Abuse("only a file", (FILE,)),
    Abuse("no operations", (MAP, FILE)),
    Abuse("no map", (OPERATIONS, FILE)),
    Abuse("no file", (OPERATIONS, MAP)),
    Abuse("operations is a file", (Part(b"operations", OPERATIONS.body, b"o.json"), MAP, FILE)),
    Abuse("map is a file", (OPERATIONS, Part(b"map", MAP.body, b"m.json"), FILE)),
    Abuse("the file is a field", (OPERATIONS, MAP, Part(b"0", png()))),
    *(with_raw_operations(name, text) for name, text in NOT_JSON),
    *(with_raw_map(name, text) for name, text in NOT_JSON),
    with_raw_operations("a batch", b"[" + OPERATIONS.body + b"]"),
    with_raw_operations("without variables", b'{"query": "{ viewer { id } }"}'),
    with_raw_operations("variables are a list", b'{"query": "{ viewer { id } }", "variables": []}'),
    with_raw_operations("variables are a text", b'{"query": "{ viewer { id } }", "variables": "input"}'),
    with_map("a path that does not exist", {"0": ["variables.input.photo"]}),
    with_map("the variables themselves", {"0": ["variables"]}),
    with_map("the query", {"0": ["query"]}),
    with_map("a path to a value", {"0": ["variables.input.prompt"]}),
    with_map("into a text", {"0": ["variables.input.prompt.0"]}),
    with_map("into __proto__", {"0": ["__proto__.polluted"]}),
    with_map("into the variables' __proto__", {"0": ["variables.__proto__.polluted"]}),
    with_map("into __class__", {"0": ["variables.__class__.image"]}),
    with_map("a negative list index", {"0": ["variables.input.image.-1"]}),
    with_map("an index of 5,000 digits", {"0": ["variables." + "9" * 5000]}),
    with_map("an empty path", {"0": [""]}),
    with_map("dots", {"0": ["." * 1000]}),
    with_map("a path of 20,000 steps", {"0": ["variables" + ".a" * 20_000]}),
    with_map("nested lists", {"0": [[[[PATH]]]]}),
    with_map("a list in a list", {"0": [[PATH]]}),
    with_map("an object for a path", {"0": [{"path": PATH}]}),
    with_map("a number for a path", {"0": [1]}),
    with_map("a text for the list", {"0": PATH}),
    with_map("null for the list", {"0": None}),
    with_map("no path", {"0": []}),
    with_map("the file twice in one list", {"0": [PATH, PATH]}),
    with_map("the file at two paths", {"0": [PATH, "variables.input.prompt"]}),
    with_map("operations for a file", {"operations": [PATH]}),
    with_map("a missing file", {"7": [PATH]}),
    Abuse("two files at one path", (OPERATIONS, file_map({"0": [PATH], "1": [PATH]}), FILE, Part(b"1", png(), b"b"))),
    Abuse("1,000 files", (OPERATIONS, MAP, *(Part(b"%d" % number, b"x", b"f") for number in range(1000)))),
    Abuse("1,000 fields", (*VALID, *(Part(b"f%d" % number, b"x") for number in range(1000)))),
    Abuse("operations of 1 MiB", (Part(b"operations", b" " * 2**20 + OPERATIONS.body), MAP, FILE)),
    Abuse("no boundary", VALID, headers={"content-type": "multipart/form-data"}),
    Abuse("another boundary", VALID, headers={"content-type": "multipart/form-data; boundary=other"}),
    Abuse(
        "a boundary of 5,000 characters", VALID, headers={"content-type": f"multipart/form-data; boundary={'b' * 5000}"}
    ),
    Abuse("nothing", body=b""),
    Abuse("garbage", body=b"\x00\xff" * 500),
    Abuse("a missing end", body=form(VALID, closed=False)[:-200]),
    Abuse("a part without headers", body=HEAD + b"\r\nx\r\n" + HEAD),
    Abuse("an endless header", body=HEAD + b"Content-Disposition: form-data; name=" + b"a" * 90_000),
    Abuse("10,000 headers", body=HEAD + b"X-Head: 1\r\n" * 10_000 + b"\r\nx\r\n" + HEAD),
    Abuse("a space in a header name", body=form(VALID).replace(b"Content-Type: ", b"Content Type: ")),
)


async def post(api: Api, wire: bytes, **headers: str) -> Any:
    return await api.http.post("/graphql", content=wire, headers={"content-type": CONTENT_TYPE, **headers})


def code(response: Any) -> str:
    """Return the code of the only error; fails unless the response is a GraphQL error in JSON."""
    assert response.headers["content-type"].startswith(("application/json", "application/graphql-response+json"))
    (error,) = response.json()["errors"]
    assert "Traceback" not in response.text
    return str(error["extensions"]["code"])


@pytest.fixture
async def unchanged_state(module_server: Running) -> AsyncIterator[None]:
    """Check that the test creates no row and stores no object."""
    before = await count_rows(), await stored_keys(module_server.services)
    yield
    assert (await count_rows(), await stored_keys(module_server.services)) == before


async def test_valid_multipart_request_creates_a_generation(module_server: Running) -> None:
    ada = await module_server.api.sign_up("user1@example.com")
    response = await post(ada, form(VALID), **ada.headers())
    assert response.status_code == 200
    (made,) = response.json()["data"]["createGeneration"]["generations"]
    assert made["original"]["contentType"] == "image/png"
    assert (await ada.wait_for_end(made["id"]))["status"] == "COMPLETED"


@pytest.mark.usefixtures("unchanged_state")
async def test_every_abuse_is_a_client_error_with_a_code_and_stores_nothing(module_server: Running) -> None:
    ada = await module_server.api.sign_up("user2@example.com")
    for abuse in ABUSES:
        response = await post(ada, abuse.wire, **{**ada.headers(), **abuse.headers})
        assert 400 <= response.status_code < 500, (abuse.name, response.status_code, response.text[:300])
        assert code(response) == "INVALID_INPUT", abuse.name
        assert len(response.content) < 1000, abuse.name
    assert await ada.credits() == 30


@pytest.mark.usefixtures("unchanged_state")
async def test_multipart_request_without_preflight_header_is_refused(module_server: Running) -> None:
    """Browsers send cross-site forms with cookies and without a preflight, but custom headers only with one."""
    refused = await post(module_server.api, form(VALID))
    assert (refused.status_code, code(refused)) == (400, "INVALID_INPUT")
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        refused = await post(module_server.api, OPERATIONS.body, **{"content-type": content_type})
        assert 400 <= refused.status_code < 500
        assert code(refused) == "INVALID_INPUT"
    for header in ("graphql-require-preflight", "apollo-require-preflight", "x-requested-by"):
        preflighted = await post(module_server.api, form(VALID), **{header: "1"})
        assert preflighted.status_code == 200
        assert code(preflighted) == "UNAUTHENTICATED"


@pytest.mark.usefixtures("unchanged_state")
async def test_upload_scalar_accepts_only_files(module_server: Running) -> None:
    ada = await module_server.api.sign_up("user3@example.com")
    for value in ("photo.jpg", "", 1, True, [], {}, {"filename": "a.jpg"}, ["x"]):
        refused = await ada.refused(CREATE, input={"prompt": "A fox", "image": value})
        assert refused["code"] == "INVALID_INPUT", value
    for literal in ('"photo.jpg"', "1", "true", "[]", "{a: 1}", "JPEG"):
        refused = await ada.refused(
            f'mutation {{ createGeneration(input: {{prompt: "A fox", image: {literal}}}) {{ errors {{ code }} }} }}'
        )
        assert refused["code"] == "INVALID_INPUT", literal


@pytest.mark.usefixtures("unchanged_state")
async def test_file_in_place_of_a_string_is_refused(module_server: Running) -> None:
    ada = await module_server.api.sign_up("user4@example.com")
    for name in ("prompt", "styleId", "size", "count", "idempotencyKey", "aspectRatio"):
        parts = (operations(CREATE, {"input": {name: None}}), file_map({"0": [f"variables.input.{name}"]}), FILE)
        response = await post(ada, form(parts), **ada.headers())
        assert response.status_code in (200, 400), name
        assert code(response) == "INVALID_INPUT", name


@pytest.mark.usefixtures("unchanged_state")
async def test_file_in_the_variables_of_a_style_is_refused(module_server: Running) -> None:
    """`variables` is the JSON scalar, so the file is refused by the style's own validation."""
    ada = await module_server.api.sign_up("user5@example.com")
    style = await ada.style("noir", "avenger")
    for path, input in (
        ("powers", {"styleId": style, "variables": {"powers": None}}),
        ("nested.0", {"styleId": style, "variables": {"nested": [None]}}),
    ):
        parts = (operations(CREATE, {"input": input}), file_map({"0": [f"variables.input.variables.{path}"]}), FILE)
        response = await post(ada, form(parts), **ada.headers())
        body = response.json()
        codes = [error["code"] for error in body["data"]["createGeneration"]["errors"]]
        assert (response.status_code, set(codes)) == (200, {"INVALID_INPUT"}), (path, body)
