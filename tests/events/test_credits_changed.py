"""creditsChanged from published messages alone: this server never reads the rows again by itself."""

import asyncio
from typing import Any

import pytest

from services.billing import credits_topic
from services.billing.benefits import benefits_of
from tests.conftest import Running
from tests.support.client import Api
from tests.support.development_checkout import buy
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.integrity import adjust_credits, make_admin

CHANGES = """
subscription($after: ID) { creditsChanged(after: $after) {
  credits version transaction { id sequence type amount balance }
  pass { plan { slug } images { used remaining usedInTotal } } membership { plan { slug } }
} }"""
ADJUST = "mutation($input: AdjustCreditsInput!) { adminAdjustCredits(input: $input) { errors { code } } }"
REFUND = 'mutation($id: ID!) { adminRefundGeneration(id: $id, reason: "Sorry") { errors { code } } }'
CANCEL = "mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }"
GRANT = 'mutation($id: ID!) { adminGrantPass(userId: $id, plan: "flash-lite") { errors { code } } }'
MEMBER = "mutation($id: ID!, $is: Boolean!) { adminSetMembership(userId: $id, isMember: $is) { errors { code } } }"


def line(event: Any) -> tuple[str, int, int] | None:
    transaction = event["transaction"]
    return (transaction["type"], transaction["amount"], event["credits"]) if transaction else None


async def create(client: Api) -> str:
    (generation,) = (await client.create(prompt="A fox"))["generations"]
    return str(generation["id"])


async def test_every_line_allowance_and_entitlement_is_published_with_its_commit(
    push_only_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await push_only_server.api.sign_up()
    async with ada.socket() as socket:
        stream = await socket.subscribe(CHANGES)
        first = await stream.next()
        assert (line(first), first["credits"], first["pass"], first["membership"]) == (None, 30, None, None)
        versions = [first["version"]]

        async def next_line() -> tuple[str, int, int] | None:
            event = await stream.next()
            versions.append(event["version"])
            return line(event)

        async def next_pass() -> tuple[str, int, int, int]:
            event = await stream.next()
            versions.append(event["version"])
            assert line(event) is None
            images = event["pass"]["images"]
            return event["pass"]["plan"]["slug"], images["used"], images["remaining"], images["usedInTotal"]

        openrouter.script(status(500), status(500))
        await push_only_server.services.generations.worker.process(await create(ada))
        assert [await next_line(), await next_line()] == [("DEDUCTION", -1, 29), ("REFUND", 1, 30)]
        await buy(ada, package="credits-50")
        assert await next_line() == ("PURCHASE", 50, 80)
        await buy(ada, plan="basic")
        while line(month := await stream.next()) is None:  # its line may be written before its start is published
            assert month["membership"] == {"plan": {"slug": "basic"}}
        assert (line(month), month["membership"]["plan"]["slug"]) == (("SUBSCRIPTION", 100, 180), "basic")
        await buy(ada, plan="flash-lite")
        assert await next_pass() == ("flash-lite", 0, 3, 0)
        generation_id = await create(ada)
        assert await next_pass() == ("flash-lite", 1, 2, 1)
        await push_only_server.services.generations.worker.process(generation_id)
        assert await next_pass() == ("flash-lite", 0, 3, 0)
        await push_only_server.services.events.publisher.account_changed(
            await adjust_credits(ada.user["id"], -200, "below zero")
        )
        assert await next_line() == ("ADMIN", -200, -20)
    assert versions == sorted(set(versions)), "each is delivered once, in the order of commits"


async def test_missed_lines_are_replayed_after_the_last_seen_one(push_only_server: Running) -> None:
    ada = await push_only_server.api.sign_up()
    (seen,) = (await ada.one("{ viewer { transactions { nodes { id } } } }"))["transactions"]["nodes"]
    await buy(ada, package="credits-50")
    await buy(ada, plan="basic")
    async with ada.socket() as socket:
        stream = await socket.subscribe(CHANGES, after=seen["id"])
        first = await stream.next()
        assert (line(first), first["credits"]) == (None, 180)
        missed = [await stream.next() for _ in range(2)]
        assert [event["transaction"]["sequence"] for event in missed] == [2, 3]
        assert [event["transaction"]["balance"] for event in missed] == [80, 180]
        assert {event["credits"] for event in missed} == {180}, "replayed lines do not change the present balance"
        await buy(ada, package="credits-200")
        assert line(await stream.next()) == ("PURCHASE", 200, 380)


async def test_admin_actions_are_published_with_their_commit(push_only_server: Running) -> None:
    ada, admin = await push_only_server.api.sign_up(), await make_admin(push_only_server.api)
    mine = {"id": ada.user["id"]}
    async with ada.socket() as socket:
        stream = await socket.subscribe(CHANGES)
        last = await stream.next()

        async def event_of(mutation: str, **variables: Any) -> Any:
            """Run an admin's mutation; return the owner's event, which has the account's next version."""
            nonlocal last
            assert await admin.one(mutation, **variables) == {"errors": []}
            before, last = last, await stream.next()
            assert last["version"] == before["version"] + 1
            return last

        async def created() -> str:
            nonlocal last
            id = await create(ada)
            last = await stream.next()
            return id

        assert line(await event_of(ADJUST, input={"userId": mine["id"], "amount": 5, "reason": "Sorry"})) == (
            "ADMIN",
            5,
            35,
        )
        assert (await event_of(MEMBER, **mine, **{"is": True}))["membership"] == {"plan": None}
        assert (await event_of(MEMBER, **mine, **{"is": False}))["membership"] is None
        canceled = await created()
        assert line(await event_of(CANCEL, id=canceled)) == ("REFUND", 1, 35)
        assert (await event_of(GRANT, **mine))["pass"]["images"]["used"] == 0
        made = await created()
        assert last["pass"]["images"]["used"] == 1
        await push_only_server.services.generations.worker.process(made)
        last["version"] += 2  # its start and its end, which change no credits
        assert (await event_of(REFUND, id=made))["pass"]["images"]["used"] == 0


async def test_subscriber_that_read_the_account_before_a_change_is_not_opened_after_it(
    push_only_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two subscriptions open together, and the one whose first row was read later is faster."""
    ada = await push_only_server.api.sign_up()
    publisher = push_only_server.services.events.publisher
    has_read, may_go_on = asyncio.Event(), asyncio.Event()

    async def delayed(*arguments: Any) -> Any:
        if not has_read.is_set():
            has_read.set()
            await may_go_on.wait()
        return await benefits_of(*arguments)

    monkeypatch.setattr(credits_topic, "benefits_of", delayed)
    async with ada.socket() as socket:
        slow = await socket.subscribe(CHANGES)
        await has_read.wait()
        await publisher.account_changed(await adjust_credits(ada.user["id"], -3, "a correction"))
        fast = await socket.subscribe(CHANGES)
        assert (await fast.next())["credits"] == 27
        may_go_on.set()
        opened = await slow.next()
        assert (line(opened), opened["credits"]) == (None, 27)
        await publisher.account_changed(await adjust_credits(ada.user["id"], -2, "a correction"))
        assert [line(await stream.next()) for stream in (slow, fast)] == [("ADMIN", -2, 25)] * 2
