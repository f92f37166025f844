"""Fallback and circuits: another model is tried where no work was begun, and a model that is down is left alone."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from models import CreditTransaction, Generation
from settings import Settings
from tests.conftest import running
from tests.support.client import Api, photo, until
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.fakes.raw_server import Response
from tests.support.integrity import assert_invariants, make_admin

ORDERED = "google/gemini-3.1-flash-image"
OTHER = "google/gemini-2.5-flash-image"  # makes STANDARD only
MADE_BY_OTHER = answer.picture(model=OTHER)
PATH = "providerPath { provider model errorCode seconds sent }"

# What says that no work was begun, with the code that it ends in where no other model is left.
UNSTARTED = {
    "an unknown model": (status(404, "not_found"), "PROVIDER_MISCONFIGURED"),
    "no credit": (status(402, "payment_required"), "PROVIDER_MISCONFIGURED"),
    "a refused key": (status(401, "authentication"), "PROVIDER_MISCONFIGURED"),
    "too many requests": (status(429, "rate_limit_exceeded", retry_after="60"), "PROVIDER_UNAVAILABLE"),
    "overloaded": (status(503, "provider_unavailable", retry_after="60"), "PROVIDER_UNAVAILABLE"),
}
# After these the provider may have worked, or the request itself was declined.
STARTED = {
    "an error": (status(500, "server"), "PROVIDER_UNAVAILABLE"),
    "a bad gateway": (status(502, "provider_unavailable"), "PROVIDER_UNAVAILABLE"),
    "a lost connection": (answer.reset(), "PROVIDER_UNAVAILABLE"),
    "half an answer": (answer.truncated(), "PROVIDER_UNAVAILABLE"),
    "no credit, in a 200": (answer.error_in_200(402, "payment_required"), "PROVIDER_MISCONFIGURED"),
    "text only": (answer.text_only(), "GENERATION_FAILED"),
    "a wrong request": (status(400, "invalid_request"), "GENERATION_FAILED"),
    "a declined request": (answer.moderation(), "CONTENT_REJECTED"),
}


@pytest.fixture
def fallback_settings(scripted_settings: Settings) -> Settings:
    return scripted_settings.model_copy(
        update={"openrouter_model": ORDERED, "fallback_models": (f"openrouter:{OTHER}",)}
    )


def models_called(openrouter: ScriptedOpenRouter) -> list[str]:
    return [call.body["model"] for call in openrouter.calls]


async def order(api: Api, **input: Any) -> dict[str, Any]:
    """Create a generation and wait for its end."""
    (created,) = (await api.create(prompt="A fox", **input))["generations"]
    ended: dict[str, Any] = await api.wait_for_end(created["id"])
    return ended


async def path_of(generation_id: str) -> list[tuple[str | None, str | None, bool]]:
    """Return model, code and whether a request was sent of every try."""
    path = (await Generation.get(id=generation_id)).provider_path or []
    assert all(one["provider"] == "openrouter" and 0 <= one["seconds"] < 10 for one in path)
    return [(one["model"], one["code"], one["sent"]) for one in path]


async def test_next_model_makes_what_the_ordered_one_did_not_begin(
    fallback_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    async with running(fallback_settings) as server:
        ada = await server.api.sign_up()
        for number, (name, (refusal, code)) in enumerate(UNSTARTED.items(), 1):
            openrouter.calls.clear()
            openrouter.by_model = {ORDERED: refusal, OTHER: MADE_BY_OTHER}
            ended = await order(ada)
            assert (ended["status"], ended["model"], ended["refunded"]) == ("COMPLETED", OTHER, False), name
            assert models_called(openrouter) == [ORDERED, OTHER], name
            assert await path_of(ended["id"]) == [(ORDERED, code, True), (OTHER, None, True)], name
            assert await ada.credits() == 10_000 - number, name
        await assert_invariants(server.services, all_ended=True, all_swept=True)


@pytest.mark.any_database
async def test_next_model_is_not_tried_where_the_ordered_one_may_have_worked(
    fallback_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    async with running(fallback_settings) as server:
        ada = await server.api.sign_up()
        for name, (given, code) in STARTED.items():
            openrouter.calls.clear()
            openrouter.by_model = {ORDERED: given}
            ended = await order(ada)
            assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", code, True), name
            assert models_called(openrouter) == [ORDERED], name
            assert await path_of(ended["id"]) == [(ORDERED, code, True)], name
        assert await ada.credits() == 10_000
        await assert_invariants(server.services, all_ended=True)


@pytest.mark.any_database
async def test_silence_until_the_deadline_leaves_nothing_to_the_next_model(
    fallback_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    settings = fallback_settings.model_copy(update={"generation_deadline_seconds": 0.5})
    openrouter.by_model = {ORDERED: answer.hang()}
    async with running(settings) as server:
        ended = await order(await server.api.sign_up())
        assert (ended["errorCode"], ended["refunded"]) == ("GENERATION_TIMEOUT", True)
        assert await path_of(ended["id"]) == [(ORDERED, "GENERATION_TIMEOUT", True)]
        assert models_called(openrouter) == [ORDERED]


@pytest.mark.any_database
async def test_short_pause_is_waited_for_and_a_long_one_is_not(
    fallback_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    async with running(fallback_settings) as server:
        ada = await server.api.sign_up()
        openrouter.script(status(429, retry_after="0.05"), status(503, retry_after="0.05"), answer.picture())
        ended = await order(ada)
        assert [code for _, code, _ in await path_of(ended["id"])] == ["PROVIDER_UNAVAILABLE"] * 2 + [None]
        assert models_called(openrouter) == [ORDERED] * 3
        openrouter.calls.clear()
        # Three calls of a model, and the next is tried.
        openrouter.by_model = {ORDERED: status(429, retry_after="0"), OTHER: MADE_BY_OTHER}
        ended = await order(ada)
        assert ended["model"] == OTHER
        assert models_called(openrouter) == [ORDERED] * 3 + [OTHER]
        assert (await Generation.get(id=ended["id"])).provider_calls == 4
        await assert_invariants(server.services, all_ended=True)


@pytest.mark.any_database
async def test_model_that_cannot_make_the_order_is_left_out(
    fallback_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.by_model = {ORDERED: status(404, "not_found")}
    async with running(fallback_settings) as server:
        ada = await server.api.sign_up()
        ended = await order(ada, quality="HD")
        assert (ended["status"], ended["errorCode"]) == ("FAILED", "PROVIDER_MISCONFIGURED")
        assert models_called(openrouter) == [ORDERED]


@pytest.mark.any_database
async def test_last_call_of_several_models_decides_the_code_and_the_refund(
    fallback_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.by_model = {ORDERED: status(404, "not_found"), OTHER: answer.moderation()}
    async with running(fallback_settings) as server:
        ada = await server.api.sign_up()
        noir = await ada.style("noir", "avenger")
        (created,) = (await ada.create(photo(), styleId=noir))["generations"]
        ended = await ada.wait_for_end(created["id"])
        assert (ended["errorCode"], ended["refunded"]) == ("CONTENT_REJECTED", False)
        assert await path_of(ended["id"]) == [
            (ORDERED, "PROVIDER_MISCONFIGURED", True),
            (OTHER, "CONTENT_REJECTED", True),
        ]


@pytest.mark.any_database
async def test_path_is_shown_to_admins_only(fallback_settings: Settings, openrouter: ScriptedOpenRouter) -> None:
    openrouter.by_model = {ORDERED: status(404, "not_found")}
    async with running(fallback_settings) as server:
        ada, admin = await server.api.sign_up(), await make_admin(server.api)
        id = (await order(ada))["id"]
        own = await ada.one(f"query($id: ID!) {{ viewer {{ generation(id: $id) {{ {PATH} }} }} }}", id=id)
        assert own["generation"] == {"providerPath": None}
        found = await admin.one(f"{{ admin {{ generations(first: 1) {{ nodes {{ {PATH} }} }} }} }}")
        shown = found["generations"]["nodes"][0]["providerPath"]
        for one in shown:
            assert one.pop("seconds") >= 0
        assert shown == [
            {"provider": "openrouter", "model": ORDERED, "errorCode": "PROVIDER_MISCONFIGURED", "sent": True},
            {"provider": "openrouter", "model": OTHER, "errorCode": None, "sent": True},
        ]


async def test_open_circuit_refunds_at_once(scripted_settings: Settings, openrouter: ScriptedOpenRouter) -> None:
    settings = scripted_settings.model_copy(update={"circuit_min_calls": 2, "circuit_open_seconds": 3000.0})
    async with running(settings) as server:
        ada = await server.api.sign_up()
        noir = await ada.style("noir", "avenger")
        openrouter.script(status(500, "server"))
        for _ in range(2):
            await order(ada)
        calls = len(openrouter.calls)
        (created,) = (await ada.create(photo(), styleId=noir))["generations"]
        ended = await ada.wait_for_end(created["id"])
        # Refunded also where the policy is to refund only what was not sent.
        assert (ended["errorCode"], ended["refunded"]) == ("PROVIDER_UNAVAILABLE", True)
        row = await Generation.get(id=ended["id"])
        assert (row.provider_calls, row.provider_called_at, len(openrouter.calls)) == (0, None, calls)
        assert [(one["code"], one["sent"]) for one in row.provider_path or []] == [("PROVIDER_UNAVAILABLE", False)]
        assert await ada.credits() == 10_000
        await assert_invariants(server.services, all_ended=True, all_swept=True)


async def test_circuit_closes_without_a_restart(scripted_settings: Settings, openrouter: ScriptedOpenRouter) -> None:
    settings = scripted_settings.model_copy(update={"circuit_min_calls": 2, "circuit_open_seconds": 0.05})
    async with running(settings) as server:
        ada = await server.api.sign_up()
        openrouter.script(status(500, "server"))
        for _ in range(2):
            await order(ada)
        (circuit,) = server.services.integrations.routes.circuits
        assert circuit.state != "closed"
        openrouter.script(answer.picture())

        async def is_made() -> bool:
            return bool((await order(ada))["status"] == "COMPLETED")

        await until(is_made)
        assert circuit.state == "closed"
        assert await is_made()
        await assert_invariants(server.services, all_ended=True, all_swept=True)


@pytest.mark.any_database
async def test_calls_beyond_the_limit_wait_for_their_turn(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.answering.clear()
    async with running(scripted_settings.model_copy(update={"provider_max_calls": 2})) as server:
        ada = await server.api.sign_up()
        created = (await ada.create(prompt="A fox", count=4))["generations"]

        async def all_have_begun() -> bool:
            return len(openrouter.calls) >= 2 and await Generation.filter(status="PROCESSING").count() == 4

        await until(all_have_begun)
        assert len(openrouter.calls) == 2
        assert sorted([row.provider_calls for row in await Generation.all()]) == [0, 0, 1, 1]
        openrouter.answering.set()
        ended = await ada.wait_for_all([one["id"] for one in created])
        assert [one["status"] for one in ended] == ["COMPLETED"] * 4


@pytest.mark.any_database
async def test_waiting_for_a_turn_until_the_deadline_is_no_call(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script(answer.hang())
    settings = scripted_settings.model_copy(update={"provider_max_calls": 1, "generation_deadline_seconds": 2.0})
    async with running(settings) as server:
        ada = await server.api.sign_up()
        noir = await ada.style("noir", "avenger")
        created = (await ada.create(photo(), styleId=noir, count=2))["generations"]
        ended = await ada.wait_for_all([one["id"] for one in created])
        found = Counter((one["errorCode"], one["refunded"]) for one in ended)
        assert found == {("GENERATION_TIMEOUT", False): 1, ("PROVIDER_UNAVAILABLE", True): 1}
        await assert_invariants(server.services, all_ended=True)


@pytest.mark.any_database
async def test_orders_wait_longer_than_their_deadline_for_a_provider_that_is_busy(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.delay = 0.6  # the last waits 6.6 s; a call is far shorter than the quarter of the deadline it is left
    settings = scripted_settings.model_copy(update={"provider_max_calls": 1, "generation_deadline_seconds": 6.0})
    shares = {"generation_user_concurrency": 12, "worker_concurrency": 12}
    async with running(settings.model_copy(update=shares)) as server:
        ada = await server.api.sign_up()
        created = [one for _ in range(3) for one in (await ada.create(prompt="A fox", count=4))["generations"]]
        ended = await ada.wait_for_all([one["id"] for one in created])
        assert [(one["status"], one["attempts"]) for one in ended] == [("COMPLETED", 1)] * 12
        assert len(openrouter.calls) == 12
        await assert_invariants(server.services, all_ended=True)


async def order_together(users: list[Api], each: int) -> list[dict[str, Any]]:
    """Create generations of several accounts at once and wait for all of them."""

    async def order_some(api: Api) -> list[dict[str, Any]]:
        created = [(await api.create(prompt="A fox", count=each))["generations"]]
        ended: list[dict[str, Any]] = await api.wait_for_all([one["id"] for some in created for one in some])
        return ended

    return [one for some in await asyncio.gather(*map(order_some, users)) for one in some]


@pytest.mark.timeout(120)
async def test_200_orders_of_a_provider_that_is_slow_then_busy_then_down_then_back(
    fallback_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    settings = fallback_settings.model_copy(update={"circuit_open_seconds": 0.4, "generation_user_concurrency": 8})
    settings = settings.model_copy(update={"circuit_min_calls": 20, "circuit_failure_share": 0.25})
    async with running(settings) as server:
        users = [await server.api.sign_up(f"user{number}@example.com") for number in range(10)]
        everything: list[dict[str, Any]] = []

        async def phase(ordered: Response, other: Response) -> Counter[tuple[str, str | None]]:
            openrouter.by_model = {ORDERED: ordered, OTHER: other}
            ended = await order_together(users, 4)
            everything.extend(ended)
            return Counter((one["status"], one["model"] or one["errorCode"]) for one in ended)

        openrouter.answering.clear()
        slow = asyncio.create_task(phase(answer.picture(), MADE_BY_OTHER))

        async def all_slots_wait() -> bool:
            return len(openrouter.calls) == settings.worker_concurrency

        await until(all_slots_wait)
        openrouter.answering.set()
        assert await slow == {("COMPLETED", ORDERED): 40}

        ours = server.services.integrations.routes
        (circuit, *_) = ours.circuits
        busy = await phase(status(429, retry_after="60"), MADE_BY_OTHER)
        assert busy == {("COMPLETED", OTHER): 40}  # every order is made by the other model
        assert circuit.state != "closed"

        # What tries the circuit may have been worked on, so it fails. The other model makes the rest.
        down = await phase(answer.reset(), MADE_BY_OTHER)
        assert set(down) <= {("COMPLETED", OTHER), ("FAILED", "PROVIDER_UNAVAILABLE")}
        assert down["COMPLETED", OTHER] > 0
        assert circuit.state != "closed"

        nothing = await phase(answer.reset(), status(503, retry_after="60"))
        assert nothing == {("FAILED", "PROVIDER_UNAVAILABLE"): 40}
        assert [found.state for found in ours.circuits].count("closed") == 0

        openrouter.by_model = {}
        while circuit.state != "closed":  # each order may try it
            everything.append(await order(users[0]))
        assert await phase(answer.picture(), MADE_BY_OTHER) == {("COMPLETED", ORDERED): 40}

        rows = {row.id: row for row in await Generation.all()}
        assert len(rows) == len(everything) > 200
        for one in everything:  # completed and paid for, or failed and refunded; by as many calls as are recorded
            row = rows[one["id"]]
            assert one["refunded"] is (one["status"] == "FAILED")
            assert row.provider_calls == sum(tried["sent"] for tried in row.provider_path or [])
        assert sum(row.provider_calls for row in rows.values()) == len(openrouter.calls)
        completed = Counter(row.user_id for row in rows.values() if row.status == "COMPLETED")
        for api in users:
            assert await api.credits() == 10_000 - completed[api.user["id"]]
        lines = Counter(line.reference for line in await CreditTransaction.exclude(generation_id=None))
        assert max(lines.values()) == 1
        await assert_invariants(server.services, all_ended=True, all_swept=True)
