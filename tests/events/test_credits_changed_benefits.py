"""creditsChanged tells of passes and memberships, too: each change once, whatever is lost, and what time alone does."""

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
RIGHTS = f"subscription {{ creditsChanged {{ {FIELDS} }} }}"
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Nobody sweeps, nobody ends what these tests move by hand, and rows are read again soon."""
    return settings.model_copy(update={"generation_sweep_seconds": 600.0, "subscription_reread_seconds": 0.3})


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    """A server where nothing is made, so that what is canceled was not begun."""
    async with running(settings, idle=True) as found:
        yield found


async def granted(person: Api, slug: str = "flash-lite") -> AccountChange:
    """A pass, of which no message has told yet."""
    plan = await Plan.get(slug=slug)
    return await run_tx(passes.grant, person.user["id"], plan, f"gift:{person.user['id']}")


async def subscribed(server: Running, person: Api, **more: Any) -> AccountChange:
    """What the payment provider tells of a monthly plan, of which no message has told yet."""
    told = SubscriptionState(
        subscription_id="sub",
        user_id=person.user["id"],
        plan=await Plan.get(slug="basic"),
        status=more.pop("status", MembershipStatus.ACTIVE),
        started_at=NOW,
        renews_at=NOW + timedelta(days=30),
        ends_at=more.pop("ends_at", None),
        reported_at=more.pop("reported_at", NOW),
    )
    account: AccountChange | None = await run_tx(server.services.billing.memberships.apply, told)
    assert account is not None
    return account


async def images(stream: Stream) -> tuple[int, int] | None:
    """What the next message says of the pass, and that it is about nothing else."""
    event = await stream.next()
    assert event["transaction"] is None
    found = event["pass"]
    return (found["images"]["used"], found["images"]["remaining"]) if found else None


async def test_a_pass_and_its_allowance_are_told_as_they_change(ada: Api, server: Running) -> None:
    tell = server.services.events.publisher.account_changed
    async with ada.socket() as socket:
        stream = await socket.subscribe(RIGHTS)
        opened = await stream.next()
        assert (opened["pass"], opened["membership"], opened["transaction"]) == (None, None, None)
        await tell(await granted(ada))
        assert await images(stream) == (0, 3)
        generation_id = (await ada.create(prompt="A fox"))["generations"][0]["id"]
        assert await images(stream) == (1, 2)
        canceled = await ada.one(CANCEL, id=generation_id)
        assert canceled["errors"] == []
        assert await images(stream) == (0, 3)
        revoked = await run_tx(passes.revoke, f"gift:{ada.user['id']}")
        assert revoked is not None
        await tell(revoked)
        assert await images(stream) is None
        later = await socket.subscribe(RIGHTS)
        assert (await later.next())["version"] == (await User.get(id=ada.user["id"])).version


async def test_a_membership_is_told_as_it_changes(ada: Api, server: Running) -> None:
    tell, end = server.services.events.publisher.account_changed, NOW + timedelta(days=30)
    async with ada.socket() as socket:
        stream = await socket.subscribe(RIGHTS)
        await stream.next()
        await tell(await subscribed(server, ada))
        assert (await stream.next())["membership"] == {"plan": {"slug": "basic"}, "endsAt": None}
        await tell(await subscribed(server, ada, ends_at=end, reported_at=NOW + timedelta(seconds=1)))
        assert datetime.fromisoformat((await stream.next())["membership"]["endsAt"]) == end
        over = await subscribed(server, ada, status=MembershipStatus.ENDED, reported_at=NOW + timedelta(seconds=2))
        await tell(over)
        event = await stream.next()
        assert (event["membership"], event["version"]) == (None, over.version)


async def test_a_line_shows_what_came_with_it_and_is_told_once(ada: Api, server: Running) -> None:
    user_id = str(ada.user["id"])

    async def bought() -> AccountChange:
        account = await passes.grant(user_id, await Plan.get(slug="flash"), "both")
        paid = await ledger.post(user_id, [LedgerLine(TransactionType.BONUS, 5, "both")], version_bumped=True)
        return AccountChange(user_id, paid.credits, account.version, paid.sequence, paid.lines, entitlements=True)

    async with ada.socket() as socket:
        stream = await socket.subscribe(RIGHTS)
        await stream.next()
        # Once it has told a line it listens; before, it may read the next one ahead of what came with it.
        await server.services.events.publisher.account_changed(await adjust_credits(user_id, 1, "first"))
        assert (await stream.next())["transaction"] == {"amount": 1}
        await server.services.events.publisher.account_changed(await run_tx(bought))
        event = await stream.next()
        assert (event["transaction"], event["pass"]) == ({"amount": 5}, {"images": {"used": 0, "remaining": 8}})
        await server.services.events.publisher.account_changed(await adjust_credits(user_id, 1, "next"))
        assert (await stream.next())["transaction"] == {"amount": 1}


async def test_what_no_message_told_is_seen_when_it_is_quiet(ada: Api, server: Running) -> None:
    async with ada.socket() as socket:
        stream = await socket.subscribe(RIGHTS)
        await stream.next()
        await granted(ada)
        assert await images(stream) == (0, 3)
        await create_in_another_process(server.services, ada)
        assert await images(stream) == (1, 2)
        await subscribed(server, ada)
        assert (await stream.next())["membership"]["plan"] == {"slug": "basic"}


async def test_what_time_alone_does_is_told(ada: Api) -> None:
    account = await granted(ada)
    await ada.create(prompt="A fox")
    held = await Pass.get(user_id=account.user_id)
    almost = datetime.now(UTC) + timedelta(seconds=0.5)
    await Pass.filter(id=held.id).update(started_at=almost - HOUR, expires_at=almost + 2 * HOUR)
    async with ada.socket() as socket:
        stream = await socket.subscribe(RIGHTS)
        assert (await stream.next())["pass"] == {"images": {"used": 1, "remaining": 2}}
        assert await images(stream) == (0, 3), "the next hour has begun"
    almost = datetime.now(UTC) + timedelta(seconds=0.5)
    await Pass.filter(id=held.id).update(started_at=almost - 3 * HOUR, expires_at=almost)
    async with ada.socket() as socket:
        stream = await socket.subscribe(RIGHTS)
        assert (await stream.next())["pass"] is not None
        assert await images(stream) is None, "it is over"


async def test_late_repeated_and_foreign_messages_tell_nothing_twice(ada: Api, server: Running) -> None:
    user_id = str(ada.user["id"])
    tell, bus = server.services.events.publisher.account_changed, server.services.integrations.bus
    async with ada.socket() as socket:
        stream = await socket.subscribe(RIGHTS)
        first = await stream.next()
        account = await granted(ada)
        await tell(account)
        await tell(account)
        await tell(AccountChange(user_id, 30, first["version"], 1, entitlements=True))
        assert await images(stream) == (0, 3)
        # Of another release, which knew nothing of entitlements: the rows are read, and nothing has changed there.
        await bus.publish(
            account_channel(user_id), {"credits": 30, "version": account.version, "sequence": 1, "lines": []}
        )
        await tell(await adjust_credits(user_id, 1, "next"))
        assert (await stream.next())["transaction"] == {"amount": 1}
        revoked = await run_tx(passes.revoke, f"gift:{user_id}")
        assert revoked is not None
        message = {"credits": 31, "version": revoked.version, "sequence": 2, "lines": [], "generations": []}
        await bus.publish(account_channel(user_id), message)
        assert await images(stream) is None
