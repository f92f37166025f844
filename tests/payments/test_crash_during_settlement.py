"""A process that dies in the transaction that settles a stored event: nothing is half done, and nothing is lost."""

import asyncio
import os
import sys

import orjson

from models import ExternalEvent, Purchase
from settings import ROOT
from tests.conftest import Running
from tests.support.fakes.polar_wire import event, order
from tests.support.integrity import assert_invariants

# Handles a webhook like the server, but exits when everything is written and nothing is committed.
DYING = """
import asyncio, os, sys
from composition import open_services
from services.integrations.payments.polar.payload import Order, read_event
from settings import load_settings

async def die(settlement):
    assert settlement.account.credits == int(sys.argv[1]), settlement
    os._exit(137)

async def main():
    body = sys.stdin.buffer.read()
    async with open_services(load_settings(_env_file=None)) as services:
        assert await services.payments.webhooks.receive("an-event", body)
        await services.payments.recorder.record_order(Order.of(read_event(body)["data"]), pays=True, record=die)

asyncio.run(main())
"""


async def test_crash_before_commit_leaves_event_to_be_handled_again(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    before = await ada.credits()
    body = event("order.paid", order(str(ada.user["id"]), "credits-50"))  # the product id of the development checkout
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": idle_server.settings.database,
        "DATA_DIR": str(idle_server.settings.data_dir),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DYING, str(before + 50), env=environment, stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(body)
    assert process.returncode == 137

    stored = await ExternalEvent.get(event_id="an-event")
    assert (stored.outcome, stored.data) == ("RECEIVED", orjson.loads(body))
    assert not await Purchase.exists()
    assert await ada.credits() == before
    for _ in range(2):
        (handled,) = await idle_server.services.payments.webhooks.replay("an-event")
        assert handled.outcome == "HANDLED"
        assert await ada.credits() == before + 50
    await assert_invariants(idle_server.services)
