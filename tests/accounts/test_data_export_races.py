"""Data exports that other processes give up."""

import asyncio

from models import User
from models.database.connection import rows, run_tx
from services.events import account_change
from tests.accounts.test_data_export import request_export
from tests.conftest import Running


async def test_export_that_another_process_gave_up_does_not_begin_the_pause_again(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await request_export(ada)
    await rows("UPDATE data_exports SET attempts = 3 RETURNING id")
    locked, ended = asyncio.Event(), asyncio.Event()

    async def give_up() -> None:
        await account_change.lock_account(ada.user["id"])
        locked.set()
        await ended.wait()
        await rows("UPDATE data_exports SET state = 'DELETING' RETURNING id")

    other = asyncio.create_task(run_tx(give_up))
    await locked.wait()
    building = asyncio.create_task(idle_server.services.accounts.exports.build_pending())
    await asyncio.sleep(0.2)  # it has found the export, and waits for the account
    ended.set()
    await asyncio.gather(other, building)
    assert (await User.get(id=ada.user["id"])).export_failed_at is None
