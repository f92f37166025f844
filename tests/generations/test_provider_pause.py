"""A provider that refuses the key or the account: what is paid for waits, and is made once the provider accepts it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands.queue import execute
from main import parse_arguments
from models import Generation, ProviderPause
from models.database.connection import rows
from services.integrations.providers.failure_cause import FailureCause
from services.operations.provider_keys import ProviderKeys
from services.operations.provider_pause import ProviderPauses, read_pauses
from settings import Settings
from state_check import paused_lines
from telemetry import metric
from tests.conftest import Running, running
from tests.support.client import Api, photo, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.integrity import assert_invariants, make_admin

ORDERS = 4


async def order(client: Api, number: int) -> str:
    """Order a picture whose policy refunds nothing once the provider was called; return its id."""
    style = await client.style("noir", "avenger")
    (created,) = (await client.create(photo(width=320 + number), styleId=style))["generations"]
    return str(created["id"])


async def has_waited(ids: list[str]) -> bool:
    """Whether all are back in the queue, as if they had never been started."""
    found = await Generation.filter(id__in=ids)
    return all((str(row.status), row.attempts, row.provider_calls) == ("PENDING", 0, 0) for row in found)


async def lines(user_id: str) -> list[tuple[str, int]]:
    query = "SELECT type, amount FROM credit_transactions WHERE user_id = $1 AND type <> 'BONUS' ORDER BY id"
    return [(row["type"], row["amount"]) for row in await rows(query, user_id)]


async def is_paused(server: Running) -> bool:
    return server.services.operations.provider_pauses.problem("openrouter") is not None


async def test_orders_wait_while_the_key_is_refused_and_are_charged_once(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    valid, openrouter.key = openrouter.key, "another-key"
    refusals = metric.provider_failures.labels("openrouter", "key")
    before = refusals._value.get()
    async with running(scripted_settings) as server:
        ada = await server.api.sign_up()
        ids = [await order(ada, number) for number in range(ORDERS)]

        async def is_paused_with_all() -> bool:
            return await is_paused(server) and await has_waited(ids)

        await until(is_paused_with_all)
        health = (await ada.http.get("/health")).json()
        assert (health["status"], health["provider openrouter"]) == ("degraded", "the key is refused")
        assert refusals._value.get() > before
        assert valid not in json.dumps(health)
        calls = len(openrouter.calls)
        questions = openrouter.key_calls

        async def was_asked() -> bool:
            return openrouter.key_calls > questions

        await until(was_asked)
        assert len(openrouter.calls) <= calls + ORDERS  # those that were started before the pause

        openrouter.key = valid
        ended: list[Any] = [await ada.wait_for_end(id) for id in ids]
        assert {one["status"] for one in ended} == {"COMPLETED"}
        assert await lines(ada.user["id"]) == [("DEDUCTION", ended[0]["cost"] * -1)] * ORDERS
        assert (await ada.http.get("/health")).json()["provider openrouter"] == "ok"
        await assert_invariants(server.services, all_ended=True)


async def test_provider_that_refuses_all_calls_with_a_good_key_pauses_after_a_few(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script(status(402, "payment_required"))
    settings = scripted_settings.model_copy(update={"worker_concurrency": 1})
    async with running(settings) as server:
        ada = await server.api.sign_up()
        ids = [await order(ada, number) for number in range(10)]

        async def has_paused() -> bool:
            return await is_paused(server)

        await until(has_paused)
        openrouter.script(picture())
        ended = [await ada.wait_for_end(id) for id in ids]
        failed = [one for one in ended if one["status"] == "FAILED"]
        assert len(failed) == 4  # each as its policy says; the fifth refusal in a row paused the queue
        assert {one["errorCode"] for one in failed} == {"PROVIDER_MISCONFIGURED"}
        assert {one["status"] for one in ended[4:]} == {"COMPLETED"}
        await assert_invariants(server.services, all_ended=True)


STATE = "query($id: ID!) { viewer { generation(id: $id) { status message estimatedSeconds } } }"
WAITS = "The image service does not accept our requests at the moment. Your order waits and will be made."


async def state_of(api: Api, id: str) -> Any:
    return (await api.one(STATE, id=id))["generation"]


async def paused_models(api: Api) -> Any:
    return (await api.one("{ deployment { status { pausedModels } } }"))["status"]["pausedModels"]


async def full_health(api: Api) -> Any:
    return (await api.http.get("/health?full=1")).json()


@pytest.mark.any_database
async def test_every_process_shows_the_pause_until_an_operator_ends_it(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    valid, openrouter.key = openrouter.key, "another-key"
    paused = metric.provider_paused.labels("openrouter")
    async with running(scripted_settings) as server:
        ada, admin = await server.api.sign_up(), await make_admin(server.api)
        id = await order(ada, 0)
        await until(lambda: is_paused(server))
        await until(lambda: has_waited([id]))
    async with running(scripted_settings, idle=True) as server:  # which calls no provider
        ada = Api(server.api.http, server.api.address, ada.token, ada.user)
        second = await order(ada, 1)
        for each in (id, second):
            assert await state_of(ada, each) == {"status": "PENDING", "message": WAITS, "estimatedSeconds": None}
        chinese = await ada.raw(STATE, headers={"accept-language": "zh"}, id=id)
        assert chinese.json()["data"]["viewer"]["generation"]["message"].startswith("\u56fe\u50cf\u670d\u52a1")
        offered = [model["id"] for model in await ada.one("{ models { id } }")]
        assert offered
        assert await paused_models(server.api) == offered
        health = await full_health(server.api)
        assert (health["status"], health["provider openrouter"]) == ("degraded", "the key is refused")
        (shown,) = health["operations"]["providers_paused"]
        assert (shown["provider"], shown["problem"]) == ("openrouter", "the key is refused")
        assert "google/gemini-2.5-flash-image" in shown["models"]
        assert valid not in json.dumps(health)
        assert paused._value.get() == 1
        (line,) = paused_lines(await read_pauses(), server.services.integrations.route_tables)
        assert line.startswith("FAIL  paused     openrouter: the key is refused")
        capsys.readouterr()
        assert await execute(server.services, parse_arguments(["queue"])) == 0
        assert "openrouter: the key is refused, for " in capsys.readouterr().out
        resume = ["queue", "resume", "--as", admin.user["email"]]
        assert await execute(server.services, parse_arguments(resume)) == 0
        assert "openrouter is called again." in capsys.readouterr().out
        assert (await full_health(server.api))["operations"]["providers_paused"] == []
        assert await paused_models(server.api) == []
        assert paused._value.get() == 0
        assert (await state_of(ada, id))["message"] == "Waiting for a free worker."
    openrouter.key = valid
    async with running(scripted_settings) as server:
        ada = Api(server.api.http, server.api.address, ada.token, ada.user)
        assert {(await ada.wait_for_end(each))["status"] for each in (id, second)} == {"COMPLETED"}
        await assert_invariants(server.services, all_ended=True)


@pytest.mark.any_database
async def test_another_provider_makes_everything_while_the_first_is_paused(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    valid, openrouter.key = openrouter.key, "another-key"
    changes = {"fallback_models": ("demo:demo",), "generation_deadline_seconds": 60.0}  # the demo draws
    settings = scripted_settings.model_copy(update=changes)
    async with running(settings) as server:
        ada = await server.api.sign_up()
        first = await ada.wait_for_end(await order(ada, 0))
        assert (first["status"], first["provider"]) == ("COMPLETED", "demo")
        await until(lambda: is_paused(server))
        calls = len(openrouter.calls)
        ended = [await ada.wait_for_end(await order(ada, number)) for number in range(1, 4)]
        assert {(one["status"], one["provider"]) for one in ended} == {("COMPLETED", "demo")}
        assert len(openrouter.calls) == calls, "a paused provider is not called"
        assert (await full_health(server.api))["provider openrouter"] == "the key is refused"
        assert (await state_of(ada, ended[0]["id"]))["message"] == "Your picture is ready."
        openrouter.key = valid

        async def is_made_by_openrouter() -> bool:
            made = await ada.wait_for_end(await order(ada, 9))
            return (made["status"], made["provider"]) == ("COMPLETED", "openrouter")

        await until(is_made_by_openrouter)
        assert not await is_paused(server)
        await assert_invariants(server.services, all_ended=True)


async def test_one_worker_asks_and_the_pause_of_all_ends(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    """Two workers of one database: what the first finds out holds for the second."""
    openrouter.key = "another-key"
    async with running(scripted_settings, idle=True) as server:
        services = server.services
        here = services.operations.provider_pauses
        keys = ProviderKeys(services.integrations.routes.providers)
        there = ProviderPauses(services.integrations.bus, keys, services.integrations.route_tables, pause=600.0)
        assert await here.refused("openrouter", FailureCause.KEY)
        assert (await here.allowed(4), await there.allowed(4)) == (0, 4)
        await there.refresh()
        assert await there.allowed(4) == 0
        assert there.problem("openrouter") is FailureCause.KEY
        asked = openrouter.key_calls
        await there.refused("openrouter", FailureCause.KEY)  # of a call that was made before
        assert openrouter.key_calls == asked
        await here.worked("openrouter")
        await there.refresh()
        assert (await here.allowed(4), await there.allowed(4)) == (4, 4)


async def test_pause_of_a_provider_that_is_not_used_any_more_ends(scripted_settings: Settings) -> None:
    async with running(scripted_settings, idle=True) as server:
        ada = await server.api.sign_up()
        moment = datetime.now(UTC) - timedelta(hours=1)
        await ProviderPause.create(provider="another", cause="key", began_at=moment, asks_at=moment, questions=9)
        pauses = server.services.operations.provider_pauses
        await pauses.refresh()
        await order(ada, 0)
        assert await pauses.allowed(4) == 4
        assert pauses.present == ()
        assert await read_pauses() == {}


async def test_subscribers_of_what_waits_are_sent_the_beginning_and_the_end_of_a_pause(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.key = "another-key"
    query = "subscription($id: ID!) { generationProgress(id: $id) { status version message estimatedSeconds } }"
    async with running(scripted_settings, idle=True) as server:
        ada = await server.api.sign_up()
        pauses = server.services.operations.provider_pauses
        id = await order(ada, 0)
        async with ada.socket() as socket:
            progress = await socket.subscribe(query, id=id)
            waiting = await progress.next()
            assert waiting["message"] == "Waiting for a free worker."
            assert await pauses.refused("openrouter", FailureCause.KEY)
            paused = await progress.next()
            assert paused["message"].endswith("Your order waits and will be made.")
            late = await socket.subscribe(query, id=id)
            assert await late.next() == paused
            await pauses.end(["openrouter"])
            assert await progress.next() == await late.next() == waiting
            assert {paused["version"], waiting["version"]} == {waiting["version"]}
            await server.services.generations.requests.cancel(str(ada.user["id"]), id)
            assert (await progress.next())["status"] == (await late.next())["status"] == "CANCELED"
