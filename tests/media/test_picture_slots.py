"""Decoding of uploads: an account's pictures delay no other account, and too many refused ones stop it for a while."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from models import Generation
from models.database.connection import rows
from services.integrations.images.sanitizer import CHILD, ImageSanitizer, Sanitizers
from setting_types import Switch
from settings import PROFILES, Settings
from tests.conftest import Running, running
from tests.media.test_direct_upload import sent
from tests.support.client import CREATE, Api, photo, until
from tests.support.corpus import pictures
from tests.support.fakes.held_pictures import SCRIPTED_CHILD, held, holding, release
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.integrity import assert_invariants

CREATE_ONE = CREATE.replace("errors { code", "errors { __typename code ... on RateLimitedError { retryAfter }")
QUARTER = 15 * 60  # seconds
IN_FLIGHT = 4  # pictures of one account: one is decoded, the others wait
HOSTILE = {
    "damaged": photo()[:400],
    "a bomb": pictures.jpeg_header(65500, 65500),
    "no picture": b"<svg/>",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"rate_limits": Switch.ON, "signup_credits": 60})


@contextlib.asynccontextmanager
async def slow_server(
    settings: Settings, processes: int, max_wait: float = 60, *, idle: bool = False
) -> AsyncIterator[Running]:
    """Run a server on which the test holds the decoding of pictures; `idle`: as of `running`."""
    sanitizers = Sanitizers(
        uploads=ImageSanitizer(
            processes=processes, per_account=1, max_wait=max_wait, timeout=60, program=SCRIPTED_CHILD
        ),
        results=ImageSanitizer(processes=1),
    )
    async with running(settings, idle=idle, sanitizers=sanitizers) as server:
        yield server
    await sanitizers.aclose()


async def order(api: Api, image: bytes | None = None, **more: str) -> dict[str, Any]:
    """Request one generation and return the only error of its payload; empty if there is none."""
    files = {"input.image": image} if image is not None else None
    made = await api.one(CREATE_ONE, files, input={"prompt": "A fox", **more})
    (error,) = made["errors"] or [{}]
    return dict(error)


async def complete(api: Api, image: bytes | None = None) -> None:
    """Request one generation and wait until it is completed."""
    created = await api.create(image, prompt="A fox")
    assert (await api.wait_for_end(created["generations"][0]["id"]))["status"] == "COMPLETED"


@pytest.mark.parametrize("processes", [1, 2])
async def test_slow_pictures_of_one_account_delay_no_other_account(
    settings: Settings, tmp_path: Path, processes: int
) -> None:
    async with slow_server(settings, processes) as server:
        uploads = server.services.integrations.sanitizers.uploads
        eve, bob = await server.api.sign_up("eve@example.com"), await server.api.sign_up("bob@example.com")
        first, later = tmp_path / "first", tmp_path / "later"

        async def is_full() -> bool:
            return bool(holding(first)) and uploads.waiting == IN_FLIGHT - 1

        flood = [asyncio.create_task(order(eve, held(first)))]
        await until(lambda: asyncio.sleep(0, holding(first)))
        flood += [asyncio.create_task(order(eve, held(later))) for _ in range(23)]
        await until(lambda: asyncio.sleep(0, sum(task.done() for task in flood) == 24 - IN_FLIGHT))
        assert await is_full()

        await complete(bob)
        upload = asyncio.create_task(complete(bob, photo()))
        if processes == 1:  # it waits for the picture that is being decoded, and for no other of the account
            await until(lambda: asyncio.sleep(0, uploads.waiting == IN_FLIGHT))
            release(first, "TOO_SLOW")
        await upload
        assert len(holding(first)) + len(holding(later)) == 1, "one of the account at a time"

        release(first, "TOO_SLOW")
        release(later, "TOO_SLOW")
        errors = await asyncio.gather(*flood)
        assert [error["code"] for error in errors].count("INVALID_INPUT") == IN_FLIGHT
        refused = [error for error in errors if error["code"] != "INVALID_INPUT"]
        assert [(error["__typename"], error["retryAfter"]) for error in refused] == [("RateLimitedError", 5)] * 20
        await _check_nothing_is_left_of(server, eve)


async def _check_nothing_is_left_of(server: Running, api: Api) -> None:
    assert await api.credits() == 60
    assert await Generation.filter(user_id=api.user["id"]).count() == 0
    assert await rows("SELECT id FROM files WHERE owner_id = $1", api.user["id"]) == []
    await assert_invariants(server.services, all_ended=True)


# Its first two processes exit at once, as where memory is short.
STARTS_LATE = """
import pathlib, sys
for name in ("first", "second"):
    path = pathlib.Path(__file__).with_name(name)
    if not path.exists():
        path.touch()
        sys.exit(1)
sys.path.insert(0, "FOLDER")
import sanitizer_process
sanitizer_process.main(*map(int, sys.argv[1:]))
"""


async def test_result_is_sanitized_again_after_an_outage_of_the_children(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter, tmp_path: Path
) -> None:
    program = tmp_path / "starts_late.py"
    program.write_text(STARTS_LATE.replace("FOLDER", str(CHILD.parent)))
    sanitizers = Sanitizers(uploads=ImageSanitizer(), results=ImageSanitizer(processes=1, program=program))
    async with running(scripted_settings, sanitizers=sanitizers) as server:
        await complete(await server.api.sign_up())
        assert program.with_name("second").exists()
        assert len(openrouter.calls) == 1
        await assert_invariants(server.services, all_ended=True)
    await sanitizers.aclose()


async def test_ordinary_pictures_of_one_account_sent_at_once_are_all_accepted(settings: Settings) -> None:
    async with slow_server(settings, 1, idle=True) as server:
        ada = await server.api.sign_up()
        assert await asyncio.gather(*(order(ada, photo()) for _ in range(IN_FLIGHT))) == [{}] * IN_FLIGHT


async def test_picture_whose_turn_does_not_come_is_rate_limited(settings: Settings, tmp_path: Path) -> None:
    async with slow_server(settings, 1, max_wait=0.01, idle=True) as server:
        eve, bob = await server.api.sign_up("eve@example.com"), await server.api.sign_up("bob@example.com")
        gate = tmp_path / "gate"
        slow = asyncio.create_task(order(eve, held(gate)))
        await until(lambda: asyncio.sleep(0, holding(gate)))
        error = await order(bob, photo())
        assert (error["__typename"], error["retryAfter"]) == ("RateLimitedError", 5)
        release(gate, "TOO_SLOW")
        assert (await slow)["code"] == "INVALID_INPUT"
        assert await order(bob, photo()) == {}


async def test_twenty_refused_pictures_stop_an_account_for_a_while(idle_server: Running) -> None:
    ada, bob = await idle_server.api.sign_up(), await idle_server.api.sign_up("bob@example.com")
    hostile, good = list(HOSTILE.values()), photo()
    for number in range(10):
        assert (await order(ada, hostile[number % 3]))["code"] == "INVALID_INPUT"
        upload_id = await sent(ada, hostile[number % 3])
        assert (await order(ada, uploadId=upload_id))["code"] == "INVALID_INPUT"
    for error in (await order(ada, good), await order(ada, uploadId=await sent(ada, good))):
        assert (error["__typename"], error["code"]) == ("RateLimitedError", "RATE_LIMITED")
        assert 1 <= error["retryAfter"] <= QUARTER + 2
    assert await order(ada) == {}, "an order without a picture"
    assert await order(bob, good) == {}
    assert await ada.credits() == 10_000 - 1


@pytest.mark.any_database
@pytest.mark.parametrize(("setting", "refused"), [(None, 2), (0, 4), (3, 3)])
async def test_the_operators_limit_of_refused_pictures_overrides_the_profiles(
    settings: Settings, tmp_path: Path, setting: int | None, refused: int
) -> None:
    studio = (PROFILES / "studio.toml").read_text(encoding="utf-8")
    (tmp_path / "shared").symlink_to(PROFILES / "shared")
    (tmp_path / "limited.toml").write_text(studio.replace("[limits]\n", "[limits]\nrefused_pictures = 2\n"))
    changes = {"profile": str(tmp_path / "limited"), "rate_limit_refused_pictures": setting}
    async with running(settings.model_copy(update=changes), idle=True) as server:
        ada = await server.api.sign_up()
        codes = [(await order(ada, HOSTILE["damaged"]))["code"] for _ in range(4)]
    assert codes == ["INVALID_INPUT"] * refused + ["RATE_LIMITED"] * (4 - refused)
