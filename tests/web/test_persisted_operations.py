"""Requests that name their document by its hash: Apollo's protocol, its limits, and trusted documents."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from composition import open_services
from services.integrations.persisted_documents import PersistedDocuments, sha256_of
from services.integrations.shared_documents import SharedDocuments
from services.integrations.trusted_documents import ManifestError, load_manifests
from setting_types import Environment, Switch, TrustedDocuments
from settings import Settings, SettingsError
from tests.conftest import running
from tests.support.client import SIGN_UP, Api
from tests.support.servers import RedisServer

VIEWER = "query Viewer { viewer { email } }"
ADA = {"data": {"viewer": {"email": "ada@example.com"}}}
NOT_FOUND = [{"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}]
NOT_SUPPORTED = [{"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}]
MISMATCH = [{"message": "provided sha does not match query", "extensions": {"code": "INVALID_INPUT"}}]
NOT_TRUSTED = [{"message": "Only trusted documents are executed here.", "extensions": {"code": "FORBIDDEN"}}]
# As urql and Apollo Client send it: the second leads to the framework's view where the document is unknown.
ACCEPTS = ["application/graphql-response+json, application/json;q=0.9", "application/json, text/event-stream"]


def extensions(hash: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": hash}}


def by_hash(query: str, *, full: bool = False, **more: Any) -> dict[str, Any]:
    return {**({"query": query} if full else {}), "extensions": extensions(sha256_of(query)), **more}


async def post(api: Api, body: dict[str, Any], **headers: str) -> tuple[int, Any]:
    found = await api.http.post("/graphql", json=body, headers=api.headers(**headers))
    return found.status_code, found.json()


async def get(api: Api, body: dict[str, Any], **headers: str) -> tuple[int, Any]:
    params = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
    found = await api.http.get("/graphql", params=params, headers=api.headers(**headers))
    return found.status_code, found.json()


async def over_socket(api: Api, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the first message about an operation with this payload."""
    async with api.socket() as socket:
        socket.inbox["a"] = asyncio.Queue()
        await socket.connection.send(json.dumps({"id": "a", "type": "subscribe", "payload": payload}))
        return await asyncio.wait_for(socket.inbox["a"].get(), 10)


@pytest.fixture(params=[Switch.ON, Switch.OFF], ids=["lean", "view"])
async def ada(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    async with running(settings.model_copy(update={"json_fast_path": request.param}), idle=True) as server:
        yield await server.api.sign_up()


async def test_document_is_registered_once_and_then_named_by_its_hash(ada: Api) -> None:
    for number, (send, accept) in enumerate([(post, ACCEPTS[0]), (get, ACCEPTS[1]), (post, ACCEPTS[1]), (get, "*/*")]):
        query = f"query Viewer{number} {{ viewer {{ email }} }}"
        assert await send(ada, by_hash(query), accept=accept) == (200, {"errors": NOT_FOUND})
        assert await send(ada, by_hash(query, full=True), accept=accept) == (200, ADA)
        for again in (post, get):
            assert await again(ada, by_hash(query), accept=accept) == (200, ADA)
            assert await again(ada, {"documentId": f"sha256:{sha256_of(query)}"}, accept=accept) == (200, ADA)
        assert (await over_socket(ada, by_hash(query)))["payload"] == ADA


async def test_document_is_registered_over_a_socket(ada: Api) -> None:
    unknown = await over_socket(ada, by_hash(VIEWER))
    assert (unknown["type"], unknown["payload"]) == ("error", NOT_FOUND)
    assert (await over_socket(ada, by_hash(VIEWER, full=True)))["payload"] == ADA
    assert (await over_socket(ada, {"query": "", **by_hash(VIEWER)}))["payload"] == ADA
    assert await post(ada, by_hash(VIEWER)) == (200, ADA)
    credits = "subscription { creditsChanged { credits } }"
    assert (await over_socket(ada, by_hash(credits, full=True)))["type"] == "next"
    assert (await over_socket(ada, by_hash(credits)))["payload"]["data"]["creditsChanged"]["credits"] == 30
    wrong = {"query": VIEWER, "extensions": extensions("0" * 64)}
    assert (await over_socket(ada, wrong))["payload"] == MISMATCH


async def test_invalid_documents_and_wrong_hashes_are_not_registered(ada: Api) -> None:
    other = sha256_of(VIEWER)
    evil = "query Viewer { viewer { email credits } }"
    assert await post(ada, {"query": evil, "extensions": extensions(other)}) == (400, {"errors": MISMATCH})
    assert await get(ada, {"query": evil, "extensions": extensions(other)}) == (400, {"errors": MISMATCH})
    assert await post(ada, by_hash(VIEWER)) == (200, {"errors": NOT_FOUND})
    for invalid in ("{ nothing }", "{", " " * 90_000):
        assert (await post(ada, by_hash(invalid, full=True)))[1]["errors"]
        assert await post(ada, by_hash(invalid)) == (200, {"errors": NOT_FOUND})


@pytest.mark.parametrize(
    "given", [{"version": 2, "sha256Hash": "a"}, {"sha256Hash": "a"}, {"version": 1}, {"version": 1, "sha256Hash": 1},
              {"version": 1, "sha256Hash": ""}, {"version": 1, "sha256Hash": "a" * 300}, [], 1, True],
    ids=str,
)  # fmt: skip
async def test_malformed_extension_is_refused(ada: Api, given: object) -> None:
    for body in ({"extensions": {"persistedQuery": given}}, {"query": VIEWER, "extensions": {"persistedQuery": given}}):
        for send in (post, get):
            status, found = await send(ada, body)
            assert (status, found["errors"][0]["extensions"]) == (400, {"code": "INVALID_INPUT"})
        assert (await over_socket(ada, body))["type"] == "error"


async def test_named_document_has_the_limits_and_the_methods_of_its_own(ada: Api) -> None:
    mutation = 'mutation { updateProfile(input: {name: "Ada"}) { user { name } } }'
    assert (await post(ada, by_hash(mutation, full=True)))[0] == 200
    assert (await get(ada, by_hash(mutation)))[0] == 405
    admin = "{ admin { users { totalCount } } }"
    assert (await post(ada, by_hash(admin, full=True)))[1]["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await post(ada, by_hash(admin)))[1]["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    await post(ada, by_hash(VIEWER, full=True))
    cookie = {"cookie": f"darkroom_session={ada.token}"}
    signed_out = Api(ada.http, ada.address)
    assert await get(signed_out, by_hash(VIEWER), **cookie) == (200, ADA)
    other_site = {**cookie, "sec-fetch-site": "cross-site"}
    for named in (by_hash(VIEWER), {"documentId": sha256_of(VIEWER)}):
        assert await get(signed_out, named, **other_site) == (200, {"data": {"viewer": None}})


async def test_switched_off_answers_not_supported(settings: Settings) -> None:
    async with running(settings.model_copy(update={"persisted_operations_mib": 0}), idle=True) as server:
        ada = await server.api.sign_up()
        for body in (by_hash(VIEWER), by_hash(VIEWER, full=True)):
            for send in (post, get):
                assert await send(ada, body) == (200, {"errors": NOT_SUPPORTED})
            assert (await over_socket(ada, body))["payload"] == NOT_SUPPORTED
        assert await post(ada, {"query": VIEWER, "extensions": {"other": 1}}) == (200, ADA)


@pytest.mark.any_database
async def test_one_client_registers_a_bounded_number(settings: Settings) -> None:
    async with running(settings.model_copy(update={"rate_limits": Switch.ON}), idle=True) as server:
        api = server.api
        queries = [f"query Q{number} {{ __typename }}" for number in range(510)]
        for query in queries:
            assert (await post(api, by_hash(query, full=True)))[1] == {"data": {"__typename": "Query"}}
        found = [(await post(api, by_hash(query)))[1] for query in queries[495:505]]
        assert [one == {"errors": NOT_FOUND} for one in found] == [False] * 5 + [True] * 5


async def test_memory_is_bounded_and_keeps_what_is_used() -> None:
    documents = PersistedDocuments(100_000)
    texts = [f"query Q{number} {{ __typename }}" for number in range(1000)]
    for text in texts:
        await documents.register(sha256_of(text), text)
        assert await documents.find(sha256_of(texts[0])) == texts[0]
    kept = [text for text in texts if await documents.find(sha256_of(text))]
    assert 100 < len(kept) < 300
    assert kept[-1] == texts[-1]
    large = "#" * 100_000
    await documents.register(sha256_of(large), large)
    assert await documents.find(sha256_of(large)) is None
    assert await documents.find(sha256_of(texts[0])), "a document that is too large drops no other"


async def test_processes_share_documents_in_redis_within_limits(redis: RedisServer) -> None:
    redis.restart()
    shared = [SharedDocuments(redis.url, most=10, max_bytes=1000) for _ in range(2)]
    first, second = (PersistedDocuments(10**6, one) for one in shared)
    try:
        await first.register(sha256_of(VIEWER), VIEWER)
        assert await second.find(sha256_of(VIEWER)) == VIEWER
        texts = ["#" * 90 + str(number) for number in range(20)]
        for text in texts:
            await first.register(sha256_of(text), text)
        reader = PersistedDocuments(10**6, shared[1])
        assert [text for text in texts if await reader.find(sha256_of(text))] == texts[-10:]
        long = "#" * 950
        await first.register(sha256_of(long), long)
        reader = PersistedDocuments(10**6, shared[1])
        assert [text for text in [*texts, long] if await reader.find(sha256_of(text))] == [long]
        # Another text under a hash is not executed.
        await shared[0].keep(sha256_of("{ a }"), "{ evil }")
        assert await second.find(sha256_of("{ a }")) is None
        redis.kill()
        assert await second.find(sha256_of(VIEWER)) == VIEWER
        assert await second.find(sha256_of("{ b }")) is None
        await second.register(sha256_of("{ b }"), "{ b }")
        assert await second.find(sha256_of("{ b }")) == "{ b }"
    finally:
        redis.restart()
        for one in shared:
            await one.aclose()


APOLLO = {
    "format": "apollo-persisted-query-manifest", "version": 1,
    "operations": [
        {"id": sha256_of(body), "name": "Viewer", "type": "query", "body": body} for body in (VIEWER, SIGN_UP)
    ],
}  # fmt: skip
MD5 = hashlib.md5(VIEWER.encode()).hexdigest()  # noqa: S324 - relay-compiler's ids
MANIFESTS = {
    "apollo": APOLLO,
    "graphql-codegen": {f"sha256:{sha256_of(VIEWER)}": VIEWER, sha256_of(SIGN_UP): SIGN_UP},
    "relay": {MD5: VIEWER, "another": SIGN_UP},
}


def trusting(settings: Settings, folder: Path, manifest: object, mode: TrustedDocuments, **more: Any) -> Settings:
    (folder / "manifest.json").write_text(json.dumps(manifest))
    files = {"trusted_documents": mode, "trusted_documents_files": (str(folder / "manifest.json"),)}
    return settings.model_copy(update={**files, **more})


@pytest.mark.any_database
@pytest.mark.parametrize("name", list(MANIFESTS))
@pytest.mark.parametrize("json_fast_path", [Switch.ON, Switch.OFF])
async def test_only_trusted_documents_are_executed_in_production(
    settings: Settings, tmp_path: Path, name: str, json_fast_path: Switch
) -> None:
    production = {"environment": Environment.PRODUCTION, "json_fast_path": json_fast_path}
    settings = trusting(settings, tmp_path, MANIFESTS[name], TrustedDocuments.ONLY, **production)
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        id = MD5 if name == "relay" else sha256_of(VIEWER)
        names: list[dict[str, Any]] = [{name: id} for name in ("documentId", "doc_id", "id")]
        for named in (*names, {"extensions": extensions(id)}, {"query": VIEWER}):
            for send in (post, get):
                assert await send(ada, named) == (200, ADA), named
            assert (await over_socket(ada, named))["payload"] == ADA
        for other in ("{ viewer { email } }", VIEWER + " ", "mutation { signOut { sessionsEnded } }", "{"):
            for body in ({"query": other}, by_hash(other, full=True)):
                for send in (post, get):
                    assert await send(ada, body) == (403, {"errors": NOT_TRUSTED})
                assert (await over_socket(ada, body))["payload"] == NOT_TRUSTED
            assert await post(ada, by_hash(other)) == (200, {"errors": NOT_FOUND})


@pytest.mark.any_database
async def test_other_documents_are_executed_and_logged_in_development(settings: Settings, tmp_path: Path) -> None:
    async with running(trusting(settings, tmp_path, APOLLO, TrustedDocuments.ONLY), idle=True) as server:
        with capture_logs() as logs:
            for _ in range(2):
                assert await post(server.api, {"query": "{ __typename }"}) == (200, {"data": {"__typename": "Query"}})
        assert len([line for line in logs if line["event"] == "documents.not_trusted"]) == 1


@pytest.mark.parametrize(
    "content", ["", "[]", "1", '{"a": 1}', '{"": "{ a }"}', '{"format": "apollo-persisted-query-manifest"}',
                '{"format": "apollo-persisted-query-manifest", "operations": [{"id": "a"}]}', "[" * 100_000, "\xff"],
)  # fmt: skip
def test_manifest_that_cannot_be_used_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "documents.json"
    file.write_text(content, "latin-1")
    with pytest.raises(ManifestError, match=r"documents\.json: "):
        load_manifests([file])
    other = tmp_path / "other.json"
    file.write_text('{"a": "{ a }"}')
    other.write_text('{"a": "{ b }"}')
    with pytest.raises(ManifestError, match="another document has the id 'a'"):
        load_manifests([file, other])


async def test_start_is_refused_with_a_manifest_that_cannot_be_used(settings: Settings, tmp_path: Path) -> None:
    wrong = trusting(settings, tmp_path, [], TrustedDocuments.ON)
    with pytest.raises(SettingsError, match=r"TRUSTED_DOCUMENTS_FILES: .*manifest\.json"):
        async with open_services(wrong, with_provider=False):
            pass
