"""creditsChanged with passes and memberships: each change once, despite lost messages, and expiry by time alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import Pass, Plan, User
from models.database.connection import run_tx
from models.enum import MembershipStatus, TransactionType
from services.billing import ledger, passes
from services.billing.ledger import LedgerLine
from services.billing.membership import SubscriptionState
from services.events.account_change import AccountChange
from services.events.payload import account_channel
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CANCEL, Api, Stream
from tests.support.integrity import adjust_credits
from tests.support.second_process import create_in_another_process

FIELDS = "credits version transaction { amount } pass { images { used remaining } } membership { plan { slug } endsAt }"
BENEFITS = f"subscription {{ creditsChanged {{ {FIELDS} }} }}"
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No sweeper changes rows that these tests write, and rows are read again soon."""
    return settings.model_copy(update={"generation_sweep_seconds": 600.0, "subscription_reread_seconds": 0.3})


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    """A server without a worker, so that canceled generations were never started."""
    async with running(settings, idle=True) as found:
        yield found


async def grant_silently(client: Api, slug: str = "flash-lite") -> AccountChange:
    """Grant a pass without publishing it."""
    plan = await Plan.get(slug=slug)
    return await run_tx(passes.grant, client.user["id"], plan, f"gift:{client.user['id']}")


async def subscribe_silently(server: Running, client: Api, **more: Any) -> AccountChange:
    """Apply the payment provider's state of a monthly plan without publishing it."""
    state = SubscriptionState(
        subscription_id="sub",
        user_id=client.user["id"],
        plan=await Plan.get(slug="basic"),
        status=more.pop("status", MembershipStatus.ACTIVE),
        started_at=NOW,
        renews_at=NOW + timedelta(days=30),
        ends_at=more.pop("ends_at", None),
        reported_at=more.pop("reported_at", NOW),
    )
    account: AccountChange | None = await run_tx(server.services.billing.memberships.apply, state)
    assert account is not None
    return account


async def images(stream: Stream) -> tuple[int, int] | None:
    """Return the images of the pass in the next event, which has no transaction."""
    event = await stream.next()
    assert event["transaction"] is None
    found = event["pass"]
    return (found["images"]["used"], found["images"]["remaining"]) if found else None


async def test_changes_of_a_pass_and_its_allowance_are_delivered(ada: Api, server: Running) -> None:
    publish = server.services.events.publisher.account_changed
    async with ada.socket() as socket:
        stream = await socket.subscribe(BENEFITS)
        opened = await stream.next()
        assert (opened["pass"], opened["membership"], opened["transaction"]) == (None, None, None)
        await publish(await grant_silently(ada))
        assert await images(stream) == (0, 3)
        generation_id = (await ada.create(prompt="A fox"))["generations"][0]["id"]
        assert await images(stream) == (1, 2)
        canceled = await ada.one(CANCEL, id=generation_id)
        assert canceled["errors"] == []
        assert await images(stream) == (0, 3)
        revoked = await run_tx(passes.revoke, f"gift:{ada.user['id']}")
        assert revoked is not None
        await publish(revoked)
        assert await images(stream) is None
        later = await socket.subscribe(BENEFITS)
        assert (await later.next())["version"] == (await User.get(id=ada.user["id"])).version


async def test_changes_of_a_membership_are_delivered(ada: Api, server: Running) -> None:
    publish, end = server.services.events.publisher.account_changed, NOW + timedelta(days=30)
    async with ada.socket() as socket:
        stream = await socket.subscribe(BENEFITS)
        await stream.next()
        await publish(await subscribe_silently(server, ada))
        assert (await stream.next())["membership"] == {"plan": {"slug": "basic"}, "endsAt": None}
        await publish(await subscribe_silently(server, ada, ends_at=end, reported_at=NOW + timedelta(seconds=1)))
        assert datetime.fromisoformat((await stream.next())["membership"]["endsAt"]) == end
        ended = await subscribe_silently(
            server, ada, status=MembershipStatus.ENDED, reported_at=NOW + timedelta(seconds=2)
        )
        await publish(ended)
        event = await stream.next()
        assert (event["membership"], event["version"]) == (None, ended.version)


async def test_a_line_is_delivered_once_with_the_pass_of_its_commit(ada: Api, server: Running) -> None:
    user_id = str(ada.user["id"])

    async def bought() -> AccountChange:
        account = await passes.grant(user_id, await Plan.get(slug="flash"), "both")
        paid = await ledger.post(user_id, [LedgerLine(TransactionType.BONUS, 5, "both")], version_bumped=True)
        return AccountChange(user_id, paid.credits, account.version, paid.sequence, paid.lines, entitlements=True)

    async with ada.socket() as socket:
        stream = await socket.subscribe(BENEFITS)
        await stream.next()
        # After one line the stream is subscribed; before, it may read the next line without the pass.
        await server.services.events.publisher.account_changed(await adjust_credits(user_id, 1, "first"))
        assert (await stream.next())["transaction"] == {"amount": 1}
        await server.services.events.publisher.account_changed(await run_tx(bought))
        event = await stream.next()
        assert (event["transaction"], event["pass"]) == ({"amount": 5}, {"images": {"used": 0, "remaining": 8}})
        await server.services.events.publisher.account_changed(await adjust_credits(user_id, 1, "next"))
        assert (await stream.next())["transaction"] == {"amount": 1}


async def test_unpublished_changes_are_read_from_the_rows(ada: Api, server: Running) -> None:
    async with ada.socket() as socket:
        stream = await socket.subscribe(BENEFITS)
        await stream.next()
        await grant_silently(ada)
        assert await images(stream) == (0, 3)
        await create_in_another_process(server.services, ada)
        assert await images(stream) == (1, 2)
        await subscribe_silently(server, ada)
        assert (await stream.next())["membership"]["plan"] == {"slug": "basic"}


async def test_changes_by_time_alone_are_delivered(ada: Api) -> None:
    account = await grant_silently(ada)
    await ada.create(prompt="A fox")
    pass_ = await Pass.get(user_id=account.user_id)
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    await Pass.filter(id=pass_.id).update(started_at=soon - HOUR, expires_at=soon + 2 * HOUR)
    async with ada.socket() as socket:
        stream = await socket.subscribe(BENEFITS)
        assert (await stream.next())["pass"] == {"images": {"used": 1, "remaining": 2}}
        assert await images(stream) == (0, 3), "the next hour has begun"
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    await Pass.filter(id=pass_.id).update(started_at=soon - 3 * HOUR, expires_at=soon)
    async with ada.socket() as socket:
        stream = await socket.subscribe(BENEFITS)
        assert (await stream.next())["pass"] is not None
        assert await images(stream) is None, "the pass has expired"


async def test_late_repeated_and_unknown_messages_deliver_nothing_twice(ada: Api, server: Running) -> None:
    user_id = str(ada.user["id"])
    publish, bus = server.services.events.publisher.account_changed, server.services.integrations.bus
    async with ada.socket() as socket:
        stream = await socket.subscribe(BENEFITS)
        first = await stream.next()
        account = await grant_silently(ada)
        await publish(account)
        await publish(account)
        await publish(AccountChange(user_id, 30, first["version"], 1, entitlements=True))
        assert await images(stream) == (0, 3)
        # From another release without entitlements: the rows are read, and have not changed.
        await bus.publish(
            account_channel(user_id), {"credits": 30, "version": account.version, "sequence": 1, "lines": []}
        )
        await publish(await adjust_credits(user_id, 1, "next"))
        assert (await stream.next())["transaction"] == {"amount": 1}
        revoked = await run_tx(passes.revoke, f"gift:{user_id}")
        assert revoked is not None
        message = {"credits": 31, "version": revoked.version, "sequence": 2, "lines": [], "generations": []}
        await bus.publish(account_channel(user_id), message)
        assert await images(stream) is None
