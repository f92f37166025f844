"""Errors of Hugging Face: each ends in its code, its message and its refund, and leaks nothing; docs/providers.md."""

import json
import re
from typing import Any

import pytest

from models import Generation
from models.database.connection import is_postgres
from models.enum import ErrorCode
from setting_types import Switch
from settings import Settings
from tests.conftest import Running
from tests.support.client import Api
from tests.support.corpus import pictures
from tests.support.corpus.huggingface_cases import BAD_RESPONSES, BadResponse
from tests.support.fakes import huggingface_response as scripted
from tests.support.fakes.huggingface import TOKEN, ScriptedHuggingFace
from tests.support.huggingface_server import running_on_huggingface
from tests.support.integrity import assert_invariants

LEAK = f"LEAKED {TOKEN} https://internal.example/v1?token=8f3a"
MESSAGES = {  # part of the message of each code
    "PROVIDER_MISCONFIGURED": "not set up correctly",
    "CONTENT_REJECTED": "declined",
    "GENERATION_FAILED": "no usable picture",
    "GENERATION_TIMEOUT": "too long",
    "PROVIDER_UNAVAILABLE": "not available right now",
    "RATE_LIMITED": "limit of requests",
}
FAILED = ErrorCode.GENERATION_FAILED
CASES = (
    # The deadline is shorter than the pause within a response that the provider accepts.
    *(case for case in BAD_RESPONSES if case.name != "silence"),
    BadResponse("text with the type of a PNG", scripted.image(LEAK.encode()), FAILED),
    BadResponse("an empty image", scripted.image(b""), FAILED),
    BadResponse("a PNG cut in half", scripted.image(pictures.noisy_cut("PNG", 50)), FAILED),
    BadResponse("a GIF", scripted.image(pictures.encode(pictures.scene(), "GIF"), "image/gif"), FAILED),
    BadResponse("a decompression bomb", scripted.image(pictures.bomb(13_000)), FAILED),
    BadResponse("401 with a leak", scripted.error(401, LEAK), ErrorCode.PROVIDER_MISCONFIGURED),
    BadResponse("500 with a leak", scripted.error(500, {"message": LEAK}), ErrorCode.PROVIDER_UNAVAILABLE),
)
ERROR = "query($id: ID!) { viewer { generation(id: $id) { errorMessage } } }"


def calls_of(case: BadResponse) -> int:
    """Return the number of calls: repeated where nothing was computed and the pause fits into the deadline."""
    return 3 if case.may_retry and (case.retry_after or 0) < 1 else 1


async def check_message(api: Api, ended: dict[str, Any], name: str) -> None:
    chinese = await api.raw(ERROR, id=ended["id"], headers={"accept-language": "zh-CN"})
    in_chinese = chinese.json()["data"]["viewer"]["generation"]["errorMessage"]
    assert re.search(r"[\u4e00-\u9fff]", in_chinese), name
    assert MESSAGES[ended["errorCode"]] in ended["errorMessage"], name
    for text in (json.dumps(ended), chinese.text):
        for secret in ("LEAKED", TOKEN, TOKEN[:12], "internal.example", "token=8f3a"):
            assert secret not in text, (name, secret)


@pytest.mark.any_database
async def test_every_error_ends_in_its_code_with_one_charge_and_its_refund(settings: Settings) -> None:
    by_outcome = {(case.code, calls_of(case)): case for case in CASES}
    # The meaning of a response does not depend on the database: on PostgreSQL, one response for each code is enough.
    cases = by_outcome.values() if is_postgres(settings.database) else CASES
    changes: dict[str, Any] = {"profile": "studio", "signup_credits": 10_000, "generation_deadline_seconds": 3.0}
    changes["rate_limits"] = Switch.OFF
    changes["circuit_min_calls"] = 1000  # scripted errors are no outage
    async with ScriptedHuggingFace() as fake, running_on_huggingface(settings, fake, **changes) as server:
        ada = await server.api.sign_up()
        for case in cases:
            await check_case(server, ada, fake, case)
        await assert_invariants(server.services, all_ended=True)
        assert await ada.credits() == 10_000


async def check_case(server: Running, ada: Api, fake: ScriptedHuggingFace, case: BadResponse) -> None:
    calls = len(fake.calls)
    fake.script(case.response)
    (made,) = (await ada.create(prompt="A fox in oil"))["generations"]
    ended = await ada.wait_for_end(made["id"])
    found = (ended["status"], ended["errorCode"], ended["refunded"], ended["attempts"], ended["result"])
    assert found == ("FAILED", case.code, True, 1, None), case.name
    row = await Generation.get(id=ended["id"])
    assert row.provider_calls == len(fake.calls) - calls == calls_of(case), case.name
    assert row.provider == "huggingface"
    await check_message(ada, ended, case.name)


async def test_silent_model_ends_at_the_deadline(settings: Settings) -> None:
    async with (
        ScriptedHuggingFace() as fake,
        running_on_huggingface(settings, fake, profile="studio", generation_deadline_seconds=1.0) as server,
    ):
        fake.script(scripted.hang())
        ada = await server.api.sign_up()
        (made,) = (await ada.create(prompt="A fox in oil"))["generations"]
        ended = await ada.wait_for_end(made["id"])
        assert (ended["errorCode"], ended["refunded"]) == ("GENERATION_TIMEOUT", True)
        assert len(fake.calls) == 1
        await assert_invariants(server.services, all_ended=True)
