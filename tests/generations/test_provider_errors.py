"""Provider errors: each response ends in the right code, charge and refund, and in a message that leaks nothing."""

import json
import re
import socket
from dataclasses import dataclass
from typing import Any

import pytest

from models import Generation
from models.database.connection import is_postgres
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo
from tests.support.corpus import pictures
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.openrouter import KEY, ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.fakes.raw_server import Response
from tests.support.integrity import assert_invariants

# Text from a provider, which no client may ever receive.
LEAK = f"LEAKED {KEY} https://internal.example/v1?token=8f3a and the prompt"
PHOTO = photo(64, 48)
URL = "https://pictures.example/leaked.png"
MESSAGES = {  # part of the message of each code
    "PROVIDER_MISCONFIGURED": "not set up correctly",
    "CONTENT_REJECTED": "declined",
    "GENERATION_FAILED": "no usable picture",
    "GENERATION_TIMEOUT": "too long",
    "PROVIDER_UNAVAILABLE": "not available right now",
}


@dataclass(frozen=True)
class Case:
    name: str
    answer: Response
    code: str
    calls: int = 1  # of one generation


def misconfigured(code: int, error_type: str) -> Case:
    return Case(f"{code} {error_type}", status(code, error_type, text=LEAK), "PROVIDER_MISCONFIGURED")


def rejected(name: str, given: Response) -> Case:
    return Case(name, given, "CONTENT_REJECTED")


def failed(name: str, given: Response) -> Case:
    return Case(name, given, "GENERATION_FAILED")


def unavailable(name: str, given: Response, calls: int = 1) -> Case:
    return Case(name, given, "PROVIDER_UNAVAILABLE", calls)


CASES = (
    misconfigured(401, "authentication"),
    misconfigured(402, "payment_required"),
    misconfigured(403, "permission_denied"),
    misconfigured(404, "not_found"),
    rejected("403 moderation", answer.moderation(LEAK)),
    rejected("400 policy", status(400, "content_policy_violation", text=LEAK)),
    rejected("400 refusal", status(400, "refusal", text=LEAK)),
    rejected("refusal in a 200", answer.message(content=None, refusal=LEAK)),
    rejected("policy in a 200", answer.error_in_200(400, "content_policy_violation", LEAK)),
    rejected("content filter", answer.message(content=LEAK, finish_reason="content_filter")),
    rejected("image safety", answer.message(content=LEAK, native_finish_reason="IMAGE_SAFETY")),
    failed("400", status(400, "invalid_request", text=LEAK)),
    failed("400 without a type", status(400, text=LEAK)),
    failed("413", status(413, "payload_too_large", text=LEAK)),
    failed("422", status(422, "unprocessable", text=LEAK)),
    failed("text instead of an image", answer.message(content=LEAK)),
    failed("an empty message", answer.message(content="")),
    failed("invalid base64", answer.not_an_image()),
    failed("text with the type of a PNG", answer.picture(LEAK.encode())),
    failed("a PNG cut in half", answer.picture(pictures.noisy_cut("PNG", 50))),
    failed("a GIF", answer.picture(pictures.encode(pictures.scene(), "GIF"))),
    failed("a decompression bomb", answer.picture(pictures.bomb(13_000))),
    failed("a remote URL", answer.remote_url(URL)),
    failed("a URL of this machine", answer.remote_url("http://127.0.0.1:5432/")),
    failed("a body without an end", answer.huge()),
    failed("a gzip bomb", answer.gzip_bomb()),
    unavailable("429", status(429, "rate_limit_exceeded", text=LEAK, retry_after="0"), calls=3),
    unavailable("503", status(503, "provider_unavailable", text=LEAK, retry_after="0"), calls=3),
    unavailable("429 for a minute", status(429, "rate_limit_exceeded", text=LEAK, retry_after="60")),
    *(unavailable(str(code), status(code, "server", text=LEAK)) for code in (500, 502, 504, 524, 529)),
    unavailable("408", status(408, "timeout", text=LEAK)),
    unavailable("an endless 500", answer.huge(500)),
    unavailable("502 in a 200", answer.error_in_200(502, "server", LEAK)),
    unavailable("429 in a 200", answer.error_in_200(429, "rate_limit_exceeded", LEAK)),
    unavailable("an error without a code in a 200", answer.error_in_200(None, None, LEAK)),
    unavailable("an error in the stream", answer.sse_error()),
    unavailable("a truncated body", answer.truncated()),
    unavailable("a truncated stream", answer.truncated(answer.sse_picture())),
    unavailable("a stream without [DONE]", answer.sse_cut()),
    unavailable("an HTML page", answer.html_200()),
    unavailable("an empty body", answer.empty_200()),
    unavailable("unrelated JSON", answer.json_200({"hello": LEAK})),
    unavailable("a JSON list", answer.json_200([LEAK])),
    unavailable("a redirect", answer.redirect(URL)),
    unavailable("a reset", answer.reset()),
)

ERROR = "query($id: ID!) { viewer { generation(id: $id) { errorCode errorMessage } } }"


async def submit(api: Api, hero_style: str) -> list[str]:
    """Create one generation of each refund policy, sandbox (ON_FAILURE) and avenger (BEFORE_PROVIDER)."""
    (free,) = (await api.create(prompt="A fox in oil"))["generations"]
    (hero,) = (await api.create(PHOTO, styleId=hero_style))["generations"]
    return [str(free["id"]), str(hero["id"])]


async def check_message(api: Api, ended: dict[str, Any], name: str) -> None:
    """Check the message in English and Chinese, without any text from the provider."""
    chinese = await api.raw(ERROR, id=ended["id"], headers={"accept-language": "zh-CN"})
    in_chinese = chinese.json()["data"]["viewer"]["generation"]["errorMessage"]
    assert re.search(r"[\u4e00-\u9fff]", in_chinese), name
    assert MESSAGES[ended["errorCode"]] in ended["errorMessage"], name
    for text in (json.dumps(ended), chinese.text):
        for secret in ("LEAKED", KEY, KEY[:12], "internal.example", "pictures.example", "127.0.0.1:5432", "token=8f3a"):
            # URLs of the user's own files may contain the local address.
            assert secret not in re.sub(r"http://127\.0\.0\.1:\d+/files/\S+", "", text), (name, secret)


async def test_every_provider_error_ends_in_its_code_with_one_charge_and_the_right_refund(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await scripted.api.sign_up()
    noir = await ada.style("noir", "avenger")
    # The meaning of a response does not depend on the database: on PostgreSQL, one response for each code is enough.
    by_outcome = {(case.code, case.calls): case for case in CASES}
    for case in by_outcome.values() if is_postgres(scripted.settings.database) else CASES:
        before, calls = await ada.credits(), len(openrouter.calls)
        openrouter.script(case.answer)
        free, hero = await ada.wait_for_all(await submit(ada, noir))
        for ended, refunded in ((free, True), (hero, False)):
            found = (ended["status"], ended["errorCode"], ended["refunded"], ended["attempts"], ended["result"])
            assert found == ("FAILED", case.code, refunded, 1, None), case.name
            row = await Generation.get(id=ended["id"])
            assert row.provider_calls == case.calls, case.name
        await check_message(ada, hero, case.name)  # the other generation has the same message
        assert free["errorMessage"] == hero["errorMessage"], case.name
        assert len(openrouter.calls) - calls == 2 * case.calls, case.name
        assert await ada.credits() == before - 10, case.name
    await assert_invariants(scripted.services, all_ended=True, all_swept=True)


async def test_provider_call_that_hangs_or_drips_ends_at_the_deadline(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    short_deadline = scripted_settings.model_copy(update={"generation_deadline_seconds": 2.0})
    async with running(short_deadline) as scripted:
        ada = await scripted.api.sign_up()
        noir = await ada.style("noir", "avenger")
        openrouter.script(answer.hang(), answer.drip())
        ended = await ada.wait_for_all(await submit(ada, noir))
        assert [(one["status"], one["errorCode"]) for one in ended] == [("FAILED", "GENERATION_TIMEOUT")] * 2
        assert [one["refunded"] for one in ended] == [True, False]
        assert len(openrouter.calls) == 2
        for one in ended:
            await check_message(ada, one, "timeout")
            row = await Generation.get(id=one["id"])
            assert row.completed_at is not None
            assert row.provider_called_at is not None
            # The deadline of two seconds starts just before the call is recorded.
            assert 1.0 < (row.completed_at - row.provider_called_at).total_seconds() < 6.0
        await assert_invariants(scripted.services, all_ended=True)


@pytest.mark.any_database
async def test_busy_provider_is_retried_after_its_retry_after(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await scripted.api.sign_up()
    openrouter.script(status(429, retry_after="0.15"), status(503, retry_after="0.1"), answer.picture())
    (created,) = (await ada.create(prompt="A fox"))["generations"]
    ended = await ada.wait_for_end(created["id"])
    assert (ended["status"], ended["refunded"], ended["errorMessage"]) == ("COMPLETED", False, None)
    row = await Generation.get(id=created["id"])
    assert row.provider_calls == len(openrouter.calls) == 3
    assert row.completed_at is not None
    assert row.started_at is not None
    assert (row.completed_at - row.started_at).total_seconds() >= 0.25
    assert await ada.credits() == 10_000 - 1
    await assert_invariants(scripted.services, all_ended=True)


@pytest.mark.any_database
async def test_last_response_of_several_calls_decides(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await scripted.api.sign_up()
    openrouter.script(status(429, retry_after="0"), status(401, "authentication"))
    (created,) = (await ada.create(photo(), styleId=await ada.style("noir", "avenger")))["generations"]
    ended = await ada.wait_for_end(created["id"])
    assert (ended["errorCode"], ended["refunded"]) == ("PROVIDER_MISCONFIGURED", False)
    assert len(openrouter.calls) == 2


async def test_unreachable_provider_counts_as_not_called(scripted_settings: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/api/v1"
        settings = scripted_settings.model_copy(
            update={"openrouter_base_url": address, "generation_deadline_seconds": 5.0}
        )
        async with running(settings) as server:
            ada = await server.api.sign_up()
            noir = await ada.style("noir", "avenger")
            ended = await ada.wait_for_all(await submit(ada, noir))
            for one in ended:
                assert (one["errorCode"], one["refunded"]) == ("PROVIDER_UNAVAILABLE", True)
                assert (await Generation.get(id=one["id"])).provider_calls == 3
                await check_message(ada, one, "closed")
            assert await ada.credits() == 10_000
            await assert_invariants(server.services, all_ended=True)


@pytest.mark.any_database
async def test_every_format_of_a_successful_response_is_completed(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await scripted.api.sign_up()
    formats = (answer.picture(), answer.sse_picture(), answer.content_parts(), answer.markdown())
    for response in formats:
        openrouter.script(response)
        (created,) = (await ada.create(prompt="A fox"))["generations"]
        ended = await ada.wait_for_end(created["id"])
        assert (ended["status"], ended["provider"], ended["model"]) == ("COMPLETED", "openrouter", answer.MODEL)
        assert (ended["result"]["width"], ended["result"]["height"]) == (128, 128)
    assert len(openrouter.calls) == len(formats)
    assert {call.headers["authorization"] for call in openrouter.calls} == {f"Bearer {KEY}"}
    await assert_invariants(scripted.services, all_ended=True, all_swept=True)


async def test_provider_cost_and_request_id_are_stored_and_not_shown_to_users(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await scripted.api.sign_up()
    openrouter.script(answer.text_only())
    (created,) = (await ada.create(prompt="A fox"))["generations"]
    ended = await ada.wait_for_end(created["id"])
    row = await Generation.get(id=created["id"])
    assert (row.provider_cost, row.provider_request_id) == (answer.COST, answer.GENERATION_ID)
    seen = await ada.one(
        "query($id: ID!) { viewer { generation(id: $id) { providerCost providerRequestId } } }", id=created["id"]
    )
    assert seen["generation"] == {"providerCost": None, "providerRequestId": None}
    assert "paint a fox" not in json.dumps(ended)
