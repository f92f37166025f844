"""`main.py webhooks`: what was sent to the deployment's endpoints, and what is sent again."""

from typing import Any

import pytest

from commands.webhooks import execute
from main import parse_arguments
from models.database.connection import rows
from services.operations.retention import Retention
from tests.conftest import Running, running
from tests.support import factories
from tests.support.factories import insert
from tests.support.fakes.webhook_receiver import FAILED, OK, WebhookReceiver
from tests.support.integrity import assert_invariants, make_member

pytestmark = pytest.mark.any_database

SECRET = "whsec_" + "A" * 32


async def test_command_lists_and_replays_what_was_given_up(
    scripted_settings: Any, receiver: WebhookReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = scripted_settings.model_copy(update={"webhook_urls": (receiver.url,), "webhook_secret": (SECRET,)})
    async with running(settings, idle=True) as server:

        async def run(*arguments: str) -> tuple[int, str]:
            code = await execute(server.services, parse_arguments(["webhooks", *arguments]))
            found = capsys.readouterr()
            return code, found.out + found.err

        worker = server.services.webhooks.worker
        assert f"{receiver.url}: not used yet" in (await run())[1]
        await server.services.webhooks.synchronize_own()  # as every start does
        assert f"{receiver.url}: nothing sent yet" in (await run())[1]
        ada = await server.api.sign_up()
        await make_member(str(ada.user["id"]))
        receiver.otherwise = FAILED
        await worker.drain()
        await rows(
            "UPDATE webhook_deliveries SET give_up_at = LATER($1), next_attempt_at = LATER($1) RETURNING id", -1.0
        )
        await worker.drain()
        code, out = await run()
        assert code == 0
        assert f"{receiver.url}: 1 dead; failing since" in out
        assert "membership.changed" in out
        assert " 500" in out
        [endpoint] = await rows("SELECT disabled_at FROM webhook_endpoints")
        assert endpoint["disabled_at"] is None, "the deployment's endpoints are not disabled"
        receiver.otherwise = OK
        code, out = await run("replay")
        assert code == 0
        assert "membership.changed is sent again." in out
        await worker.drain()
        [delivery] = await rows("SELECT id, state FROM webhook_deliveries")
        assert delivery["state"] == "DELIVERED"
        assert "Nothing was given up." in (await run("replay"))[1]
        assert (await run("replay", delivery["id"]))[0] == 0
        assert (await run("replay", "whd_" + "0" * 26))[0] == 1
        assert (await run("replay", "nonsense"))[0] == 1


async def test_ended_deliveries_are_removed_after_their_days_and_overdue_ones_end(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    endpoint = await insert("webhook_endpoints", factories.webhook_endpoint(user_id=ada.user["id"]))
    for state in ("DEAD", "DELIVERED", "WAITING"):
        moment = {"delivered_at": factories.NOW} if state == "DELIVERED" else {}
        for created in (factories.LONG_AGO, factories.NOW):
            row = factories.webhook_delivery(endpoint["id"], state=state, created_at=created, **moment)
            await insert("webhook_deliveries", row)
    for chore in Retention(webhook_deliveries=30).chores:
        await chore.run()
    found = await rows("SELECT state, COUNT(*) AS number FROM webhook_deliveries GROUP BY state ORDER BY state")
    assert [(row["state"], row["number"]) for row in found] == [("DEAD", 1), ("DELIVERED", 1), ("WAITING", 2)]
    await rows("UPDATE webhook_deliveries SET give_up_at = LATER($1) WHERE state = 'WAITING' RETURNING id", -100.0)
    for chore in idle_server.services.webhooks.chores:
        await chore.run()
    assert await rows("SELECT id FROM webhook_deliveries WHERE state = 'WAITING'") == []
    await assert_invariants(idle_server.services)
