"""The monthly refill: up to an amount, once a calendar month for each mailbox, when an account is first used."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models import CreditRefill, CreditTransaction, User
from services.billing.grants.refill import RefillService
from services.products.profile import RefillRules
from settings import Settings
from tests.accounts.test_guests import guest_of
from tests.conftest import Running, running
from tests.operations.test_maintenance import switch
from tests.support.client import CREDITS
from tests.support.expiring_profile import expiring, write_profile
from tests.support.integrity import adjust_credits, assert_invariants, make_admin
from tests.support.polar_store import user_of

REFILL = "\n[refill]\ncredits = 25\nexpire_days = 40\n"
LEDGER = "{ viewer { transactions(last: 100) { nodes { type amount balance description metadata } } } }"
MONTH = f"{datetime.now(UTC):%Y-%m}"


@pytest.fixture
async def server(scripted_settings: Settings, tmp_path: Path) -> AsyncIterator[Running]:
    """An idle server of a product with a refill up to 25 credits, and 10 at sign-up."""
    changes = {"profile": write_profile(tmp_path, REFILL), "signup_credits": 10}
    async with running(scripted_settings.model_copy(update=changes), idle=True) as found:
        yield found


async def test_first_use_in_a_month_fills_the_balance(server: Running) -> None:
    ada = await server.api.sign_up()
    assert (await ada.credits(), (await ada.one("{ viewer { version } }"))["version"]) == (25, 2)
    newest = (await ada.one(LEDGER))["transactions"]["nodes"][0]
    assert (newest["type"], newest["amount"], newest["balance"]) == ("BONUS", 15, 25)
    assert newest["description"] == "Free credits of the month"
    assert await expiring(ada) == [(10, 30), (15, 40)]
    await adjust_credits(user_of(ada), -20, "Spent.")
    assert await ada.credits() == 5, "once a month"
    await assert_invariants(server.services)


async def test_concurrent_first_uses_get_one_refill(server: Running) -> None:
    ada = await server.api.sign_up()
    assert set(await asyncio.gather(*(ada.credits() for _ in range(8)))) == {25}
    assert await CreditTransaction.filter(reference=f"refill:{user_of(ada)}:{MONTH}").count() == 1
    await assert_invariants(server.services)


async def test_order_is_paid_with_the_refill_that_it_is_the_first_use_for(server: Running) -> None:
    ada = await server.api.sign_up()
    await adjust_credits(user_of(ada), -10, "Spent.")
    made = await ada.create(prompt="A boat")
    assert (made["errors"], made["viewer"]["credits"]) == ([], 24)


async def test_rich_account_gets_its_refill_once_it_has_less(server: Running) -> None:
    ada = await server.api.sign_up()
    await adjust_credits(user_of(ada), 30, "A gift.")
    assert await ada.credits() == 40
    await adjust_credits(user_of(ada), -39, "Spent.")
    assert await ada.credits() == 25


async def test_next_month_has_its_own_refill(server: Running) -> None:
    ada = await server.api.sign_up()
    assert await ada.credits() == 25
    await adjust_credits(user_of(ada), -25, "Spent.")

    async def later() -> datetime:
        return datetime(2030, 2, 1, tzinfo=UTC)

    publisher, rules = server.services.events.publisher, RefillRules(credits=25)
    refills = RefillService(rules, "secret", publisher, requires_verification=False, now=later)
    user = await refills.refill(await User.get(id=user_of(ada)))
    assert (user.credits, user.refill_month) == (25, "2030-02")
    await adjust_credits(user_of(ada), -25, "Spent.")
    assert (await refills.refill(user)).credits == 0, "once a month"
    await refills.forget()
    assert [row.month for row in await CreditRefill.all()] == ["2030-02"], "earlier months are forgotten"
    await assert_invariants(server.services)


async def test_accounts_of_one_mailbox_share_a_refill(server: Running) -> None:
    accounts = [
        await server.api.sign_up(email) for email in ("ada@example.com", "ada+2@example.com", "Ada+3@example.com")
    ]
    assert await asyncio.gather(*(api.credits() for api in accounts)) in ([25, 0, 0], [10, 25, 0], [10, 0, 25])
    other = await server.api.sign_up("bob@example.com")
    assert await other.credits() == 25
    await assert_invariants(server.services)


async def test_guest_gets_no_refill(server: Running) -> None:
    guest = await guest_of(server.api)
    assert await guest.credits() == 3
    assert await CreditRefill.all().count() == 0


async def test_unverified_address_gets_no_refill_where_the_bonus_needs_a_verified_one(server: Running) -> None:
    ada = await server.api.sign_up()
    service = RefillService(
        RefillRules(credits=25), "secret", server.services.events.publisher, requires_verification=True
    )
    assert not service.is_due(await User.get(id=user_of(ada)))
    await ada.verify_address()
    assert service.is_due(await User.get(id=user_of(ada)))


async def test_read_only_service_grants_the_refill_with_the_first_request_afterwards(server: Running) -> None:
    ada, admin = await server.api.sign_up(), await make_admin(server.api)
    assert await admin.credits() == 25
    await switch(admin, readOnly=True)
    version = (await User.get(id=user_of(ada))).version
    for _ in range(4):  # the last ones are answered as repeated requests
        assert await ada.credits() == 10
    async with ada.socket() as socket:
        assert (await (await socket.subscribe(CREDITS)).next())["credits"] == 10
    assert (await User.get(id=user_of(ada))).version == version
    assert await CreditTransaction.filter(user_id=user_of(ada), reference__startswith="refill:").count() == 0
    await switch(admin, readOnly=False)
    assert await ada.credits() == 25
    await assert_invariants(server.services)


async def test_product_without_a_refill_grants_none(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await adjust_credits(user_of(ada), -(await ada.credits()), "Spent.")
    assert await ada.credits() == 0
