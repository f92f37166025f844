"""The figures: who may read them, that they count what happens, and that no client makes new series."""

from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from settings import Settings
from tests.conftest import Running, running
from tests.support.client import photo, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.server_process import free_port
from web.metrics import serving_metrics

TOKEN = "a-token-for-prometheus"

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def figures(http: httpx.AsyncClient, token: str | None = None) -> Figures:
    """Every sample by its name and labels."""
    answer = await http.get("/metrics", headers={"authorization": f"Bearer {token}"} if token else {})
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(found: Figures, name: str, **labels: str) -> float:
    return found.get((f"darkroom_{name}", frozenset(labels.items())), 0.0)


@pytest.mark.any_database
async def test_only_this_machine_reads_them_and_nobody_on_anybodys_behalf(server: Running) -> None:
    http = server.api.http
    assert (await http.get("/metrics")).status_code == 200
    for header in ("x-forwarded-for", "forwarded", "x-real-ip", "via"):
        refused = await http.get("/metrics", headers={header: "127.0.0.1"})
        assert (refused.status_code, "darkroom_" in refused.text) == (403, False), header


async def test_what_happens_is_counted(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    http = scripted.api.http
    before = await figures(http)

    def grown(name: str, **labels: str) -> float:
        return of(after, name, **labels) - of(before, name, **labels)

    ada = await scripted.api.sign_up()
    style = await ada.style("noir", "avenger")
    (made,) = (await ada.create(photo(), styleId=style))["generations"]
    await ada.wait_for_end(made["id"])
    openrouter.script(status(400, "content_policy_violation"))
    (bad,) = (await ada.create(photo(), styleId=style))["generations"]
    await ada.wait_for_end(bad["id"])
    await scripted.api.refused("mutation { cancelGeneration(id: 1) { errors { code message } } }")
    async with ada.socket() as socket:
        stream = await socket.subscribe("subscription { creditsChanged { credits } }")
        await stream.next()
        after = await figures(http)
        assert of(after, "sockets_open") == 1
        assert of(after, "subscriptions_open", operation="creditsChanged") == 1

    async def closed() -> bool:
        now = await figures(http)
        return of(now, "sockets_open") == of(now, "subscriptions_open", operation="creditsChanged") == 0

    await until(closed)
    assert grown("graphql_operations_total", operation="createGeneration", type="mutation", outcome="ok") == 2
    assert grown("graphql_operations_total", operation="cancelGeneration", type="mutation", outcome="refused") == 1
    assert grown("graphql_errors_total", code="UNAUTHENTICATED") == 1
    assert grown("graphql_operation_seconds_count", operation="createGeneration") == 2
    assert grown("http_requests_total", route="/graphql", method="POST", status="200") >= 5
    assert grown("ledger_lines_total", type="DEDUCTION") == 2
    assert grown("provider_calls_total", provider="openrouter", outcome="ok") == 1
    assert grown("provider_calls_total", provider="openrouter", outcome="CONTENT_REJECTED") == 1
    assert grown("provider_seconds_count", provider="openrouter") == 2
    assert grown("provider_cost_dollars_total", provider="openrouter") > 0
    assert grown("generations_ended_total", status="COMPLETED", code="") == 1
    assert grown("generations_ended_total", status="FAILED", code="CONTENT_REJECTED") == 1
    assert grown("generation_stage_seconds_count", stage="GENERATING") == 2
    assert grown("generation_stage_seconds_count", stage="STORING") == 1
    assert of(after, "bus_connected") == of(after, "database_up") == 1


async def test_the_queue_is_read_from_the_tables(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    style = await ada.style("noir", "avenger")
    await ada.create(photo(), styleId=style, count=2)

    async def told() -> bool:  # the tables are read every two seconds at most
        found = await figures(idle_server.api.http)
        return of(found, "queue_depth", status="PENDING") == 2 and of(found, "queue_oldest_seconds") > 0

    await until(told)
    found = await figures(idle_server.api.http)
    assert of(found, "queue_depth", status="PROCESSING") == of(found, "worker_slots") == 0


@pytest.mark.any_database
async def test_no_client_makes_new_series(server: Running) -> None:
    http = server.api.http
    await figures(http)
    before = set(await figures(http))
    for word in ("one", "two"):
        await http.get(f"/{word}/{word}")
        await http.request(word.upper(), "/graphql")
        await server.api.raw(f"query {word} {{ {word}: viewer {{ id }} }}")
        await server.api.raw(f"{{ {word} }}")
        fragment = f"fragment {word} on Query {{ {word}: styles {{ totalCount }} }}"
        await server.api.raw(f"query {word} {{ ...{word} }} {fragment}")
    made = {label for _, labels in set(await figures(http)) - before for _, label in labels}
    assert {"other", "viewer", "styles"} <= made | {label for _, labels in before for _, label in labels}
    assert made & {"one", "two", "ONE", "TWO", "/one", "/two"} == set()


@pytest.fixture
async def guarded(settings: Settings) -> AsyncIterator[Running]:
    async with running(settings.model_copy(update={"metrics_token": TOKEN}), idle=True) as server:
        yield server


@pytest.mark.any_database
async def test_with_a_token_only_the_token_counts_for_servers_and_for_workers(guarded: Running) -> None:
    http = guarded.api.http
    for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
        refused = await http.get("/metrics", headers=given)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert await figures(http, TOKEN)
    port = free_port()
    async with (
        serving_metrics(guarded.services, "127.0.0.1", port, TOKEN),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as worker,
    ):
        assert (await worker.get("/metrics")).status_code == 401
        assert (await worker.get("/graphql")).status_code == 404
        assert await figures(worker, TOKEN)
        with pytest.raises(OSError, match="in use"):
            async with serving_metrics(guarded.services, "127.0.0.1", port, TOKEN):
                pass
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient() as late:
            await late.get(f"http://127.0.0.1:{port}/metrics")
