"""JSON requests answered without the framework's view: status, headers and bytes are the view's, for any request."""

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from composition import web_options
from tests.conftest import Running
from tests.support.client import Api
from web.app import create_app
from web.health import Readiness
from web.http_exchange import WHOLE_RESPONSE

SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { user { id } errors { code } } }"
Headers = list[tuple[bytes, bytes]]
ORIGIN = b"https://pictures.example"
TYPE: Headers = [(b"content-type", b"application/json")]
QUERIES: list[Any] = [
    {"query": "{ __typename viewer { email credits version generations { totalCount } } styles { nodes { slug } } }"},
    {"query": "query A { viewer { id } } query B { style(slug: \"cute\") { title } }", "operationName": "B"},
    {"query": "query A { viewer { id } } query B { __typename }"},
    {"query": "query A { viewer { id } }", "operationName": "Missing"},
    {"query": "query($first: Int!) { styles(first: $first) { nodes { id } } }", "variables": {"first": 2}},
    {"query": "query($first: Int!) { styles(first: $first) { nodes { id } } }", "variables": {"first": 10**30}},
    {"query": "query($first: Int!) { styles(first: $first) { nodes { id } } }", "variables": {}},
    {"query": "{ styles(first: 0) { totalCount } }"},
    {"query": "{ nothing }", "extensions": {"a": [1]}},
    {"query": "{ admin { users { totalCount } } }"},
    {"query": "mutation { updateProfile(input: {locale: \"xx\"}) { user { id } errors { code message } } }"},
    {"query": "subscription { creditsChanged { credits } }"},
    {"query": "{"}, {"query": ""}, {"query": None}, {"query": 1}, {}, [], None, [{"query": "{ __typename }"}],
    {"query": "{ __typename }", "variables": [1]}, {"query": "{ __typename }", "operationName": {}},
    {"query": "{ __typename }", "extensions": 1},
    {"query": '{ style(slug: "\ud800") { id } }'},
]  # fmt: skip
BODIES = [json.dumps(query).encode() for query in QUERIES] + [
    b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"query": "\xc3("}', b'{"query": "{ a }", "variables": {"a": NaN}}',
    json.dumps(QUERIES[0]).encode("utf-16"), b'{"query": "{ __typename }"}' + b" " * 100_000, b"[" * 60_000,
    b'{"query": "{ __typename }", "query": "{ viewer { id } }"}', b'{"query": "{ a }", "variables": {"a": 1e999}}',
]  # fmt: skip
ACCEPTS = [
    None, b"*/*", b"application/json", b"application/graphql-response+json", b"text/html",
    b"application/graphql-response+json, application/json;q=0.9, text/event-stream", b"", b"application/*;q=bad",
]  # fmt: skip
TYPES = [
    b"application/json; charset=utf-8", b"APPLICATION/JSON", b" application/json ;a=b", b"application/json, text/plain",
    b"application/graphql", b"text/plain", b"", b"application/jsonx",
]  # fmt: skip


async def exchange(
    app: ASGIApp,
    services: Any,
    headers: Headers,
    parts: Iterable[bytes],
    method: str,
    query: bytes,
    *,
    takes_whole: bool = False,
) -> Any:
    """Return the status, the headers and the body that the application sends.

    `takes_whole`: whether the server accepts the body with the head, as web/http_protocol.py does.
    """
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": "/graphql",
        "raw_path": b"/graphql", "query_string": query, "root_path": "", "scheme": "http", "headers": headers,
        "client": ("203.0.113.9", 5000), "server": ("localhost", 80),
        "state": {"services": services, "readiness": Readiness(services, 1)},
        "extensions": {WHOLE_RESPONSE: {}} if takes_whole else {},
    }  # fmt: skip
    chunks = list(parts)
    messages = iter(
        [
            {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
            for number, chunk in enumerate(chunks, 1)
        ]
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent:
        return None
    return sent[0]["status"], list(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent)


class Both:
    """The two ways to answer a request, of one server."""

    def __init__(self, server: Running, **options: Any) -> None:
        self.services = server.services
        wanted = replace(web_options(server.settings), **options)
        self.apps = [self._app(replace(wanted, answers_json=answers_json)) for answers_json in (True, False)]

    def _app(self, options: Any) -> ASGIApp:
        @contextlib.asynccontextmanager
        async def opened() -> AsyncIterator[Any]:
            yield self.services

        return create_app(opened, options)

    async def same(self, headers: Headers, *parts: bytes, method: str = "POST", query: bytes = b"") -> Any:
        """Send the request both ways, compare the responses, and return one."""
        headers = [*headers, (b"x-request-id", b"the-same"), (b"host", b"localhost")]
        first, second = [
            await exchange(app, self.services, headers, parts or (b"",), method, query) for app in self.apps
        ]
        assert first == second, (headers, parts[:1])
        if first is not None and first[0] != 429:
            whole = await exchange(
                self.apps[0], self.services, headers, parts or (b"",), method, query, takes_whole=True
            )
            assert whole == first, (headers, parts[:1])
        return first


@pytest.fixture
def both(module_server: Running) -> Both:
    return Both(module_server, cors_origins=(ORIGIN.decode(),), trusted_proxies=("203.0.113.0/24",))


@pytest.fixture(scope="module")
async def ada(module_server: Running) -> Api:
    return await module_server.api.sign_up("ada@example.com")


@pytest.mark.parametrize("accept", ACCEPTS)
async def test_every_body_is_answered_alike_for_each_accept(both: Both, ada: Api, accept: bytes | None) -> None:
    bearer = (b"authorization", f"Bearer {ada.token}".encode())
    wanted = [] if accept is None else [(b"accept", accept)]
    for body, who in itertools.product(BODIES, ([bearer], [])):
        is_stream = b"subscription" in body and b"event-stream" in (accept or b"")
        if not is_stream:
            await both.same([*TYPE, *who, *wanted], body)
            await both.same([*TYPE, *who, *wanted], body)  # the document is known by now


@pytest.mark.parametrize("kind", TYPES)
async def test_every_content_type_is_answered_alike(both: Both, kind: bytes) -> None:
    for body in BODIES[:3]:
        await both.same([(b"content-type", kind)], body)
    await both.same([(b"content-type", kind), *TYPE], BODIES[0])
    await both.same([*TYPE, (b"content-type", kind)], BODIES[0])


async def test_bodies_in_parts_and_broken_ones_are_answered_alike(both: Both) -> None:
    body = BODIES[0]
    found = await both.same(TYPE, body[:10], body[10:20], body[20:])
    assert found[0] == 200
    assert (await both.same(TYPE, b" " * 60_000, b" " * 60_000, body))[0] == 413
    assert (await both.same([*TYPE, (b"content-length", b"999999999999")], body))[0] == 413
    assert (await both.same([*TYPE, (b"content-length", b"102401")], body))[0] == 413


async def test_cookies_origins_and_proxies_are_treated_alike(both: Both, ada: Api) -> None:
    cookie = (b"cookie", f"a=b; darkroom_session={ada.token}; darkroom_device=no".encode())
    origins: list[Headers] = [
        [], [(b"origin", ORIGIN)], [(b"origin", b"https://evil.example")], [(b"origin", b"null")],
        [(b"origin", b"http://localhost")],
    ]  # fmt: skip
    sites: list[Headers] = [
        [],
        [(b"sec-fetch-site", b"cross-site")],
        [(b"x-forwarded-for", b"198.51.100.7, 203.0.113.9")],
    ]
    signed_in = set()
    for origin, site in itertools.product(origins, sites):
        for method, query, body in (("POST", b"", BODIES[0]), ("GET", b"query={viewer{email}}", b"")):
            found = await both.same([*TYPE, cookie, *origin, *site], body, method=method, query=query)
            signed_in.add((origin[0][1] if origin else b"", b"ada@example.com" in found[2]))
            assert (b"access-control-allow-origin" in dict(found[1])) is (origin == [(b"origin", ORIGIN)])
    assert {
        (ORIGIN, True),
        (b"https://evil.example", False),
        (b"null", False),
        (b"http://localhost", True),
    } <= signed_in
    refused = await both.same([*TYPE, cookie, (b"authorization", b"Basic abc")], BODIES[0])
    assert b"UNAUTHENTICATED" in refused[2]
    assert (b"www-authenticate", b'Bearer error="invalid_token"') in refused[1]


async def test_preflight_other_methods_and_headers_are_answered_alike(both: Both) -> None:
    preflight = [(b"origin", ORIGIN), (b"access-control-request-method", b"POST")]
    assert (await both.same(preflight, method="OPTIONS"))[0] == 200
    for method in ("PUT", "HEAD", "DELETE", "GET"):
        await both.same(TYPE, BODIES[0], method=method)
    for language in (b"zh-CN", b"fr;q=1, zh;q=0.1", b"\xff"):
        await both.same([*TYPE, (b"accept-language", language)], BODIES[7])


@pytest.mark.parametrize("value", [b"", b"null", b"1", b"[]", b"{", b'""', b"NaN", b'{"a":NaN}', b"{}", b"true"])
async def test_every_object_of_a_query_by_get_is_answered_alike(both: Both, value: bytes) -> None:
    for name in (b"variables", b"extensions", b"operationName"):
        await both.same([], method="GET", query=b"query={__typename}&%s=%s" % (name, value))
    for query in (b"query=" + value, b"q%75ery={__typename}", b"query={a}&query={__typename}", b"query={a};b=" + value):
        await both.same([], method="GET", query=query)


@pytest.mark.parametrize("query", [b"{viewer{email+version}}", b"{styles{nodes{slug}}}", b"{viewer{isMember}}", b"{a}"])
async def test_entity_tags_of_queries_by_get_are_the_same(both: Both, ada: Api, query: bytes) -> None:
    bearer: Headers = [(b"authorization", f"Bearer {ada.token}".encode())]
    for who, accept in itertools.product((bearer, []), (b"application/json", b"application/json, text/event-stream")):
        headers = [*who, (b"accept", accept)]
        for _ in range(2):  # the second answer may be one that was kept
            found = await both.same(headers, method="GET", query=b"query=" + query)
        etag = dict(found[1]).get(b"etag")
        assert (etag is not None) is (query == b"{styles{nodes{slug}}}" or (b"email" in query and who == bearer))
        if etag is not None:
            known = await both.same([*headers, (b"if-none-match", etag)], method="GET", query=b"query=" + query)
            assert (known[0], known[2]) == (304, b"")


async def test_sign_in_sets_the_same_cookies(both: Both, ada: Api) -> None:
    given = {"email": "ada@example.com", "password": "correct horse", "cookie": True}
    body = json.dumps({"query": SIGN_IN, "variables": {"input": given}}).encode()
    answers = []
    for app in both.apps:
        headers = [*TYPE, (b"host", b"localhost")]
        status, sent, _ = await exchange(app, both.services, headers, [body], "POST", b"")
        names = [name for name, _ in sent if name != b"set-cookie"]
        cookies = [
            value.split(b";", 1)[0].split(b"=")[0] + value.partition(b";")[2]
            for name, value in sent
            if name == b"set-cookie"
        ]
        answers.append((status, names, cookies))
    assert answers[0] == answers[1]
    assert len(answers[0][2]) >= 1
