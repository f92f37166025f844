"""What creditsChanged tells because of a commit alone: its server never reads rows again by itself."""

from typing import Any

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
    told = event["transaction"]
    return (told["type"], told["amount"], event["credits"]) if told else None


async def order(person: Api) -> str:
    (ordered,) = (await person.create(prompt="A fox"))["generations"]
    return str(ordered["id"])


async def test_every_line_allowance_and_entitlement_is_told_by_its_commit(
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
        await push_only_server.services.generations.worker.process(await order(ada))
        assert [await next_line(), await next_line()] == [("DEDUCTION", -1, 29), ("REFUND", 1, 30)]
        await buy(ada, package="credits-50")
        assert await next_line() == ("PURCHASE", 50, 80)
        await buy(ada, plan="basic")
        while line(month := await stream.next()) is None:  # its line may be written before its beginning was told
            assert month["membership"] == {"plan": {"slug": "basic"}}
        assert (line(month), month["membership"]["plan"]["slug"]) == (("SUBSCRIPTION", 100, 180), "basic")
        await buy(ada, plan="flash-lite")
        assert await next_pass() == ("flash-lite", 0, 3, 0)
        ordered = await order(ada)
        assert await next_pass() == ("flash-lite", 1, 2, 1)
        await push_only_server.services.generations.worker.process(ordered)
        assert await next_pass() == ("flash-lite", 0, 3, 0)
        await push_only_server.services.events.publisher.account_changed(
            await adjust_credits(ada.user["id"], -200, "below zero")
        )
        assert await next_line() == ("ADMIN", -200, -20)
    assert versions == sorted(set(versions)), "each is told once, in the order of commits"


async def test_what_was_missed_is_replayed_after_the_line_that_was_seen_last(push_only_server: Running) -> None:
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
        assert {event["credits"] for event in missed} == {180}, "what is old does not turn the balance back"
        await buy(ada, package="credits-200")
        assert line(await stream.next()) == ("PURCHASE", 200, 380)


async def test_what_an_admin_does_is_told_by_its_commit(push_only_server: Running) -> None:
    ada, admin = await push_only_server.api.sign_up(), await make_admin(push_only_server.api)
    mine = {"id": ada.user["id"]}
    async with ada.socket() as socket:
        stream = await socket.subscribe(CHANGES)
        last = await stream.next()

        async def told(mutation: str, **variables: Any) -> Any:
            """What the owner hears of an admin's act: one event, of the account's next version."""
            nonlocal last
            assert await admin.one(mutation, **variables) == {"errors": []}
            before, last = last, await stream.next()
            assert last["version"] == before["version"] + 1
            return last

        async def ordered() -> str:
            nonlocal last
            id = await order(ada)
            last = await stream.next()
            return id

        assert line(await told(ADJUST, input={"userId": mine["id"], "amount": 5, "reason": "Sorry"})) == (
            "ADMIN",
            5,
            35,
        )
        assert (await told(MEMBER, **mine, **{"is": True}))["membership"] == {"plan": None}
        assert (await told(MEMBER, **mine, **{"is": False}))["membership"] is None
        off = await ordered()
        assert line(await told(CANCEL, id=off)) == ("REFUND", 1, 35)
        assert (await told(GRANT, **mine))["pass"]["images"]["used"] == 0
        made = await ordered()
        assert last["pass"]["images"]["used"] == 1
        await push_only_server.services.generations.worker.process(made)
        last["version"] += 2  # its beginning and its end, which move no credits
        assert (await told(REFUND, id=made))["pass"]["images"]["used"] == 0
