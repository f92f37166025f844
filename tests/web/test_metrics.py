"""The metrics endpoint: permission, values, and no time series that a client can create."""

from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.database.connection import rows
from services.integrations.providers.failure_cause import FailureCause
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import photo, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.server_process import free_port
from web.metrics import serving_metrics
from web.open_connections import ServerLimits
from web.server import uvicorn_options

TOKEN = "a-token-for-prometheus"
OPTIONS = uvicorn_options("http://localhost", ServerLimits())

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def read_metrics(http: httpx.AsyncClient, token: str | None = None) -> Samples:
    """Return every sample by its name and labels."""
    answer = await http.get("/metrics", headers={"authorization": f"Bearer {token}"} if token else {})
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def sample(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"darkroom_{name}", frozenset(labels.items())), 0.0)


@pytest.mark.any_database
async def test_without_a_token_only_direct_local_requests_are_served(server: Running) -> None:
    http = server.api.http
    assert (await http.get("/metrics")).status_code == 200
    for header in ("x-forwarded-for", "forwarded", "x-real-ip", "via"):
        refused = await http.get("/metrics", headers={header: "127.0.0.1"})
        assert (refused.status_code, "darkroom_" in refused.text) == (403, False), header


async def test_metrics_count_operations_generations_and_credits(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    http = scripted.api.http
    before = await read_metrics(http)

    def increase(name: str, **labels: str) -> float:
        return sample(after, name, **labels) - sample(before, name, **labels)

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
        after = await read_metrics(http)
        assert sample(after, "sockets_open") == 1
        assert sample(after, "subscriptions_open", operation="creditsChanged") == 1

    async def closed() -> bool:
        now = await read_metrics(http)
        return sample(now, "sockets_open") == sample(now, "subscriptions_open", operation="creditsChanged") == 0

    await until(closed)
    assert increase("graphql_operations_total", operation="createGeneration", type="mutation", outcome="ok") == 2
    assert increase("graphql_operations_total", operation="cancelGeneration", type="mutation", outcome="refused") == 1
    assert increase("graphql_errors_total", code="UNAUTHENTICATED") == 1
    assert increase("graphql_operation_seconds_count", operation="createGeneration") == 2
    assert increase("http_requests_total", route="/graphql", method="POST", status="200") >= 5
    assert increase("ledger_lines_total", type="DEDUCTION") == 2
    assert increase("provider_calls_total", provider="openrouter", outcome="ok") == 1
    assert increase("provider_calls_total", provider="openrouter", outcome="CONTENT_REJECTED") == 1
    assert increase("provider_seconds_count", provider="openrouter") == 2
    assert increase("provider_cost_dollars_total", provider="openrouter") > 0
    assert increase("generations_ended_total", status="COMPLETED", code="") == 1
    assert increase("generations_ended_total", status="FAILED", code="CONTENT_REJECTED") == 1
    assert increase("generation_stage_seconds_count", stage="GENERATING") == 2
    assert increase("generation_stage_seconds_count", stage="STORING") == 1
    assert sample(after, "bus_connected") == sample(after, "database_up") == 1


@pytest.mark.any_database
async def test_failures_are_exported_before_they_happen(server: Running) -> None:
    exported = set(await read_metrics(server.api.http))
    for name, label, values in (
        ("provider_failures_total", "cause", [cause.value for cause in FailureCause]),
        ("content_checks_total", "outcome", ["blocklist", "rejected", "accepted", "outage"]),
        ("sockets_refused_total", "reason", ["client", "account", "messages", "fragments"]),
        ("database_replica_reads_total", "outcome", ["replica", "behind", "down", "failed"]),
    ):
        more = {"provider": "openrouter"} if name == "provider_failures_total" else {}
        for value in values:
            assert (f"darkroom_{name}", frozenset({label: value, **more}.items())) in exported, (name, value)


async def test_queue_metrics_are_read_from_the_database(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    style = await ada.style("noir", "avenger")
    await ada.create(photo(), styleId=style, count=2)

    async def is_refreshed() -> bool:  # the values are read at most every two seconds
        found = await read_metrics(idle_server.api.http)
        return sample(found, "queue_depth", status="PENDING") == 2 and sample(found, "queue_oldest_seconds") > 0

    await until(is_refreshed)
    found = await read_metrics(idle_server.api.http)
    assert sample(found, "queue_depth", status="PROCESSING") == sample(found, "worker_slots") == 0


async def test_largest_clock_skew_of_a_worker_is_exported_by_servers(idle_server: Running) -> None:
    for name, seconds in (("right", 0), ("behind", -600), ("ahead", 60)):
        await rows(
            "INSERT INTO workers (name, concurrency, seen_at, clock) VALUES ($1, 1, NOW(), LATER($2)) RETURNING name",
            name,
            seconds,
        )

    async def is_exported() -> bool:  # the values are read at most every two seconds
        return 599 < sample(await read_metrics(idle_server.api.http), "worker_clock_skew_seconds") < 601

    await until(is_exported)


@pytest.mark.any_database
async def test_clients_cannot_create_time_series(server: Running) -> None:
    http = server.api.http
    await read_metrics(http)
    before = set(await read_metrics(http))
    for word in ("one", "two"):
        await http.get(f"/{word}/{word}")
        await http.request(word.upper(), "/graphql")
        await server.api.raw(f"query {word} {{ {word}: viewer {{ id }} }}")
        await server.api.raw(f"{{ {word} }}")
        fragment = f"fragment {word} on Query {{ {word}: styles {{ totalCount }} }}"
        await server.api.raw(f"query {word} {{ ...{word} }} {fragment}")
    made = {label for _, labels in set(await read_metrics(http)) - before for _, label in labels}
    assert {"other", "viewer", "styles"} <= made | {label for _, labels in before for _, label in labels}
    assert made & {"one", "two", "ONE", "TWO", "/one", "/two"} == set()


@pytest.fixture
async def guarded(settings: Settings) -> AsyncIterator[Running]:
    async with running(settings.model_copy(update={"metrics_token": TOKEN}), idle=True) as server:
        yield server


@pytest.mark.any_database
async def test_metrics_token_protects_servers_and_workers(guarded: Running) -> None:
    http = guarded.api.http
    for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
        refused = await http.get("/metrics", headers=given)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert await read_metrics(http, TOKEN)
    port = free_port()
    async with (
        serving_metrics(guarded.services, "127.0.0.1", port, TOKEN, OPTIONS),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as worker,
    ):
        assert (await worker.get("/metrics")).status_code == 401
        assert (await worker.get("/graphql")).status_code == 404
        assert await read_metrics(worker, TOKEN)
        with pytest.raises(OSError, match="in use"):
            async with serving_metrics(guarded.services, "127.0.0.1", port, TOKEN, OPTIONS):
                pass
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient() as late:
            await late.get(f"http://127.0.0.1:{port}/metrics")
