"""The refill of the next month, while what is left of the former one is about to expire."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models import CreditGrant, CreditTransaction, User
from models.database.connection import run_tx
from models.enum import TransactionType
from services.billing import ledger
from services.billing.ledger import LedgerLine
from services.core.month import month_of, next_month
from settings import Settings
from tests.billing.test_grant_expiry import cancel, spend
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.expiring_profile import expiring, write_profile
from tests.support.integrity import adjust_credits, assert_invariants
from tests.support.polar_store import user_of

REFILL = "\n[refill]\ncredits = 25\nexpire_days = 31\n"
DECEMBER = datetime(2027, 12, 1, 1, 47, tzinfo=UTC)
HOUR = timedelta(hours=1)
GIVEN, ENDED = ("BONUS", 25, 25), "EXPIRY"


@pytest.fixture
async def server(scripted_settings: Settings, tmp_path: Path) -> AsyncIterator[Running]:
    """An idle server of a product with a refill up to 25 credits for 31 days, and none at sign-up."""
    changes = {"profile": write_profile(tmp_path, REFILL), "signup_credits": 0}
    async with running(scripted_settings.model_copy(update=changes), idle=True) as found:
        yield found


@pytest.fixture
async def ada(server: Running) -> Api:
    return await server.api.sign_up()


async def use(server: Running, api: Api, moment: datetime) -> int:
    """Let a request that comes then ask for a refill, and return the balance after it."""
    refills = server.services.billing.refills

    async def now() -> datetime:
        return moment

    refills._now = now
    return int((await refills.refill(await User.get(id=user_of(api)))).credits)


async def expire(server: Running, moment: datetime) -> None:
    """Expire the grants whose time has come then."""
    expiry = server.services.billing.grant_expiry

    async def now() -> datetime:
        return moment

    expiry._now = now
    for id in await expiry.due(100):
        await expiry.expire(id)


async def balance(api: Api) -> int:
    """Return the balance without a request, which would ask for the present month's refill."""
    return int((await User.get(id=user_of(api))).credits)


async def lines(api: Api) -> list[tuple[str, int, int]]:
    found = await CreditTransaction.filter(user_id=user_of(api)).order_by("sequence")
    return [(line.type.value, line.amount, line.balance) for line in found]


async def test_refill_before_the_former_one_expires_lasts_for_the_whole_month(server: Running, ada: Api) -> None:
    assert await use(server, ada, DECEMBER) == 25
    await adjust_credits(user_of(ada), -5, "Spent.")
    january = DECEMBER + timedelta(days=31) - HOUR
    assert await use(server, ada, january) == 25
    assert await lines(ada) == [GIVEN, ("ADMIN", -5, 20), (ENDED, -20, 0), GIVEN]
    for later in (2 * HOUR, timedelta(days=20)):
        await expire(server, january + later)
        assert (await balance(ada), await use(server, ada, january + later)) == (25, 25), "none is lost"
    await expire(server, january + timedelta(days=31))
    assert await balance(ada) == 0
    await assert_invariants(server.services)


async def test_refill_lasts_in_months_of_every_length(server: Running, ada: Api) -> None:
    """Two years with a leap day; in each month the first use is just before the former refill expires."""
    moment, months = DECEMBER, []
    while moment.year < 2029 or moment.month < 12:
        assert await use(server, ada, moment) == 25
        following = next_month(month_of(moment))
        months.append((following - month_of(moment)).days)
        await adjust_credits(user_of(ada), -3, "Spent.")
        await expire(server, following - timedelta(minutes=1))
        assert await balance(ada) == 22, f"until the end of {moment:%Y-%m}"
        moment = max(moment + timedelta(days=31) - HOUR, following)
        moment = min(moment, next_month(following) - HOUR)
    assert (len(months), set(months)) == (24, {28, 29, 30, 31})
    await assert_invariants(server.services)


async def test_credits_of_other_kinds_stay_and_count(server: Running, ada: Api) -> None:
    await use(server, ada, DECEMBER)
    await adjust_credits(user_of(ada), -20, "Spent.")
    await adjust_credits(user_of(ada), 7, "A gift.")
    assert await use(server, ada, DECEMBER + timedelta(days=31) - HOUR) == 25
    assert (await lines(ada))[-2:] == [(ENDED, -5, 7), ("BONUS", 18, 25)]
    assert [row.remaining for row in await CreditGrant.filter(remaining__gt=0)] == [18]
    await assert_invariants(server.services)


async def test_credits_of_another_kind_that_have_expired_do_not_count(server: Running, ada: Api) -> None:
    await use(server, ada, DECEMBER)
    overdue = DECEMBER + timedelta(days=30)
    bonus = LedgerLine(TransactionType.BONUS, 9, "referral:x", expires_at=overdue)
    await run_tx(ledger.post, user_of(ada), [bonus])
    await adjust_credits(user_of(ada), -12, "Spent.")
    january = datetime(2028, 1, 1, 0, 47, tzinfo=UTC)
    await use(server, ada, january)
    await expire(server, january)
    assert await balance(ada) == 25, "until the sweep"
    await assert_invariants(server.services)


async def test_refill_that_lasts_longer_than_the_next_one_stays(server: Running, ada: Api) -> None:
    """A profile that gave them for longer before takes none of them back."""
    await use(server, ada, DECEMBER)
    await CreditGrant.all().update(expires_at=DECEMBER + timedelta(days=365))
    await adjust_credits(user_of(ada), -5, "Spent.")
    assert await use(server, ada, DECEMBER + timedelta(days=31)) == 25
    assert (await lines(ada))[-1] == ("BONUS", 5, 25)
    await expire(server, DECEMBER + timedelta(days=63))
    assert await balance(ada) == 20
    await assert_invariants(server.services)


async def test_several_earlier_refills_end_with_the_next_one(server: Running, ada: Api) -> None:
    for number, month in enumerate((DECEMBER, DECEMBER + timedelta(days=31), DECEMBER + timedelta(days=62))):
        await use(server, ada, month)
        await CreditGrant.all().update(expires_at=DECEMBER + timedelta(days=90, hours=number))
        await adjust_credits(user_of(ada), -10, "Spent.")
    assert [row.remaining for row in await CreditGrant.filter(remaining__gt=0)] == [15]
    assert await use(server, ada, datetime(2028, 3, 1, tzinfo=UTC)) == 25
    assert [row.remaining for row in await CreditGrant.filter(remaining__gt=0)] == [25]
    await assert_invariants(server.services)


async def test_concurrent_uses_expiries_and_orders_add_up(server: Running, ada: Api) -> None:
    assert await ada.credits() == 25
    await spend(ada, 5)
    await User.filter(id=user_of(ada)).update(refill_month="2020-01")
    await server.services.billing.refills.forget()
    january = next_month(month_of(datetime.now(UTC))) + HOUR
    await CreditGrant.all().update(expires_at=datetime.now(UTC) - HOUR)
    (former,) = await CreditGrant.all()
    expire_one = server.services.billing.grant_expiry.expire
    uses = (use(server, ada, january) for _ in range(6))
    await asyncio.gather(*uses, *(expire_one(former.id) for _ in range(3)))
    assert await balance(ada) == 25
    assert await CreditTransaction.filter(type=ENDED).count() == 1
    assert await CreditTransaction.filter(reference__startswith="refill:").count() == 2
    await assert_invariants(server.services)


async def test_refund_of_an_order_that_an_ended_refill_paid_is_kept_for_some_days(server: Running, ada: Api) -> None:
    assert await ada.credits() == 25
    (made,) = await spend(ada)
    january = next_month(month_of(datetime.now(UTC))) + HOUR
    assert await use(server, ada, january) == 25
    await cancel(ada, made)
    assert (await ada.credits(), len(await expiring(ada))) == (26, 2)
    await assert_invariants(server.services)
