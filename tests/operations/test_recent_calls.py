"""Health, metrics and check name models whose calls fail or are slow, from the rows that all processes share."""

import json
from datetime import timedelta
from typing import Any

import pytest

from models.database.connection import database_time
from models.enum import MediaKind
from services.operations.providers import recent_calls
from services.operations.providers.recent_calls import FAILING, SLOW, TIMING_OUT, read_recent_calls
from settings import Settings
from state_check import calls_lines
from tests.conftest import Running, running
from tests.support import factories
from tests.support.client import photo
from tests.support.factories import insert
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status

DEADLINES = {MediaKind.IMAGE: 60.0, MediaKind.VIDEO: 1200.0}
MODEL = "google/gemini-2.5-flash-image"


def one_try(code: str | None, seconds: float = 2.0, *, model: str = MODEL, sent: bool = True) -> dict[str, Any]:
    return {"provider": "openrouter", "model": model, "code": code, "seconds": seconds, "sent": sent}


class History:
    """Writes ended generations of one account, as workers of other processes would have left them."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    async def ended(self, age: float, *tries: dict[str, Any], media: str = "IMAGE", quality: str = "STANDARD") -> None:
        """Write a generation that ended `age` seconds ago, after these tries."""
        at = await database_time() - timedelta(seconds=age)
        code = tries[-1]["code"]
        end = {"completed_at": at, "created_at": at, "started_at": at, "provider_path": json.dumps(tries)}
        if code is None:
            file = (await insert("files", factories.file(self._owner, kind="RESULT")))["id"]
            end |= {"status": "COMPLETED", "stage": "COMPLETED", "progress": 1.0, "result_id": file}
        else:
            end |= {"status": "FAILED", "stage": "FAILED", "error_code": code}
        row = factories.generation(self._owner, media=media, quality=quality, provider="openrouter", **end)
        await insert("generations", row)


@pytest.fixture
async def history(idle_server: Running) -> History:
    return History(str((await idle_server.api.sign_up()).user["id"]))


async def problems() -> dict[str, str]:
    return {each.model: each.problem for each in await read_recent_calls(DEADLINES)}


async def test_calls_of_the_last_quarter_of_an_hour_are_reported_by_model(history: History) -> None:
    assert await read_recent_calls(DEADLINES) == []
    await history.ended(890, one_try("PROVIDER_UNAVAILABLE", 0.5), one_try(None, 3.0, model="other/model"))
    await history.ended(910, one_try("GENERATION_FAILED"))  # too long ago
    for number in range(5):
        await history.ended(60 + number, one_try(None, 4.0 + number))
    await history.ended(1, one_try("CONTENT_REJECTED", 1.0))
    await history.ended(1, one_try("PROVIDER_MISCONFIGURED", 0.0, sent=False))  # paused: there was no call
    first, second = await read_recent_calls(DEADLINES)
    assert (first.model, first.calls, first.codes, first.typical_seconds) == (
        MODEL,
        7,
        {"PROVIDER_UNAVAILABLE": 1},
        6.0,
    )
    assert (second.model, second.calls, second.failed, second.typical_seconds) == ("other/model", 1, 0, 3.0)
    assert (first.problem, second.problem) == ("", "")
    assert calls_lines([first]) == [
        f"ok    calls      openrouter {MODEL}: 1 of 7 calls failed (PROVIDER_UNAVAILABLE 1) in the last 15 min,"
        " typically 6.0 s"
    ]
    (none,) = calls_lines([])
    assert none.startswith("none  calls")


async def test_more_than_a_fifth_of_failed_calls_is_a_problem_until_others_succeed(history: History) -> None:
    for _ in range(8):
        await history.ended(100, one_try(None))
    for _ in range(2):
        await history.ended(50, one_try("PROVIDER_UNAVAILABLE"))
    assert await problems() == {MODEL: ""}  # two failures are chance
    await history.ended(40, one_try("GENERATION_FAILED"))
    assert await problems() == {MODEL: FAILING}
    for _ in range(4):
        await history.ended(30, one_try(None))
    assert await problems() == {MODEL: ""}  # three of fifteen


async def test_rare_calls_that_fail_are_a_problem_until_three_succeed(history: History) -> None:
    for age in (800, 500, 200):
        await history.ended(age, one_try("GENERATION_TIMEOUT", 60.0))
    assert await problems() == {MODEL: TIMING_OUT}
    for age in (190, 180):
        await history.ended(age, one_try(None))
    assert await problems() == {MODEL: TIMING_OUT}
    await history.ended(170, one_try(None))
    assert await problems() == {MODEL: ""}


async def test_successful_calls_of_more_than_half_of_their_deadline_are_slow(history: History) -> None:
    for _ in range(3):
        await history.ended(400, one_try(None, 50.0))  # before the last five minutes
        await history.ended(10, one_try(None, 31.0))
        await history.ended(10, one_try(None, 500.0, model="a/film"), media="VIDEO", quality="HD")
    assert await problems() == {MODEL: SLOW, "a/film": ""}
    found = {each.model: each for each in await read_recent_calls(DEADLINES)}
    (line, _) = calls_lines([found[MODEL], found["a/film"]])
    assert line == f"low   calls      openrouter {MODEL}: 6 calls in the last 15 min, typically 40.5 s: slow"


async def test_newest_generations_of_all_kinds_are_read_together(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out is the oldest, whichever index it is in, so that the share of failures is right."""
    monkeypatch.setattr(recent_calls, "_MOST", 6)
    for number in range(5):
        await history.ended(100 + number, one_try("GENERATION_FAILED"))
        await history.ended(50 + number, one_try(None), quality=("STANDARD", "HD")[number % 2])
    (found,) = await read_recent_calls(DEADLINES)
    assert (found.calls, found.failed) == (6, 1)


async def test_provider_whose_calls_fail_is_named_everywhere_by_a_process_that_calls_none(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_calls, "_TTL", 0.0)
    openrouter.script(status(500))
    async with running(scripted_settings) as server:
        ada = await server.api.sign_up()
        style = await ada.style("noir", "avenger")
        for width in (64, 65, 66):
            (made,) = (await ada.create(photo(width, 48), styleId=style))["generations"]
            assert (await ada.wait_for_end(made["id"]))["status"] == "FAILED"
    async with running(scripted_settings, idle=True) as other:
        plain = (await other.api.http.get("/health")).json()
        assert (plain["status"], plain["provider openrouter"]) == ("degraded", FAILING)
        answer = await other.api.http.get("/health?full=1")
        report = answer.json()
        assert (answer.status_code, report["status"], report["provider openrouter"]) == (200, "degraded", FAILING)
        (found,) = report["operations"]["provider_calls"]
        assert (found["provider"], found["failed"], found["failure_share"], found["problem"]) == (
            "openrouter", found["calls"], 1.0, FAILING,
        )  # fmt: skip
        labels = f'model="{found["model"]}",provider="openrouter"'
        metrics = (await other.api.http.get("/metrics")).text.splitlines()
        assert (
            f'darkroom_provider_degraded{{model="{found["model"]}",problem="calls fail",provider="openrouter"}} 1.0'
            in metrics
        )
        assert f"darkroom_provider_recent_failures{{{labels}}} {found['failed']:.1f}" in metrics
