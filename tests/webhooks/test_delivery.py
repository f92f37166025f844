"""Deliveries: what happens to an account reaches its endpoints, signed, at least once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from models.database.connection import rows
from services.core.lease import LeaseLostError
from services.webhooks import delivery, outbox
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.fakes.raw_server import Ending, Response, raw_head, raw_response
from tests.support.fakes.webhook_receiver import (
    FAILED,
    GONE,
    REPLAY,
    ROTATE,
    SEND_TEST,
    UPDATE_ENDPOINT,
    WebhookReceiver,
    create_endpoint,
    deliveries,
    verified,
)
from tests.support.integrity import assert_invariants
from tests.support.mail_server import Mailbox

pytestmark = pytest.mark.any_database

DAY = 86_400


async def make_due() -> None:
    """Let every delivery that waits be due now, as if its pause was over."""
    await rows("UPDATE webhook_deliveries SET next_attempt_at = LATER($1) WHERE state = 'WAITING' RETURNING id", -1.0)


async def age(seconds: float) -> None:
    """Make failures and deliveries older."""
    await rows(
        "UPDATE webhook_endpoints SET failing_since = LATER($1) WHERE failing_since IS NOT NULL RETURNING id", -seconds
    )
    await rows(
        "UPDATE webhook_deliveries SET give_up_at = LATER($1) WHERE state = 'WAITING' RETURNING id", DAY - seconds
    )


async def pass_time(seconds: float) -> None:
    """Let time pass: move the times of endpoints and of deliveries that wait into the past."""
    span = timedelta(seconds=seconds)
    for endpoint in await WebhookEndpoint.exclude(failing_since=None):
        assert endpoint.failing_since is not None
        endpoint.failing_since -= span
        await endpoint.save(update_fields=["failing_since"])
    for row in await WebhookDelivery.filter(state="WAITING"):
        row.next_attempt_at -= span
        row.give_up_at -= span
        await row.save(update_fields=["next_attempt_at", "give_up_at"])


async def pass_until_due() -> bool:
    """Let time pass until a delivery is due that waits; False: none waits."""
    row = await WebhookDelivery.filter(state="WAITING").order_by("next_attempt_at").first()
    if row is None:
        return False
    # Some more: the database's clock may have milliseconds only, and then it would not be due yet.
    await pass_time(max((row.next_attempt_at - datetime.now(UTC)).total_seconds() + 0.01, 0.0))
    return True


async def send_test(api: Api, made: Any) -> dict[str, Any]:
    """Request a test event and return its delivery."""
    sent = await api.one(SEND_TEST, id=made["endpoint"]["id"])
    assert sent["errors"] == [], sent
    return dict(sent["delivery"])


async def test_completed_generation_is_sent_signed_to_the_endpoint(ada: Api, receiver: WebhookReceiver) -> None:
    made = await create_endpoint(ada, receiver.url)
    created = await ada.create(prompt="A fox")
    generation = created["generations"][0]
    [call] = await receiver.wait_for(1)
    event = verified(call, made["secret"])
    assert event["type"] == "generation.completed"
    assert event["version"] == "1"
    assert event["data"]["generationId"] == generation["id"]
    assert event["data"]["userId"] == ada.user["id"]
    assert event["data"]["status"] == "COMPLETED"
    assert (call.method, call.path) == ("POST", "/hooks?a=b")
    assert call.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        verified(call, "whsec_" + "A" * 44)
    [found] = await deliveries(ada)
    assert found["messageId"] == call.headers["webhook-id"]
    assert found["payload"].encode() == call.raw


async def test_failed_attempts_are_repeated_with_the_same_id_and_body(
    idle_server: Running, receiver: WebhookReceiver
) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.webhooks.worker
    made = await create_endpoint(ada, receiver.url)
    receiver.script = [FAILED, raw_response(302, "text/plain", b"", Location="https://example.com/"), FAILED]
    await send_test(ada, made)
    for _ in range(4):
        await worker.drain()
        await make_due()
    assert len(receiver.received) == 4
    assert len({call.headers["webhook-id"] for call in receiver.received}) == 1
    assert len({call.raw for call in receiver.received}) == 1
    for call in receiver.received:
        assert verified(call, made["secret"])["type"] == "webhook.test"
    [found] = await deliveries(ada)
    assert found["state"] == "DELIVERED"
    assert [(each["status"], each["failure"]) for each in found["attempts"]] == [
        (500, "STATUS"), (302, "STATUS"), (500, "STATUS"), (200, None),
    ]  # fmt: skip
    assert found["attempts"][0]["response"] == "out of order <b>"
    [endpoint] = await ada.one("{ webhookEndpoints { failingSince isEnabled } }")
    assert endpoint == {"failingSince": None, "isEnabled": True}


async def test_pauses_grow_and_what_the_endpoint_asks_for_is_respected() -> None:
    pauses = [delivery.pause_after(attempts, 10.0) for attempts in range(1, 12)]
    for attempts, pause in enumerate(pauses):
        assert 0.8 <= pause / min(10.0 * 3**attempts, 14_400.0) <= 1.2
    assert delivery.pause_after(1, 10.0, 600.0) == 600.0
    assert delivery.pause_after(1, 10.0, 1e9) == 14_400.0
    assert sum(delivery.pause_after(attempts, 10.0) for attempts in range(1, 13)) > DAY / 2


async def test_delivery_that_failed_for_a_day_is_given_up_and_can_be_replayed(
    idle_server: Running, receiver: WebhookReceiver
) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.webhooks.worker
    made = await create_endpoint(ada, receiver.url)
    receiver.otherwise = FAILED
    sent = await send_test(ada, made)
    await worker.drain()
    await rows("UPDATE webhook_deliveries SET give_up_at = LATER($1) RETURNING id", -1.0)
    await make_due()
    await worker.drain()
    [found] = await deliveries(ada, "DEAD")
    assert (found["id"], found["nextAttemptAt"], len(found["attempts"])) == (sent["id"], None, 2)
    receiver.otherwise = raw_response(204, "text/plain", b"")
    replayed = await ada.one(REPLAY, id=sent["id"])
    assert (replayed["errors"], replayed["delivery"]["state"]) == ([], "WAITING")
    await worker.drain()
    [found] = await deliveries(ada, "DELIVERED")
    assert len(found["attempts"]) == 3
    assert len({call.headers["webhook-id"] for call in receiver.received}) == 1
    await ada.one(REPLAY, id=sent["id"])
    await worker.drain()
    assert len(receiver.received) == 4


async def test_endpoint_that_fails_for_a_day_is_disabled_and_its_owner_is_mailed(
    scripted_settings: Any, mailbox: Mailbox, receiver: WebhookReceiver
) -> None:
    settings = scripted_settings.model_copy(
        update={"smtp_url": mailbox.url, "mail_from": "Darkroom <hello@example.com>"}
    )
    async with running(settings, idle=True) as server:
        ada, webhooks = await server.api.sign_up(locale="zh"), server.services.webhooks
        made = await create_endpoint(ada, receiver.url)
        receiver.otherwise = FAILED
        await send_test(ada, made)
        await send_test(ada, made)
        await webhooks.worker.drain()
        [endpoint] = await ada.one("{ webhookEndpoints { failingSince isEnabled } }")
        assert endpoint["failingSince"]
        assert endpoint["isEnabled"]
        await age(DAY + 1)
        await make_due()
        await webhooks.worker.drain()
        [endpoint] = await ada.one("{ webhookEndpoints { isEnabled disabledReason disabledAt } }")
        assert (endpoint["isEnabled"], endpoint["disabledReason"]) == (False, "FAILING")
        assert {each["state"] for each in await deliveries(ada)} == {"DEAD"}
        for _ in range(2):
            for id in await webhooks.notices.find(10):
                assert await webhooks.notices.send(id)
        mails = [mail for mail in mailbox.mails if receiver.url in mail.get_content()]
        assert len(mails) == 1
        refused = await ada.refused(SEND_TEST, id=made["endpoint"]["id"])
        assert refused["code"] == "CONFLICT"
        refused = await ada.refused(REPLAY, id=(await deliveries(ada))[0]["id"])
        assert refused["code"] == "CONFLICT"
        enabled = await ada.one(UPDATE_ENDPOINT, id=made["endpoint"]["id"], input={"isEnabled": True})
        assert enabled["endpoint"]["isEnabled"]
        assert enabled["endpoint"]["failingSince"] is None


async def test_endpoint_of_one_event_is_disabled_with_the_last_attempt_of_its_day(
    idle_server: Running, receiver: WebhookReceiver
) -> None:
    ada, webhooks = await idle_server.api.sign_up(), idle_server.services.webhooks
    made = await create_endpoint(ada, receiver.url)
    receiver.otherwise = FAILED
    await send_test(ada, made)
    await pass_time(5)  # until the first attempt has failed: longer than the last one takes
    while await pass_until_due():
        [endpoint] = await ada.one("{ webhookEndpoints { isEnabled } }")
        assert endpoint["isEnabled"]
        await webhooks.worker.drain()
    assert len(receiver.received) > 10
    [endpoint] = await ada.one("{ webhookEndpoints { isEnabled disabledReason } }")
    assert endpoint == {"isEnabled": False, "disabledReason": "FAILING"}
    assert await webhooks.notices.find(10) == [made["endpoint"]["id"]]


async def test_event_after_an_earlier_failure_has_all_its_attempts(
    idle_server: Running, receiver: WebhookReceiver
) -> None:
    ada, services = await idle_server.api.sign_up(), idle_server.services
    made = await create_endpoint(ada, receiver.url)
    receiver.otherwise = FAILED
    sent = await send_test(ada, made)
    for _ in range(5):  # some minutes
        await pass_until_due()
        await services.webhooks.worker.drain()
    receiver.script = [raw_response(204, "text/plain", b"")]
    await send_test(ada, made)
    await services.webhooks.worker.drain()
    assert len(await deliveries(ada, "DELIVERED")) == 1
    while await pass_until_due():
        await services.webhooks.worker.drain()
        await services.background.sweeper.sweep()
    assert [each["id"] for each in await deliveries(ada, "DEAD")] == [sent["id"]]
    [endpoint] = await ada.one("{ webhookEndpoints { isEnabled failingSince } }")
    assert endpoint == {"isEnabled": True, "failingSince": None}
    await pass_time(30 * DAY)
    await send_test(ada, made)
    await services.webhooks.worker.drain()
    [endpoint] = await ada.one("{ webhookEndpoints { isEnabled failingSince } }")
    assert endpoint["isEnabled"]
    assert endpoint["failingSince"]
    assert len(await deliveries(ada, "WAITING")) == 1


async def test_410_disables_the_endpoint_at_once(idle_server: Running, receiver: WebhookReceiver) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.webhooks.worker
    made = await create_endpoint(ada, receiver.url)
    receiver.otherwise = GONE
    await send_test(ada, made)
    await worker.drain()
    [endpoint] = await ada.one("{ webhookEndpoints { isEnabled disabledReason } }")
    assert endpoint == {"isEnabled": False, "disabledReason": "GONE"}
    assert [each["state"] for each in await deliveries(ada)] == ["DEAD"]
    assert await idle_server.services.webhooks.notices.find(10) == [made["endpoint"]["id"]]


async def test_both_secrets_sign_after_a_rotation_until_the_overlap_ends(
    idle_server: Running, receiver: WebhookReceiver
) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.webhooks.worker
    made = await create_endpoint(ada, receiver.url)
    rotated = await ada.one(ROTATE, id=made["endpoint"]["id"])
    assert rotated["secret"] != made["secret"]
    assert rotated["endpoint"]["previousSecretUntil"]
    await send_test(ada, made)
    await worker.drain()
    for secret in (made["secret"], rotated["secret"]):
        verified(receiver.received[0], secret)
    await rows("UPDATE webhook_endpoints SET previous_until = LATER($1) RETURNING id", -1.0)
    await send_test(ada, made)
    await worker.drain()
    verified(receiver.received[1], rotated["secret"])
    with pytest.raises(WebhookVerificationError):
        verified(receiver.received[1], made["secret"])


async def test_lost_secret_disables_the_endpoint_until_it_is_rotated(
    idle_server: Running, receiver: WebhookReceiver
) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.webhooks.worker
    made = await create_endpoint(ada, receiver.url)
    await rows("UPDATE webhook_endpoints SET secret_hash = 'of another SECRET_KEY' RETURNING id")
    await send_test(ada, made)
    await worker.drain()
    assert receiver.received == []
    [endpoint] = await ada.one("{ webhookEndpoints { disabledReason } }")
    assert endpoint == {"disabledReason": "SECRET"}
    rotated = await ada.one(ROTATE, id=made["endpoint"]["id"])
    assert rotated["endpoint"]["isEnabled"]
    await send_test(ada, made)
    await worker.drain()
    verified(receiver.received[0], rotated["secret"])


@pytest.mark.parametrize(
    "response",
    [
        Response(raw_head(200, "text/plain") + b"x", repeat=b"x" * 65_536),  # an answer without an end
        Response(raw_head(200, "text/plain", **{"Content-Length": "9"}), repeat=b"y", gap=0.2),  # slowly
        Response(raw_head(200, "text/plain", **{"Content-Length": str(10**12)}), ending=Ending.SILENCE),
    ],
)
async def test_status_counts_whatever_the_body_is(
    idle_server: Running, receiver: WebhookReceiver, response: Response
) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.webhooks.worker
    made = await create_endpoint(ada, receiver.url)
    receiver.otherwise = response
    await send_test(ada, made)
    await worker.drain()
    [found] = await deliveries(ada)
    assert found["state"] == "DELIVERED"
    assert len(found["attempts"][0]["response"]) <= 500
    assert receiver.sent < 16 * 2**20


async def test_attempt_that_a_crash_cut_off_is_made_again_with_the_same_id(
    idle_server: Running, receiver: WebhookReceiver
) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.webhooks.worker
    made = await create_endpoint(ada, receiver.url)
    sent = await send_test(ada, made)
    [claim] = await delivery.claim(made["endpoint"]["id"], 4, 4)  # by a process that is killed before it records
    await worker.drain()
    assert receiver.received == [], "another process has it"
    await rows("UPDATE webhook_deliveries SET lease_until = LATER($1), next_attempt_at = LATER($1) RETURNING id", -1.0)
    await worker.drain()
    [call] = receiver.received
    assert call.headers["webhook-id"] == sent["messageId"] == claim.delivery.message_id
    [found] = await deliveries(ada)
    assert found["state"] == "DELIVERED"
    late = delivery.Attempt("2026-01-01T00:00:00+00:00", 1, 500)
    with pytest.raises(LeaseLostError):  # the killed process was only slow
        await delivery.record_failed(claim, late, 1.0, give_up_seconds=DAY)
    assert (await deliveries(ada))[0]["state"] == "DELIVERED"


async def test_two_workers_send_each_delivery_once(scripted_settings: Any, receiver: WebhookReceiver) -> None:
    async with running(scripted_settings, idle=True) as server:
        ada, webhooks = await server.api.sign_up(), server.services.webhooks
        made = await create_endpoint(ada, receiver.url)
        for _ in range(12):
            await send_test(ada, made)
        id = made["endpoint"]["id"]
        found = await asyncio.gather(*(delivery.claim(id, 3, 5) for _ in range(6)))
        assert sum(map(len, found)) == 5, "no more at once than allowed, in all processes"
        found += await asyncio.gather(*(delivery.claim(id, 3, 100) for _ in range(6)))
        claimed = [claim.delivery.id for claims in found for claim in claims]
        assert len(set(claimed)) == len(claimed) == 12
        await rows("UPDATE webhook_deliveries SET lease_until = NULL, next_attempt_at = NOW() RETURNING id")
        await webhooks.worker.drain()
        assert len(receiver.received) == 12


async def test_endpoint_gets_few_requests_at_once_and_does_not_delay_others(
    idle_server: Running, receiver: WebhookReceiver
) -> None:
    ada, bob = await idle_server.api.sign_up(), await idle_server.api.sign_up("bob@example.com")
    worker = idle_server.services.webhooks.worker
    async with WebhookReceiver() as other:
        slow, quick = await create_endpoint(ada, receiver.url), await create_endpoint(bob, other.url)
        receiver.hold.clear()
        for _ in range(10):
            await send_test(ada, slow)
        await send_test(bob, quick)
        await worker.work()
        await other.wait_for(1)
        await receiver.wait_for(4)
        await worker.work()
        receiver.hold.set()
        await worker.drain()
        assert len(receiver.received) == 10
        assert receiver.most_open == 4


async def test_event_is_in_the_outbox_when_the_change_is_committed_and_nothing_is_lost(
    idle_server: Running, receiver: WebhookReceiver
) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.webhooks.worker
    await create_endpoint(ada, receiver.url, events=["GENERATION_CANCELED"])
    created = await ada.create(prompt="A fox")
    id = created["generations"][0]["id"]
    await ada.one("mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }", id=id)
    [event] = await WebhookEvent.all()
    assert (event.type, event.subject_id, event.user_id) == ("generation.canceled", id, ada.user["id"])
    assert await WebhookDelivery.all().count() == 0
    await outbox.dispatch(DAY)  # and the process is killed before it sends
    assert await WebhookEvent.all().count() == 0
    assert await WebhookDelivery.all().count() == 1
    await worker.drain()
    assert receiver.types == ["generation.canceled"]
    await assert_invariants(idle_server.services)
