"""The deployment's endpoints, while processes have different WEBHOOK_URLS."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from commands.webhooks import execute
from main import parse_arguments
from models import WebhookDelivery, WebhookEndpoint
from models.database.connection import rows
from services.core.chore import Lane
from services.services import Services
from services.webhooks import outbox
from services.webhooks.own_endpoint import (
    REMOVED_SECONDS,
    UNLISTED_SECONDS,
    end_unlisted,
    own_endpoints,
    synchronize,
)
from services.webhooks.worker import WebhookWorker
from tests.conftest import Running, running
from tests.support import factories
from tests.support.factories import insert
from tests.support.fakes.webhook_receiver import WebhookReceiver, create_endpoint
from tests.support.integrity import assert_invariants, make_member

SECRET = "whsec_" + "A" * 32
DAY = 86_400.0


@pytest.fixture
async def server(scripted_settings: Any, receiver: WebhookReceiver) -> AsyncIterator[Running]:
    """An idle server whose settings name the receiver, and which has started with it."""
    settings = scripted_settings.model_copy(update={"webhook_urls": (receiver.url,), "webhook_secret": (SECRET,)})
    async with running(settings, idle=True) as found:
        await found.services.webhooks.synchronize_own()
        yield found


def with_urls(services: Services, *urls: str) -> Services:
    """Return the services of another process, whose settings name these URLs."""
    webhooks = services.webhooks
    worker = WebhookWorker(
        lambda: webhooks.worker._sender,
        webhooks.worker._secrets,
        own_urls=urls,
        poll=0.1,
        first_pause=1.0,
        give_up_seconds=DAY,
    )
    options = replace(webhooks.options, own_urls=urls)
    return replace(services, webhooks=replace(webhooks, worker=worker, options=options))


async def cause_event(server: Running) -> None:
    ada = await server.api.sign_up(f"ada{await WebhookDelivery.all().count()}@example.com")
    await make_member(str(ada.user["id"]))


async def let_pass(seconds: float) -> None:
    """Let that long be since any process listed its endpoints, and since they were disabled."""
    await rows(
        "UPDATE webhook_endpoints SET updated_at = LATER($1),"
        " disabled_at = CASE WHEN disabled_at IS NULL THEN NULL ELSE LATER($1) END WHERE user_id IS NULL RETURNING id",
        -seconds - 1,
    )


async def states() -> list[str]:
    return sorted([state.value for (state,) in await WebhookDelivery.all().values_list("state")])


async def test_listing_without_the_urls_changes_nothing(
    server: Running, receiver: WebhookReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    await cause_event(server)
    await outbox.dispatch(DAY)
    assert await states() == ["WAITING"]
    shell = with_urls(server.services)
    await shell.webhooks.synchronize_own()  # as `main.py seed` does in the same shell
    for _ in range(2):
        assert await execute(shell, parse_arguments(["webhooks"])) == 0
    assert f"{receiver.url}: 1 waiting" in capsys.readouterr().out
    assert await states() == ["WAITING"]
    assert [row.disabled_at for row in await own_endpoints()] == [None]
    await server.services.webhooks.worker.drain()
    assert receiver.types == ["membership.changed"]
    await assert_invariants(server.services)


async def test_process_sends_only_to_the_urls_that_it_lists(server: Running, receiver: WebhookReceiver) -> None:
    async with WebhookReceiver() as other, WebhookReceiver() as account:
        old, new = server.services, with_urls(server.services, other.url)
        await new.webhooks.synchronize_own()
        await create_endpoint(bob := await server.api.sign_up("bob@example.com"), account.url)
        await cause_event(server)
        await make_member(str(bob.user["id"]))
        await with_urls(server.services).webhooks.worker.drain()
        assert (len(receiver.received), len(other.received), len(account.received)) == (0, 0, 1), "it lists none"
        await old.webhooks.worker.drain()
        assert (len(receiver.received), len(other.received)) == (2, 0)
        await asyncio.gather(old.webhooks.worker.drain(), new.webhooks.worker.drain())
        assert (len(receiver.received), len(other.received)) == (2, 2)
        assert receiver.types == other.types == ["membership.changed"] * 2
        assert {call.headers["webhook-id"] for call in receiver.received} == {
            call.headers["webhook-id"] for call in other.received
        }


async def test_url_is_used_while_any_process_lists_it(server: Running) -> None:
    stale = with_urls(server.services)
    for _ in range(3):
        await let_pass(UNLISTED_SECONDS - 10)
        await stale.background.sweeper.sweep_lane(Lane.SETTLEMENT)  # which includes the services that list it
        await stale.webhooks.synchronize_own()
        await end_unlisted()
    assert [row.disabled_at for row in await own_endpoints()] == [None]
    writes = [row.updated_at for row in await own_endpoints()]
    await asyncio.gather(*(server.services.webhooks.synchronize_own() for _ in range(5)))
    assert [row.updated_at for row in await own_endpoints()] == writes, "once a minute is enough"


async def test_url_that_no_process_lists_gets_no_events_and_is_removed_later(
    server: Running, receiver: WebhookReceiver
) -> None:
    await cause_event(server)
    await outbox.dispatch(DAY)
    await rows("UPDATE webhook_endpoints SET failing_since = NOW() RETURNING id")
    await let_pass(UNLISTED_SECONDS)
    await end_unlisted()
    [endpoint] = await own_endpoints()
    assert (endpoint.disabled_at is not None, await states()) == (True, ["WAITING"])
    assert endpoint.failing_since is None, "no alert where it is listed again"
    await cause_event(server)
    await outbox.dispatch(DAY)
    assert await states() == ["WAITING"], "of no later event"
    await let_pass(REMOVED_SECONDS)
    await end_unlisted()
    assert [row.id for row in await own_endpoints()] == [endpoint.id], "something waits"
    await server.services.webhooks.synchronize_own()
    await server.services.webhooks.worker.drain()
    assert (receiver.types, await states()) == (["membership.changed"], ["DELIVERED"]), "listed again in time"
    [again] = await own_endpoints()
    assert (again.id, again.disabled_at, again.disabled_reason) == (endpoint.id, None, None)
    await WebhookDelivery.all().delete()  # as after WEBHOOK_DELIVERY_DAYS
    for seconds in (UNLISTED_SECONDS, REMOVED_SECONDS):
        assert len(await own_endpoints()) == 1
        await let_pass(seconds)
        await end_unlisted()
    assert await own_endpoints() == []
    await assert_invariants(server.services)


async def test_what_was_given_up_is_sent_again_only_while_a_process_lists_the_url(server: Running) -> None:
    await cause_event(server)
    await outbox.dispatch(DAY)
    await rows("UPDATE webhook_deliveries SET state = 'DEAD' RETURNING id")
    deliveries = server.services.webhooks.deliveries
    await let_pass(600)
    assert (await deliveries.replay_own(None), await states()) == ([], ["DEAD"])
    await server.services.webhooks.synchronize_own()
    assert len(await deliveries.replay_own(None)) == 1
    assert await states() == ["WAITING"]


async def test_endpoint_of_the_deployment_gets_more_at_once_and_leaves_room_for_accounts(
    server: Running, receiver: WebhookReceiver
) -> None:
    worker, (own,) = server.services.webhooks.worker, await own_endpoints()
    async with WebhookReceiver() as account:
        ada = await server.api.sign_up()
        theirs = (await create_endpoint(ada, account.url))["endpoint"]["id"]
        for endpoint_id, number in ((own.id, 40), (theirs, 6)):
            for _ in range(number):
                await insert("webhook_deliveries", factories.webhook_delivery(endpoint_id))
        await rows("UPDATE webhook_deliveries SET give_up_at = LATER($1) RETURNING id", DAY)
        receiver.hold.clear()
        account.hold.clear()
        for _ in range(3):
            await worker.work()
        await receiver.wait_for(16)
        await account.wait_for(4)
        receiver.hold.set()
        account.hold.set()
        await worker.drain()
        assert (receiver.most_open, account.most_open) == (16, 4)
        assert (len(receiver.received), len(account.received)) == (40, 6)


async def test_failing_endpoint_of_the_deployment_gets_one_at_once(server: Running, receiver: WebhookReceiver) -> None:
    worker, (own,) = server.services.webhooks.worker, await own_endpoints()
    await rows("UPDATE webhook_endpoints SET failing_since = NOW() RETURNING id")
    for _ in range(3):
        await insert("webhook_deliveries", factories.webhook_delivery(own.id))
    await rows("UPDATE webhook_deliveries SET give_up_at = LATER($1) RETURNING id", DAY)
    receiver.hold.clear()
    for _ in range(3):
        await worker.work()
    await receiver.wait_for(1)
    assert len(receiver.received) == 1
    receiver.hold.set()
    await worker.drain()
    assert len(receiver.received) == 3


async def test_endpoints_of_accounts_are_never_ended_so(server: Running) -> None:
    ada = await server.api.sign_up()
    made = await insert("webhook_endpoints", factories.webhook_endpoint(user_id=ada.user["id"]))
    await rows("UPDATE webhook_endpoints SET updated_at = LATER($1) WHERE id = $2 RETURNING id", -30 * DAY, made["id"])
    await end_unlisted()
    await synchronize([], 10)
    assert (await WebhookEndpoint.get(id=made["id"])).disabled_at is None


async def test_command_says_which_urls_are_not_listed_any_more(
    server: Running, receiver: WebhookReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    await cause_event(server)
    await outbox.dispatch(DAY)
    await rows("UPDATE webhook_deliveries SET state = 'DEAD' RETURNING id")
    await let_pass(UNLISTED_SECONDS)
    await end_unlisted()
    assert await execute(server.services, parse_arguments(["webhooks"])) == 0
    assert f"{receiver.url}: 1 dead; in no WEBHOOK_URLS since " in capsys.readouterr().out
    assert await execute(server.services, parse_arguments(["webhooks", "replay"])) == 0
    assert "Nothing was given up." in capsys.readouterr().out, "no process would send it"
