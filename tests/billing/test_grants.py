"""Grants: what spending takes first, what a refund returns to, and that what is left always adds up."""

from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from models.enum import TransactionType
from services.billing.grants.grant import REFUND_DAYS, Allocation, Grant

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def grant(id: str, credits: int, days: int, type: TransactionType = TransactionType.BONUS) -> Grant:
    return Grant(id, type, credits, credits, NOW + timedelta(days=days), written=credits)


def left(allocation: Allocation) -> dict[str, int]:
    return {each.id: each.remaining for each in allocation.grants}


def test_spending_takes_what_expires_first_then_what_never_expires() -> None:
    allocation = Allocation([grant("late", 10, 9), grant("soon", 5, 1)], NOW)
    assert allocation.take(7, 100) == {"soon": 5, "late": 2}
    assert allocation.take(20, 80) == {"late": 8}
    assert left(allocation) == {"soon": 0, "late": 0}


def test_line_that_names_a_grant_takes_from_it_first() -> None:
    allocation = Allocation([grant("late", 10, 9), grant("soon", 5, 1)], NOW)
    assert allocation.take(12, 3, "late") == {"late": 10, "soon": 2}


def test_refund_returns_to_the_grants_that_paid() -> None:
    allocation = Allocation([grant("soon", 5, 1), grant("late", 10, 9)], NOW)
    paid = allocation.take(8, 12)
    allocation.deductions = {"gen": (8, paid)}
    allocation.give_back("line", "gen", 8, 20, in_part=False)
    assert left(allocation) == {"soon": 5, "late": 10}


def test_refund_in_part_returns_what_was_taken_last() -> None:
    allocation = Allocation([grant("soon", 5, 1), grant("late", 2, 9)], NOW)
    paid = allocation.take(10, 10)  # 5, 2, and 3 that never expire
    allocation.deductions = {"gen": (10, paid)}
    allocation.give_back("part", "gen", 4, 14, in_part=True)
    assert left(allocation) == {"soon": 0, "late": 1}, "as if 6 had been charged: 5 and 1"
    allocation.give_back("rest", "gen", 6, 20, in_part=False)
    assert left(allocation) == {"soon": 5, "late": 2}


def test_refund_of_expired_credits_is_a_grant_for_some_days() -> None:
    allocation = Allocation([grant("gone", 5, -1), grant("late", 9, 9)], NOW)
    allocation.grants[0].remaining = 0
    allocation.deductions = {"gen": (8, {"forgotten": 1, "gone": 3, "late": 2})}
    allocation.grants[1].remaining = 7
    allocation.give_back("line", "gen", 8, 20, in_part=False)
    assert left(allocation) == {"gone": 0, "line": 4, "late": 9}
    (made,) = [each for each in allocation.grants if each.is_new]
    assert (made.amount, made.expires_at) == (4, NOW + timedelta(days=REFUND_DAYS))


def test_grant_to_an_account_in_debt_pays_the_debt_first() -> None:
    allocation = Allocation([], NOW)
    allocation.add("line", TransactionType.PURCHASE, 50, NOW + timedelta(days=9), 20)  # 30 were owed
    assert left(allocation) == {"line": 20}
    allocation = Allocation([grant("soon", 5, 1)], NOW)
    allocation.take(9, -4)
    allocation.deductions = {"gen": (5, {"soon": 5})}
    allocation.give_back("line", "gen", 5, 1, in_part=False)
    assert left(allocation) == {"soon": 1}


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("grant"), st.integers(1, 30), st.integers(1, 20)),
        st.tuples(st.just("plain"), st.integers(1, 30), st.just(0)),
        st.tuples(st.just("spend"), st.integers(1, 40), st.just(0)),
        st.tuples(st.just("reverse"), st.integers(1, 40), st.just(0)),
        st.tuples(st.just("part"), st.integers(0, 50), st.integers(1, 10)),
        st.tuples(st.just("refund"), st.integers(0, 50), st.just(0)),
        st.tuples(st.just("days"), st.integers(1, 9), st.just(0)),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(_steps)
def test_what_is_left_is_never_more_than_the_balance(steps: list[tuple[str, int, int]]) -> None:
    """Any sequence of lines, with every grant expired before the next line once its time has come."""
    numbers, balance, now = count(), 0, NOW
    allocation, spent = Allocation([], now), dict[str, list[int]]()
    deductions: dict[str, tuple[int, dict[str, int]]] = {}
    for step, credits, more in steps:
        id = f"line{next(numbers):03}"
        before = allocation.remaining
        match step:
            case "grant":
                balance += credits
                allocation.add(id, TransactionType.PURCHASE, credits, now + timedelta(days=more), balance)
            case "plain":
                balance += credits
            case "spend" if credits <= balance:
                balance -= credits
                deductions[id] = (credits, allocation.take(credits, balance))
                spent[id] = [credits, 0]
                assert sum(deductions[id][1].values()) == min(before, credits), "grants pay first"
            case "reverse":
                balance -= credits
                allocation.take(credits, balance)
            case "part" | "refund" if spent:
                generation = list(spent)[credits % len(spent)]
                cost, earlier = spent[generation]
                back = min(more, cost - 1) if step == "part" else cost - earlier
                if not back or (step == "part" and earlier):
                    continue
                balance += back
                allocation.deductions = deductions
                allocation.give_back(id, generation, back, balance, in_part=step == "part")
                if step == "part":
                    spent[generation][1] = back
                else:
                    del spent[generation]
                assert allocation.remaining - before <= back
            case "days":
                now += timedelta(days=credits)
                allocation.now = now
                for each in [one for one in allocation.grants if one.expires_at <= now and one.remaining]:
                    rest, due = allocation.remaining - each.remaining, each.remaining
                    balance -= due
                    assert allocation.take(due, balance, each.id) == {each.id: due}
                    assert allocation.remaining == rest
        assert allocation.remaining <= max(balance, 0)
        assert all(0 <= each.remaining <= each.amount for each in allocation.grants)
