"""Credits that expire: spent first, gone by one ledger line, and back where a refund returns them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models import CreditGrant, CreditTransaction, Membership, User
from services.billing.granted_plan import _after_months
from services.billing.grants.grant import KEPT_DAYS, REFUND_DAYS
from services.core.chore import Lane
from settings import ROOT, Settings
from tests.accounts.test_guest_merge import merge, token_of
from tests.accounts.test_guests import guest_of
from tests.billing.test_granted_plan import grant as grant_plan
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.expiring_profile import (
    KEPT,
    MONTH_DAYS,
    PACKAGE_DAYS,
    SIGNUP_DAYS,
    expiring,
    let_expire,
    write_profile,
)
from tests.support.fakes.polar import PolarServer
from tests.support.fakes.polar_wire import Json, order, refunded
from tests.support.integrity import adjust_credits, assert_invariants, make_admin
from tests.support.polar_store import BASIC, FIFTY, deliver, lines, paid_by, user_of

CANCEL = "mutation($id: ID!) { cancelGeneration(id: $id) { generation { status } errors { code } } }"
DELETE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
LEDGER = "{ viewer { transactions(last: 100) { nodes { type amount balance description expiresAt metadata } } } }"
OFFERS = "{ creditPackages { slug creditsExpireDays } plans { slug creditsExpireDays rollover } }"


# Expires a grant like a worker, but exits inside the transaction, or after its commit.
DYING = """
import asyncio, os, sys
from datetime import UTC, datetime
from composition import open_services
from services.billing.grants.expiry import GrantExpiryService
from settings import load_settings

class Events:
    async def account_changed(self, account):
        os._exit(137)

async def now():
    if sys.argv[2] == "inside":
        os._exit(137)
    return datetime.now(UTC)

async def main():
    async with open_services(load_settings(_env_file=None)):
        await GrantExpiryService(Events(), now).expire(sys.argv[1])

asyncio.run(main())
"""


@pytest.fixture
async def store(polar: PolarServer, settings: Settings, tmp_path: Path) -> AsyncIterator[Running]:
    """An idle server of a product whose credits expire, with 10 at sign-up."""
    paid = paid_by(polar, settings).model_copy(update={"profile": write_profile(tmp_path)})
    async with running(paid, idle=True) as found:
        await found.services.billing.plans.seed()
        yield found


@pytest.fixture
async def ada(store: Running) -> Api:
    return await store.api.sign_up()


async def buy(api: Api) -> Json:
    bought = order(user_of(api), FIFTY)
    assert (await deliver(api, "order.paid", bought)).outcome == "HANDLED"
    return bought


async def spend(api: Api, times: int = 1) -> list[str]:
    """Order pictures of 1 credit each, one by one, and return their ids."""
    made = []
    for number in range(times):
        (row,) = (await api.create(prompt=f"Boat {number}"))["generations"]
        assert row["cost"] == 1
        made.append(str(row["id"]))
    return made


async def cancel(api: Api, id: str) -> None:
    assert (await api.one(CANCEL, id=id))["errors"] == []


async def sweep(server: Running) -> None:
    await server.services.background.sweeper.sweep_lane(Lane.SETTLEMENT)


async def test_credits_that_expire_are_shown_with_their_days(store: Running, ada: Api) -> None:
    assert await expiring(ada) == [(10, SIGNUP_DAYS)]
    await buy(ada)
    await adjust_credits(user_of(ada), 7, "A gift.")
    assert (await ada.credits(), await expiring(ada)) == (67, [(10, SIGNUP_DAYS), (50, PACKAGE_DAYS)])
    gift, bought, bonus = (await ada.one(LEDGER))["transactions"]["nodes"]
    assert gift["expiresAt"] is None
    for line, days in ((bought, PACKAGE_DAYS), (bonus, SIGNUP_DAYS)):
        left = datetime.fromisoformat(line["expiresAt"]) - datetime.now(UTC)
        assert round(left / timedelta(days=1)) == days
    offers = await ada.execute(OFFERS)
    assert {"slug": "credits-50", "creditsExpireDays": PACKAGE_DAYS} in offers["creditPackages"]
    assert {"slug": "credits-200", "creditsExpireDays": None} in offers["creditPackages"]
    assert {"slug": "basic", "creditsExpireDays": MONTH_DAYS, "rollover": KEPT} in offers["plans"]
    assert {"slug": "pro", "creditsExpireDays": None, "rollover": None} in offers["plans"]
    await assert_invariants(store.services)


async def test_spending_takes_what_expires_first(store: Running, ada: Api) -> None:
    await adjust_credits(user_of(ada), 5, "A gift.")
    await buy(ada)
    await spend(ada, 12)
    assert (await ada.credits(), await expiring(ada)) == (53, [(48, PACKAGE_DAYS)])
    newest = (await ada.one(LEDGER))["transactions"]["nodes"][0]
    grant = await CreditGrant.get(user_id=user_of(ada), type="PURCHASE")
    assert newest["metadata"] == {"grants": [{"transaction": grant.id, "credits": 1}]}
    await assert_invariants(store.services)


async def test_what_is_left_expires_by_one_line_however_many_workers_sweep(store: Running, ada: Api) -> None:
    await buy(ada)
    await spend(ada, 4)
    await let_expire(user_of(ada), "BONUS")
    expiry = store.services.billing.grant_expiry
    async with ada.socket() as socket:
        stream = await socket.subscribe("subscription { creditsChanged { credits transaction { type amount } } }")
        assert (await stream.next())["credits"] == 56
        due = await expiry.due(100)
        assert len(due) == 1
        await asyncio.gather(*(expiry.expire(id) for id in due * 8))
        assert await stream.next() == {"credits": 50, "transaction": {"type": "EXPIRY", "amount": -6}}
    await sweep(store)
    assert (await ada.credits(), await expiring(ada)) == (50, [(50, PACKAGE_DAYS)])
    line = (await ada.one(LEDGER))["transactions"]["nodes"][0]
    assert (line["type"], line["amount"], line["balance"], line["description"]) == ("EXPIRY", -6, 50, "Credits expired")
    await assert_invariants(store.services, all_ended=False)


@pytest.mark.parametrize(("moment", "left"), [("inside", 10), ("afterwards", 0)])
async def test_grant_of_a_worker_that_dies_expires_once(store: Running, ada: Api, moment: str, left: int) -> None:
    (grant,) = await let_expire(user_of(ada))
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": store.settings.database,
        "DATA_DIR": str(store.settings.data_dir),
    }
    command = (sys.executable, "-c", DYING, grant, moment)
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    assert await process.wait() == 137
    assert await ada.credits() == left
    for _ in range(2):
        await sweep(store)
        assert (await ada.credits(), await lines(ada)) == (0, [("EXPIRY", -10)])
    await assert_invariants(store.services)


async def test_spends_and_the_expiry_of_what_they_spend_add_up(store: Running, ada: Api) -> None:
    """Each credit is taken once: by an order or by the expiry, whichever commits first."""
    await let_expire(user_of(ada))
    (grant,) = await store.services.billing.grant_expiry.due(100)
    orders = [ada.create(prompt=f"Boat {number}") for number in range(6)]
    *made, _ = await asyncio.gather(*orders, store.services.billing.grant_expiry.expire(grant))
    spent = sum(len(payload["generations"]) for payload in made)
    expired = await CreditTransaction.filter(user_id=user_of(ada), type="EXPIRY")
    assert (await ada.credits(), sum(line.amount for line in expired)) == (0, spent - 10)
    assert all(payload["errors"] == [] or payload["errors"][0]["code"] == "INSUFFICIENT_CREDITS" for payload in made)
    await assert_invariants(store.services)


async def test_concurrent_spends_take_each_credit_of_a_grant_once(store: Running, ada: Api) -> None:
    await adjust_credits(user_of(ada), 10, "A gift.")
    made = await asyncio.gather(*(ada.create(prompt=f"Boat {number}") for number in range(25)))
    assert sum(len(payload["generations"]) for payload in made) == 20
    assert (await ada.credits(), await expiring(ada)) == (0, [])
    assert (await CreditGrant.get(user_id=user_of(ada))).remaining == 0
    await assert_invariants(store.services)


async def test_refund_returns_to_the_grant_that_paid(store: Running, ada: Api) -> None:
    await buy(ada)
    made = await spend(ada, 11)
    assert await expiring(ada) == [(49, PACKAGE_DAYS)]
    for id in made:
        await cancel(ada, id)
    assert (await ada.credits(), await expiring(ada)) == (60, [(10, SIGNUP_DAYS), (50, PACKAGE_DAYS)])
    await assert_invariants(store.services)


async def test_refund_of_credits_that_expired_meanwhile_can_be_used_for_some_days(store: Running, ada: Api) -> None:
    first, second, third = await spend(ada, 3)
    await let_expire(user_of(ada))
    await cancel(ada, first)  # its grant has expired, and the line of its expiry is not written yet
    assert (await ada.credits(), (await expiring(ada))[-1]) == (8, (1, REFUND_DAYS))
    await sweep(store)
    await cancel(ada, second)
    assert (await ada.credits(), await expiring(ada)) == (2, [(2, REFUND_DAYS)])
    await CreditGrant.filter(type="BONUS").delete()  # as long after the expiry
    await cancel(ada, third)
    assert (await ada.credits(), await expiring(ada)) == (3, [(3, REFUND_DAYS)])
    assert await lines(ada) == [*[("DEDUCTION", -1)] * 3, ("REFUND", 1), ("EXPIRY", -7), *[("REFUND", 1)] * 2]
    await let_expire(user_of(ada))
    await sweep(store)
    assert (await ada.credits(), await expiring(ada)) == (0, [])
    await assert_invariants(store.services)


async def test_refunds_and_the_expiry_of_their_grant_add_up(store: Running, ada: Api) -> None:
    made = await spend(ada, 5)
    await let_expire(user_of(ada))
    (grant,) = await store.services.billing.grant_expiry.due(100)
    expire = store.services.billing.grant_expiry.expire
    await asyncio.gather(*(cancel(ada, id) for id in made), *(expire(grant) for _ in range(3)))
    assert (await ada.credits(), await expiring(ada)) == (5, [(5, REFUND_DAYS)])
    await assert_invariants(store.services)


async def test_reversed_order_takes_its_own_credits_first(store: Running, ada: Api) -> None:
    bought = await buy(ada)
    await spend(ada, 2)
    await deliver(ada, "order.refunded", refunded(bought, 499))
    assert (await ada.credits(), await expiring(ada)) == (8, [(8, SIGNUP_DAYS)])
    again = await buy(ada)
    await spend(ada, 40)
    await deliver(ada, "order.refunded", refunded(again, 499))
    assert (await ada.credits(), await expiring(ada)) == (-32, [])
    await buy(ada)
    assert (await ada.credits(), await expiring(ada)) == (18, [(18, PACKAGE_DAYS)]), "the debt was paid first"
    await assert_invariants(store.services)


async def test_next_month_keeps_unused_credits_up_to_the_plans_limit(store: Running, ada: Api) -> None:
    await spend(ada, 10)
    admin = await make_admin(store.api)
    assert (await grant_plan(admin, ada))["errors"] == []
    await spend(ada, 30)
    assert (await ada.credits(), await expiring(ada)) == (70, [(70, MONTH_DAYS)])
    started = _after_months(datetime.now(UTC) - timedelta(minutes=1), -1)
    moved = Membership.filter(user_id=user_of(ada), status="ACTIVE")
    await moved.update(started_at=started, renews_at=_after_months(started, 1))
    plans = store.services.billing.granted_plans
    await asyncio.gather(*(plans.renew(id) for id in (await plans.due(10)) * 4))
    assert (await ada.credits(), sum(credits for credits, _ in await expiring(ada))) == (100 + KEPT, 100 + KEPT)
    newest = (await ada.one(LEDGER))["transactions"]["nodes"][:3]
    assert [(line["type"], line["amount"], line["description"]) for line in newest] == [
        ("SUBSCRIPTION", 100, "Monthly credits"),
        ("ROLLOVER", KEPT, "Unused credits of last month"),
        ("EXPIRY", -70, "Credits expired"),
    ]
    await assert_invariants(store.services)


async def test_paid_months_carry_over_and_a_change_within_a_month_does_not(store: Running, ada: Api) -> None:
    month = {"billing_reason": "subscription_create", "subscription_id": "sub_1"}
    await deliver(ada, "order.paid", order(user_of(ada), BASIC, 999, **month))
    await spend(ada, 15)
    cycle = order(user_of(ada), BASIC, 999, **{**month, "billing_reason": "subscription_cycle"})
    for _ in range(2):
        await deliver(ada, "order.paid", cycle)
    found = await lines(ada)
    assert found[-3:] == [("EXPIRY", -95), ("ROLLOVER", KEPT), ("SUBSCRIPTION", 100)]
    assert await ada.credits() == 100 + KEPT
    await assert_invariants(store.services)


async def test_expired_grants_are_forgotten_after_a_while(store: Running, ada: Api) -> None:
    await spend(ada, 4)
    await let_expire(user_of(ada))
    await sweep(store)
    expiry = store.services.billing.grant_expiry
    assert await expiry.forgettable(10) == []
    await CreditGrant.all().update(expires_at=datetime.now(UTC) - timedelta(days=KEPT_DAYS, minutes=1))
    assert await expiry.forgettable(10) == [user_of(ada)]
    version = (await User.get(id=user_of(ada))).version
    await store.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
    user = await User.get(id=user_of(ada))
    assert (await CreditGrant.all().count(), user.has_grants, user.version) == (0, False, version)
    await adjust_credits(user_of(ada), 3, "A gift.")
    (made,) = await spend(ada)
    await cancel(ada, made)
    assert (await ada.credits(), await expiring(ada)) == (3, [])
    await assert_invariants(store.services)


async def test_grants_of_a_guest_move_to_the_account_with_their_expiry(store: Running, ada: Api) -> None:
    guest = await guest_of(store.api)
    assert await expiring(guest) == [(3, SIGNUP_DAYS)]
    await buy(guest)
    (made,) = await spend(guest)
    await store.services.generations.worker.process(made)
    assert (await merge(ada, await token_of(guest)))["movedCredits"] == 50
    assert (await ada.credits(), await expiring(ada)) == (60, [(10, SIGNUP_DAYS), (50, PACKAGE_DAYS)])
    assert not (await User.get(id=user_of(guest))).has_grants
    await let_expire(user_of(ada))
    await sweep(store)
    assert await ada.credits() == 0
    await assert_invariants(store.services)


async def test_bonus_that_expired_takes_nothing_of_what_a_guest_bought(store: Running, ada: Api) -> None:
    guest = await guest_of(store.api)
    await buy(guest)
    await let_expire(user_of(guest), "BONUS")
    await sweep(store)
    assert (await merge(ada, await token_of(guest)))["movedCredits"] == 50
    await assert_invariants(store.services)


async def test_deleted_account_has_no_grants(store: Running, ada: Api) -> None:
    confirmation = {"password": "correct horse", "confirmEmail": "ada@example.com"}
    assert (await ada.one(DELETE, input=confirmation))["errors"] == []
    assert await CreditGrant.all().count() == 0
    await sweep(store)
    await assert_invariants(store.services, all_ended=True)


async def test_grants_that_a_former_release_has_spent_from_are_settled(store: Running, ada: Api) -> None:
    """A server that knows no grants spends 8 of 10: then what is left is what the account has."""
    user_id = user_of(ada)
    await adjust_credits(user_id, -8, "Spent.")
    await CreditGrant.filter(user_id=user_id).update(remaining=10)
    await let_expire(user_id)
    await sweep(store)
    assert (await ada.credits(), await CreditGrant.filter(remaining__gt=0).count()) == (0, 0)
    assert await lines(ada) == [("ADMIN", -8), ("EXPIRY", -2)]
    await assert_invariants(store.services)


async def test_orders_of_accounts_without_grants_read_none(
    idle_server: Running, capfd: pytest.CaptureFixture[str]
) -> None:
    ada = await idle_server.api.sign_up()
    made = await spend(ada, 1)
    await cancel(ada, made[0])
    assert await CreditGrant.all().count() == 0
    assert not await User.filter(has_grants=True).exists()
