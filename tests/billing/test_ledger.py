"""The ledger: it adds up under concurrency, nothing is paid twice, and its owner can read all of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from tortoise.exceptions import IntegrityError

from models import CreditTransaction, User, ids
from models.database.connection import open_database, rows, run_tx
from models.enum import TransactionType
from services.billing import ledger
from services.billing.ledger import LedgerLine
from services.billing.signup_bonus import SignupBonusService
from services.core.error import InsufficientCreditsError, NotFoundError
from services.events import account_change
from tests.support import factories
from tests.support.client import Api
from tests.support.factories import insert

SPENDS, MORE_SPENDS, CREDITS = 1_000, 10_000, 500
CONCURRENT = 64  # more than the connections of the pool


@pytest.fixture
async def opened(database: str) -> AsyncIterator[str]:
    async with open_database(database):
        yield database


async def account(credits: int = 0) -> str:
    """Insert an account whose credits come from a ledger line."""
    user: str = (await insert("users", factories.user()))["id"]
    if credits:
        await post(user, [grant(credits)])
    return user


def grant(amount: int, reference: str | None = None) -> LedgerLine:
    return LedgerLine(TransactionType.ADMIN, amount, reference or f"admin:{ids.new_id('key')}")


async def post(user: str, lines: Sequence[LedgerLine]) -> account_change.AccountChange:
    return await run_tx(ledger.post, user, lines)


async def audited(user: str) -> tuple[User, list[CreditTransaction]]:
    """Return the account and its lines, after checking that they add up."""
    found, lines = await User.get(id=user), await CreditTransaction.filter(user_id=user).order_by("sequence")
    assert [line.sequence for line in lines] == list(range(1, len(lines) + 1)), "a gap"
    balance = 0
    for line in lines:
        balance += line.amount
        assert line.balance == balance, f"line {line.sequence} breaks the chain"
        assert balance >= 0
    assert (found.credits, found.ledger_sequence) == (balance, len(lines))
    return found, lines


@pytest.mark.parametrize("spends", [SPENDS, pytest.param(MORE_SPENDS, marks=pytest.mark.chaos)])
async def test_concurrent_spends_use_exactly_the_balance(opened: str, spends: int) -> None:
    user = await account(CREDITS)
    slots = asyncio.Semaphore(CONCURRENT)
    lowest = CREDITS

    async def spend() -> bool:
        nonlocal lowest
        async with slots:
            try:
                left = await post(user, ledger.deduction(ids.new_id(ids.GENERATION), 1))
            except InsufficientCreditsError:
                return False
            lowest = min(lowest, left.credits)
            return True

    spent = sum(await asyncio.gather(*(spend() for _ in range(spends))))
    found, lines = await audited(user)
    assert (spent, lowest, found.credits) == (CREDITS, 0, 0)
    assert [line.amount for line in lines] == [CREDITS] + [-1] * CREDITS
    assert [line.account_version for line in lines] == list(range(1, CREDITS + 2))
    assert found.version == CREDITS + 1, "a refused spend changes nothing"


async def test_concurrent_spends_grants_and_refunds_leave_one_chain_of_lines(opened: str) -> None:
    user = await account(20)
    bought = [ids.new_id(ids.GENERATION) for _ in range(20)]

    async def buy_and_return(generation: str) -> None:
        await post(user, ledger.deduction(generation, 1))
        await asyncio.gather(post(user, ledger.refund(generation, 1)), post(user, [grant(2)]))

    await asyncio.gather(*(buy_and_return(generation) for generation in bought))
    found, lines = await audited(user)
    assert (found.credits, len(lines), found.version) == (20 + 2 * 20, 61, 61)


async def test_lines_of_one_post_are_written_together(opened: str) -> None:
    user = await account(3)
    generations = [ids.new_id(ids.GENERATION) for _ in range(3)]
    left = await post(user, [line for generation in generations for line in ledger.deduction(generation, 1)])
    found, lines = await audited(user)
    assert (left.credits, left.version) == (0, 2) == (found.credits, found.version)
    assert [(line.balance, line.generation_id) for line in lines[1:]] == list(zip([2, 1, 0], generations, strict=True))


async def test_lines_that_exceed_the_balance_together_are_refused_together(opened: str) -> None:
    user = await account(3)
    before, _ = await audited(user)
    wanted = [line for _ in range(4) for line in ledger.deduction(ids.new_id(ids.GENERATION), 1)]
    with pytest.raises(InsufficientCreditsError) as refused:
        await post(user, wanted)
    assert (refused.value.required, refused.value.balance) == (4, 3)
    after, lines = await audited(user)
    assert (after.version, len(lines)) == (before.version, 1)


async def test_same_reference_is_never_written_twice(opened: str) -> None:
    user, other = await account(5), await account(5)
    await post(user, [grant(1, "admin:once")])
    for anyone in (user, other):
        with pytest.raises(IntegrityError):
            await post(anyone, [grant(1, "admin:once")])
    assert ((await audited(user))[0].credits, (await audited(other))[0].credits) == (6, 5)


async def test_one_of_concurrent_duplicate_lines_is_written(opened: str) -> None:
    user, generation = await account(50), ids.new_id(ids.GENERATION)
    for lines in (ledger.deduction(generation, 2), ledger.refund(generation, 2)):
        results = await asyncio.gather(*(post(user, lines) for _ in range(12)), return_exceptions=True)
        assert sum(isinstance(result, account_change.AccountChange) for result in results) == 1
        assert sum(isinstance(result, IntegrityError) for result in results) == 11
    found, lines_written = await audited(user)
    assert (found.credits, len(lines_written)) == (50, 3)


async def test_negative_balance_can_be_paid_off_but_not_grow(opened: str) -> None:
    user = (await insert("users", factories.user(credits=-5, overdraft_allowed=True)))["id"]
    with pytest.raises(InsufficientCreditsError):
        await post(user, ledger.deduction(ids.new_id(ids.GENERATION), 1))
    assert (await post(user, [grant(2)])).credits == -3


@pytest.mark.parametrize("kind", [TransactionType.REVERSAL, TransactionType.ADMIN])
async def test_reversals_and_adjustments_may_make_balance_negative(opened: str, kind: TransactionType) -> None:
    user = await account(5)
    await post(user, ledger.deduction(ids.new_id(ids.GENERATION), 4))
    taken = await post(user, [LedgerLine(kind, -5, f"back:{user}", price=499, currency="usd")])
    assert taken.credits == -4
    assert (taken.lines[0].price, taken.lines[0].currency) == (499, "usd")
    with pytest.raises(InsufficientCreditsError) as refused:
        await post(user, ledger.deduction(ids.new_id(ids.GENERATION), 1))
    assert refused.value.balance == -4
    await post(user, [grant(4)])
    found = await User.get(id=user)
    assert (found.credits, found.overdraft_allowed) == (0, False), "a repaid overdraft allows no new one"


@pytest.mark.parametrize("kind", [t for t in TransactionType if t not in ("REVERSAL", "ADMIN")])
async def test_no_other_line_makes_balance_negative(opened: str, kind: TransactionType) -> None:
    user = await account(5)
    for lines in (
        [LedgerLine(kind, -6, f"other:{user}")],
        [LedgerLine(kind, -3, f"other:{user}"), LedgerLine(TransactionType.REVERSAL, -3, f"back:{user}")],
    ):
        with pytest.raises(InsufficientCreditsError):
            await post(user, lines)
    assert (await User.get(id=user)).credits == 5


async def test_free_generation_needs_no_line(opened: str) -> None:
    user = await account()
    assert ledger.deduction("gen", 0) == ledger.refund("gen", 0) == ledger.signup_bonus(user, 0) == []


async def test_posting_to_missing_account_is_refused(opened: str) -> None:
    for work in (post(ids.new_id(ids.USER), [grant(1)]), run_tx(account_change.bump_version, ids.new_id(ids.USER))):
        with pytest.raises(NotFoundError):
            await work


async def test_transaction_bumps_version_once(opened: str) -> None:
    user = await account(5)

    async def bump_and_post() -> None:
        assert (await account_change.bump_version(user)).version == 2
        assert (
            await ledger.post(user, ledger.deduction(ids.new_id(ids.GENERATION), 1), version_bumped=True)
        ).version == 2

    await run_tx(bump_and_post)
    found, lines = await audited(user)
    assert (found.version, lines[-1].account_version) == (2, 2)


def signup_bonuses(credits: int) -> SignupBonusService:
    return SignupBonusService(credits, "secret", requires_verification=False)


async def test_missing_signup_bonuses_are_granted_once(opened: str) -> None:
    service, users = signup_bonuses(30), [await account(), await account(7)]
    paid = await asyncio.gather(*(service.grant_missing() for _ in range(4)))
    assert sum(paid) == len(users)
    assert await service.grant_missing() == 0
    for user, credits in zip(users, (30, 37), strict=True):
        found, lines = await audited(user)
        assert (found.credits, lines[-1].type, lines[-1].reference) == (credits, "BONUS", f"signup:{user}")


async def test_without_signup_bonus_no_account_is_changed(opened: str) -> None:
    user = await account()
    assert await signup_bonuses(0).grant_missing() == 0
    assert (await User.get(id=user)).version == 0


TRANSACTIONS = """
query($first: Int, $after: String, $last: Int, $before: String, $filter: TransactionFilter) {
  viewer { transactions(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    nodes { sequence type amount balance createdAt }
    edges { cursor node { sequence } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    totalCount
  } }
}"""


@pytest.fixture
async def reader(ada: Api) -> Api:
    """Return an account with seven lines of four types: 30, +5, -1, -1, +1, -1, +5."""
    user, first, second, third = ada.user["id"], *(ids.new_id(ids.GENERATION) for _ in range(3))
    for lines in (
        [grant(5)],
        ledger.deduction(first, 1),
        ledger.deduction(second, 1),
        ledger.refund(second, 1),
        ledger.deduction(third, 1),
        [grant(5)],
    ):
        await post(user, lines)
    return ada


async def page(reader: Api, **arguments: Any) -> Any:
    return (await reader.one(TRANSACTIONS, **arguments))["transactions"]


def sequences(found: Any) -> list[int]:
    return [node["sequence"] for node in found["nodes"]]


async def test_ledger_pages_are_newest_first(reader: Api) -> None:
    everything = await page(reader)
    assert sequences(everything) == [7, 6, 5, 4, 3, 2, 1]
    assert [node["balance"] for node in everything["nodes"]] == [38, 33, 34, 33, 34, 35, 30]
    assert [edge["node"]["sequence"] for edge in everything["edges"]] == sequences(everything)
    assert everything["totalCount"] == 7
    seen, after = [], None
    while True:
        found = await page(reader, first=3, after=after)
        seen.append(sequences(found))
        assert found["totalCount"] == 7
        assert found["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert seen == [[7, 6, 5], [4, 3, 2], [1]]


async def test_ledger_can_be_paged_backwards(reader: Api) -> None:
    oldest = await page(reader, last=3)
    assert sequences(oldest) == [3, 2, 1]
    assert (oldest["pageInfo"]["hasPreviousPage"], oldest["pageInfo"]["hasNextPage"]) == (True, False)
    before = await page(reader, last=3, before=oldest["pageInfo"]["startCursor"])
    assert sequences(before) == [6, 5, 4]
    assert before["pageInfo"]["hasNextPage"] is True


async def test_ledger_pages_do_not_shift_when_a_line_is_added(reader: Api) -> None:
    first = await page(reader, first=2)
    await post(reader.user["id"], [grant(1)])
    second = await page(reader, first=2, after=first["pageInfo"]["endCursor"])
    assert (sequences(first), sequences(second)) == ([7, 6], [5, 4])


async def test_ledger_is_filtered_by_type_and_time(reader: Api) -> None:
    everything = (await page(reader))["nodes"]
    at = {node["sequence"]: node["createdAt"] for node in everything}
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({"type": ["DEDUCTION"]}, [6, 4, 3]),
        ({"type": ["REFUND", "BONUS"]}, [5, 1]),
        ({"type": []}, []),
        ({"type": None}, [7, 6, 5, 4, 3, 2, 1]),
        ({"createdAfter": at[5]}, [7, 6]),
        ({"createdBefore": at[3]}, [2, 1]),
        ({"createdAfter": at[2], "createdBefore": at[6], "type": ["DEDUCTION"]}, [4, 3]),
        ({"createdAfter": "2999-01-01T00:00:00+08:00"}, []),
    ]
    for filter, expected in cases:
        found = await page(reader, filter=filter)
        assert (sequences(found), found["totalCount"]) == (expected, len(expected)), filter


async def test_invalid_page_requests_are_refused(reader: Api) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"first": 0}, "first"),
        ({"first": 101}, "first"),
        ({"last": -1}, "last"),
        ({"first": 1, "last": 1}, "last"),
        ({"after": "nonsense"}, "after"),
        ({"before": ""}, "before"),
    ]
    for arguments, field in cases:
        error = await reader.refused(TRANSACTIONS, **arguments)
        assert (error["code"], error["field"]) == ("INVALID_INPUT", [field]), arguments


async def test_ledger_is_visible_to_its_owner_only(reader: Api, api: Api) -> None:
    eve = await api.sign_up("eve@example.com")
    assert sequences(await page(eve)) == [1]
    assert await rows("SELECT id FROM credit_transactions WHERE user_id = $1", reader.user["id"])
    assert await api.one(TRANSACTIONS) is None
