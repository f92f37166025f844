"""Queries by GET: parameters, refusals of everything that changes state, and cookies of other sites."""

from typing import Any

import pytest

from tests.conftest import Running
from tests.support.client import Api

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
VIEWER = "{ viewer { email } }"


@pytest.fixture
def api(module_server: Running) -> Api:
    return module_server.api


async def get(api: Api, accept: str = JSON, headers: dict[str, str] | None = None, **params: str) -> Any:
    return await api.http.get("/graphql", params=params, headers={"accept": accept, **(headers or {})})


async def test_query_by_get_is_answered_as_by_post(api: Api) -> None:
    query = "query A($slug: String!) { style(slug: $slug) { title } } query B { __typename }"
    found = await get(api, query=query, operationName="A", variables='{"slug": "cute"}', extensions="{}")
    assert found.status_code == 200
    assert found.json() == {"data": {"style": {"title": "Cute"}}}
    assert (await get(api, query=query, operationName="B")).json() == {"data": {"__typename": "Query"}}
    empty = await get(api, RESPONSE_JSON, query="{ __typename }", operationName="", variables="", extensions="")
    assert empty.json() == {"data": {"__typename": "Query"}}
    assert empty.headers["content-type"].startswith(RESPONSE_JSON)


@pytest.mark.parametrize("accept", [JSON, RESPONSE_JSON, f"{JSON}, text/event-stream"])
async def test_mutation_by_get_is_405_and_changes_nothing(api: Api, accept: str) -> None:
    query = 'mutation { requestPasswordReset(email: "ada@example.com") { sent } }'
    found = await get(api, accept, query=query)
    assert (found.status_code, found.headers["allow"]) == (405, "POST")
    assert found.json()["errors"][0]["extensions"] == {"code": "INVALID_INPUT"}


@pytest.mark.parametrize(
    "params",
    [
        {"query": "{"},
        {"query": "{ nothing }"},
        {"query": "query($a: Int!) { styles(first: $a) { totalCount } }"},
        {"query": "{ __typename }", "variables": "["},
        {"query": "{ __typename }", "variables": "[1]"},
        {"query": "{ __typename }", "variables": "NaN"},
        {"query": "{ __typename }", "extensions": "1"},
        {"query": "{ __typename }", "operationName": "Missing"},
        {"query": ""},
        {"variables": "{}"},
    ],
    ids=str,
)
async def test_malformed_parameters_are_refused_with_a_graphql_error(api: Api, params: dict[str, str]) -> None:
    found = await get(api, RESPONSE_JSON, None, **params)
    assert found.status_code == 400
    assert {error["extensions"]["code"] for error in found.json()["errors"]} == {"INVALID_INPUT"}


async def test_private_answers_are_not_stored(api: Api) -> None:
    found = await get(api, query=VIEWER)
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["cross-origin-resource-policy"] == "same-origin"


CATALOGUE = """{
  collections { slug baseCost qualities { quality multiplier } }
  styles(first: 5) { nodes { slug title previewUrl variables { name } } pageInfo { hasNextPage } }
  models { id qualities }
  creditPackages { slug price currency }
  plans { slug title }
}"""


async def test_catalogue_may_be_stored_by_all_and_is_revalidated(api: Api) -> None:
    first = await get(api, query=CATALOGUE)
    assert first.headers["cache-control"] == "public, max-age=60, stale-while-revalidate=600"
    varies = {name.strip().casefold() for name in first.headers["vary"].split(",")}
    assert {"authorization", "cookie", "accept", "accept-language", "origin"} <= varies
    known = {"if-none-match": f"W/{first.headers['etag']}"}
    unchanged = await get(api, headers=known, query=CATALOGUE)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == first.headers["etag"]
    assert unchanged.headers["cache-control"] == first.headers["cache-control"]
    chinese = await get(api, headers={**known, "accept-language": "zh"}, query=CATALOGUE)
    assert (chinese.status_code, chinese.headers["etag"] == first.headers["etag"]) == (200, False)
    status = await get(api, query="{ deployment { version status { readOnly } } }")
    assert (status.headers["cache-control"], "etag" in status.headers) == ("public, no-cache", True)
    ada = await api.sign_up("catalogue@example.com")
    for who in ({"authorization": f"Bearer {ada.token}"}, {"cookie": f"darkroom_session={ada.token}"}):
        assert (await get(api, headers=who, query=CATALOGUE)).headers["cache-control"] == "private, no-cache"
    for query in (
        CATALOGUE.replace("{", "{ viewer { stats { favorites } }", 1),
        "{ admin { maintenance { readOnly } } }",
    ):
        private = await get(api, query=query)
        assert private.headers["cache-control"] == "no-store"
        assert "etag" not in private.headers
    posted = await api.raw(CATALOGUE)
    assert (posted.headers["cache-control"], "etag" in posted.headers) == ("no-store", False)


@pytest.mark.parametrize(
    ("site", "is_signed_in"), [(None, True), ("same-origin", True), ("none", True), ("cross-site", False),
                               ("same-site", False)],
)  # fmt: skip
async def test_cookie_is_not_used_by_a_get_of_another_site(api: Api, site: str | None, is_signed_in: bool) -> None:
    ada = await api.sign_up(f"site-{site or 'missing'}@example.com")
    origin: dict[str, str] = {"sec-fetch-site": site} if site else {}
    headers = {"cookie": f"darkroom_session={ada.token}", **origin}
    found = await get(api, headers=headers, query=VIEWER)
    assert (found.json()["data"]["viewer"] is not None) is is_signed_in
    posted = await api.http.post("/graphql", json={"query": VIEWER}, headers=headers)
    assert posted.json()["data"]["viewer"] is not None
    bearer = {"authorization": f"Bearer {ada.token}", **origin}
    assert (await get(api, headers=bearer, query=VIEWER)).json()["data"]["viewer"] is not None
    for name in ("q%75ery", "%71uery", "a=1&query"):
        encoded = await api.http.get(f"/graphql?{name}={{viewer{{email}}}}", headers=headers)
        assert (encoded.json()["data"]["viewer"] is not None) is is_signed_in
