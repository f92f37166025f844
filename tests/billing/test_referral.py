"""Referrals: both users get the bonus once, when the invited one has a verified address and a paid order."""

import asyncio
import itertools
from typing import Any

import pytest
from structlog.testing import capture_logs

from models import MailToken, Purchase, User
from models.database.connection import run_tx
from models.enum import MailPurpose, PurchaseStatus, TransactionType
from services.accounts import mail_token
from services.billing import ledger
from services.billing.referral import ReferralService
from services.products.profile import ReferralRules
from tests.accounts.test_guests import guest_of
from tests.conftest import Running
from tests.support.client import CREDITS, SIGN_UP, Api, until
from tests.support.integrity import assert_invariants

VERIFY = "mutation($token: String!) { verifyEmail(token: $token) { user { emailVerified } errors { code } } }"
LEAVE = """
mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }
"""
LINES = "{ viewer { transactions(last: 10) { nodes { type amount description metadata } } } }"
BONUS, CAP = 7, 2

_orders = itertools.count()


@pytest.fixture
def referrals(server: Running) -> ReferralService:
    """A service with a low cap, so that a few accounts reach it."""
    return ReferralService(
        ReferralRules(bonus=BONUS, cap=CAP), server.settings.secret(), server.services.events.publisher
    )


async def code_of(client: Api) -> str:
    return str((await client.one("{ viewer { referralCode } }"))["referralCode"])


async def verify_email(client: Api) -> None:
    """Verify the address with a link like the mailed one, which is issued after the response and voids others."""
    await until(lambda: MailToken.exists(user_id=client.user["id"]))
    token = await run_tx(mail_token.issue, client.user["id"], client.user["email"], MailPurpose.VERIFY)
    assert (await client.one(VERIFY, token=token))["user"] == {"emailVerified": True}


async def pay(client: Api, status: PurchaseStatus = PurchaseStatus.PAID, amount: int = 499) -> None:
    """Insert the row of a paid order."""
    await Purchase.create(
        order_id=f"order-{next(_orders)}",
        user_id=client.user["id"],
        status=status,
        is_paid=True,
        net_amount=amount,
        data={},
    )


async def refer(api: Api, by: Api, email: str) -> Api:
    """Sign up an account with everything that its bonus requires, without settling it."""
    client = await api.sign_up(email, referralCode=await code_of(by))
    await verify_email(client)
    await pay(client)
    return client


async def refused(api: Api, email: str, code: str) -> dict[str, Any]:
    return await api.refused(SIGN_UP, input={"email": email, "password": "correct horse", "referralCode": code})


async def test_both_users_get_bonus_when_first_order_is_paid(ada: Api, api: Api, server: Running) -> None:
    rules = server.services.products.profile.referral
    assert rules is not None
    bob = await api.sign_up("bob@example.com", referralCode=f" {(await code_of(ada)).upper()} ")  # as users type it
    before = await ada.credits()
    assert await bob.credits() == before, "signing up alone pays nothing"
    await verify_email(bob)
    assert not await server.services.billing.referrals.settle(bob.user["id"]), "nor does a verified address alone"
    await pay(bob)
    async with ada.socket() as socket:
        stream = await socket.subscribe(CREDITS)
        await stream.next()
        assert await server.services.billing.referrals.settle(bob.user["id"])
        assert (await stream.next())["transaction"]["amount"] == rules.bonus
    for client in (ada, bob):
        assert await client.credits() == before + rules.bonus
        assert (await client.one(LINES))["transactions"]["nodes"][0] == {
            "type": "BONUS",
            "amount": rules.bonus,
            "description": "Referral bonus",
            "metadata": {"reason": "referral"},
        }
    await assert_invariants(server.services)


async def test_code_of_a_guest_does_not_exist(api: Api) -> None:
    guest = await guest_of(api)
    code = await code_of(guest)
    for client in (guest, api):  # its own, and that of the human who signs up otherwise
        error = await refused(client, "ada@example.com", code)
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["referralCode"])
    ada = await guest.sign_up("ada@example.com")
    bob = await api.sign_up("bob@example.com", referralCode=code)
    assert (await User.get(id=bob.user["id"])).referred_by_id == ada.user["id"] == guest.user["id"]


async def test_account_that_referred_itself_in_an_earlier_release_is_not_settled_again_and_again(
    ada: Api, server: Running, referrals: ReferralService
) -> None:
    await verify_email(ada)
    await pay(ada)
    await User.filter(id=ada.user["id"]).update(referred_by_id=ada.user["id"])
    with capture_logs() as logs:
        assert not await referrals.settle(ada.user["id"])
        assert await referrals.settle_all() == 0
    assert [entry["event"] for entry in logs if entry["event"].startswith("referral.")] == []


async def test_account_shows_how_many_signed_up_with_its_code(
    ada: Api, api: Api, server: Running, referrals: ReferralService
) -> None:
    shown = "{ viewer { referrals { signedUp rewarded } } }"
    assert (await ada.one(shown))["referrals"] == {"signedUp": 0, "rewarded": 0}
    bob = await refer(api, ada, "bob@example.com")
    cyd = await api.sign_up("cyd@example.com", referralCode=await code_of(ada))
    assert (await ada.one(shown))["referrals"] == {"signedUp": 2, "rewarded": 0}
    assert await referrals.settle(bob.user["id"])
    assert (await ada.one(shown))["referrals"] == {"signedUp": 2, "rewarded": 1}
    for client in (bob, cyd):  # a bonus stays, and an account that has left is not counted
        input = {"password": "correct horse", "confirmEmail": client.user["email"]}
        assert (await client.one(LEAVE, input=input))["errors"] == []
    assert (await ada.one(shown))["referrals"] == {"signedUp": 0, "rewarded": 1}
    rules = server.services.products.profile.referral
    assert rules is not None
    offered = await api.execute("{ deployment { referrals { bonus cap } } }")
    assert offered["deployment"]["referrals"] == {"bonus": rules.bonus, "cap": rules.cap}


async def test_bonus_is_paid_when_address_is_verified_after_order(ada: Api, api: Api, server: Running) -> None:
    before = await ada.credits()
    bob = await api.sign_up("bob@example.com", referralCode=await code_of(ada))
    await pay(bob)
    assert not await server.services.billing.referrals.settle(bob.user["id"])
    assert await ada.credits() == before
    await verify_email(bob)
    assert await ada.credits() > before


async def test_referral_bonus_is_paid_once_however_often_it_is_settled(
    ada: Api, api: Api, referrals: ReferralService
) -> None:
    before = await ada.credits()
    bob = await refer(api, ada, "bob@example.com")
    settled = await asyncio.gather(*(referrals.settle(bob.user["id"]) for _ in range(8)))
    await pay(bob)
    assert sum(settled) + await referrals.settle(bob.user["id"]) + await referrals.settle_all() == 1
    assert (await ada.credits(), await bob.credits()) == (before + BONUS, before + BONUS)


async def test_settle_all_finds_unpaid_bonuses(ada: Api, api: Api, referrals: ReferralService) -> None:
    before = await ada.credits()
    users = [await refer(api, ada, f"{name}@example.com") for name in ("bob", "cyd")]
    assert await referrals.settle_all() == 2
    assert await referrals.settle_all() == 0
    assert [await client.credits() for client in (ada, *users)] == [before + 2 * BONUS, before + BONUS, before + BONUS]


async def test_cap_holds_for_concurrent_referrals(
    ada: Api, api: Api, server: Running, referrals: ReferralService
) -> None:
    before = await ada.credits()
    users = [await refer(api, ada, f"friend-{number}@example.com") for number in range(CAP + 2)]
    settled = await asyncio.gather(*(referrals.settle(client.user["id"]) for client in users))
    assert sum(settled) <= CAP, "the server's own reconciliation may settle some of them first"
    assert await ada.credits() == before + CAP * BONUS
    versions = [(await User.get(id=client.user["id"])).version for client in users]
    assert await referrals.settle_all() == 0
    assert versions == [(await User.get(id=client.user["id"])).version for client in users]
    await assert_invariants(server.services)


async def test_refunded_or_free_order_pays_no_bonus(ada: Api, api: Api, referrals: ReferralService) -> None:
    bob = await api.sign_up("bob@example.com", referralCode=await code_of(ada))
    await verify_email(bob)
    for status in (PurchaseStatus.REFUNDED, PurchaseStatus.PARKED):
        await pay(bob, status)
        assert not await referrals.settle(bob.user["id"])
    await pay(bob, amount=0)
    assert not await referrals.settle(bob.user["id"])
    assert await referrals.settle_all() == 0


@pytest.mark.parametrize("code", ["unknown", " ", "\0", "x" * 5000])
async def test_unknown_referral_code_is_refused(ada: Api, api: Api, code: str) -> None:
    error = await refused(api, "bob@example.com", code)
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["referralCode"])
    assert not await User.exists(email="bob@example.com")


async def test_code_that_leads_back_to_same_mailbox_is_refused(api: Api) -> None:
    ada = await api.sign_up("ada.l@gmail.com")
    bob = await api.sign_up("bob@example.com", referralCode=await code_of(ada))
    for email in ("adal+2@gmail.com", "a.dal@googlemail.com", "bob+new@example.com"):
        assert (await refused(api, email, await code_of(bob)))["field"] == ["referralCode"]
    await api.sign_up("b.ob@example.com", referralCode=await code_of(bob))  # dots matter elsewhere
    await api.sign_up("bob@example.org", referralCode=await code_of(bob))


async def test_one_mailbox_is_referred_once(ada: Api, api: Api, referrals: ReferralService) -> None:
    eve = await api.sign_up("eve@example.com")
    before = await eve.credits()
    first, again = [await refer(api, by, email) for by, email in ((ada, "bob@b.example"), (eve, "bob+1@b.example"))]
    assert await referrals.settle(first.user["id"])
    assert not await referrals.settle(again.user["id"])
    assert (await eve.credits(), await again.credits()) == (before, 0), "nor does it get a second sign-up bonus"


async def test_only_direct_referrer_gets_bonus(ada: Api, api: Api, referrals: ReferralService) -> None:
    before = await ada.credits()
    bob = await api.sign_up("bob@example.com", referralCode=await code_of(ada))
    assert await referrals.settle((await refer(api, bob, "cyd@example.com")).user["id"])
    assert (await ada.credits(), await bob.credits()) == (before, before + BONUS)


async def test_deleted_account_gets_no_bonus_and_its_code_is_refused(
    ada: Api, api: Api, referrals: ReferralService
) -> None:
    before, code = await ada.credits(), await code_of(ada)
    bob = await refer(api, ada, "bob@example.com")
    await ada.one(LEAVE, input={"password": "correct horse", "confirmEmail": "ada@example.com"})
    assert await referrals.settle(bob.user["id"]), "the invited user still gets the bonus"
    assert await bob.credits() == before + BONUS
    assert (await User.get(id=ada.user["id"])).credits == before
    assert (await refused(api, "cyd@example.com", code))["code"] == "INVALID_INPUT"


async def test_crossed_referrals_do_not_deadlock(api: Api, referrals: ReferralService) -> None:
    users = [await api.sign_up("one@example.com"), await api.sign_up("two@example.com")]
    for client, other in (users, reversed(users)):  # the API prevents such a cycle, but the locks must not deadlock
        await verify_email(client)
        await pay(client)
        await User.filter(id=client.user["id"]).update(referred_by_id=other.user["id"])
    assert all(await asyncio.gather(*(referrals.settle(client.user["id"]) for client in users)))


async def test_account_of_previous_release_gets_code_on_read(ada: Api) -> None:
    await User.filter(id=ada.user["id"]).update(referral_code=None)
    codes = await asyncio.gather(*(code_of(ada) for _ in range(4)))
    assert len(set(codes)) == 1


async def test_ledger_outage_does_not_undo_email_verification(ada: Api, api: Api, server: Running) -> None:
    """A bonus that cannot be written does not roll back the verification."""
    bob = await api.sign_up("bob@example.com", referralCode=await code_of(ada))
    await pay(bob)
    taken = ledger.LedgerLine(TransactionType.ADMIN, 1, f"referral:{bob.user['id']}:to")
    await run_tx(ledger.post, ada.user["id"], [taken])
    await verify_email(bob)
    assert (await User.get(id=bob.user["id"])).referral_paid_at is None
