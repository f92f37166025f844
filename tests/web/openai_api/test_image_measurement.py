"""Requests in OpenAI's form count as operations: in the metric of which the alerts know, and in the log."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from services.integrations.storage.measurement import OPERATIONS
from telemetry.outage import DATABASE, STORAGE
from tests.conftest import Running
from tests.operations.test_maintenance import switch
from tests.support.client import Api, photo, until
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.integrity import make_admin
from tests.web.openai_api.test_image_errors import PATH, post
from tests.web.test_metrics import read_metrics, sample

EDITS = "/v1/images/edits"


@pytest.fixture(autouse=True)
def _no_outage() -> None:
    """End the outages that earlier tests of this process have begun: what fails during one is no warning."""
    for service in (DATABASE, STORAGE):
        for scope in OPERATIONS:
            service.worked(scope)


@pytest.mark.any_database
async def test_requests_are_counted_by_their_outcome(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    admin, ada = await make_admin(scripted.api), await scripted.api.sign_up()
    before = await read_metrics(scripted.api.http)
    orders: list[Any] = [{}, {"n": 0}, {"stream": True}, {"stream": True}]
    openrouter.script(answer.picture(), answer.picture(), answer.refusal())
    with capture_logs() as lines:
        for order in orders:
            await post(ada, ada.token, {"prompt": "A fox"} | order)
        await switch(admin, readOnly=True)
        assert (await post(ada, ada.token, {"prompt": "A fox"})).status_code == 503
        await post(ada, None, path="/v1/models")
    after = await read_metrics(scripted.api.http)

    def increase(path: str, outcome: str) -> float:
        labels = {"operation": path, "type": "openai", "outcome": outcome}
        return sample(after, "graphql_operations_total", **labels) - sample(
            before, "graphql_operations_total", **labels
        )

    found = {outcome: increase(PATH, outcome) for outcome in ("ok", "refused", "failed", "disconnected")}
    assert found == {"ok": 2, "refused": 2, "failed": 1, "disconnected": 0}
    ended = [line for line in lines if line["event"] == "graphql.operation" and line["field"] == PATH]
    assert [(line["log_level"], line["codes"]) for line in ended] == [
        ("info", []),
        ("info", ["INVALID_INPUT"]),
        ("info", []),
        ("info", ["CONTENT_REJECTED"]),
        ("warning", ["UNAVAILABLE"]),
    ]


@pytest.mark.any_database
async def test_photo_that_cannot_be_stored_counts_as_our_failure(server: Running, ada: Api) -> None:
    before = await read_metrics(server.api.http)
    folder = server.settings.data_dir / "files"
    elsewhere = folder.rename(folder.with_name("files-elsewhere"))
    folder.write_bytes(b"a file where the folder should be")
    order: Any = {"path": EDITS, "data": {"prompt": "A fox"}, "files": {"image": photo()}}
    assert (await post(ada, ada.token, **order)).status_code == 503
    after = await read_metrics(server.api.http)
    folder.unlink()
    elsewhere.rename(folder)
    assert (await post(ada, ada.token, **order)).status_code == 200
    for name, labels in (
        ("graphql_operations_total", {"operation": EDITS, "type": "openai", "outcome": "failed"}),
        ("graphql_errors_total", {"code": "UPLOAD_FAILED"}),
    ):
        assert sample(after, name, **labels) - sample(before, name, **labels) == 1


@pytest.mark.any_database
async def test_failed_generation_is_a_warning_unless_its_user_can_change_it(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script(answer.refusal(), answer.text_only())
    ada = await scripted.api.sign_up()
    with capture_logs() as lines:
        for _ in range(2):
            await post(ada, ada.token, {"prompt": "A fox"})

        async def have_ended() -> bool:
            return len(ended()) == 2

        def ended() -> list[tuple[str, str]]:
            found = [line for line in lines if line["event"] == "generation.ended"]
            return [(line["log_level"], line["code"]) for line in found]

        await until(have_ended)
    assert ended() == [("info", "CONTENT_REJECTED"), ("warning", "GENERATION_FAILED")]
