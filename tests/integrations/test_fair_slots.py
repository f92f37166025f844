"""Fair slots: keys take turns, no key holds all slots, and a canceled wait or hand-over loses none."""

import asyncio

import pytest

from services.integrations.fair_slots import FairSlots, RecentUse
from services.integrations.password_hashing import Passwords


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


class Holders:
    """Tasks that acquire a slot each and keep it; `order`: their keys in the order in which they got one."""

    def __init__(self, slots: FairSlots) -> None:
        self.slots = slots
        self.order: list[str] = []

    def start(self, key: str) -> asyncio.Task[None]:
        return asyncio.create_task(self._acquire(key))

    async def _acquire(self, key: str) -> None:
        await self.slots.acquire(key)
        self.order.append(key)


async def test_a_key_with_many_waiters_leaves_slots_to_other_keys() -> None:
    holders = Holders(FairSlots(4, 2))
    tasks = [holders.start("flood") for _ in range(100)]
    await settle()
    assert holders.order == ["flood", "flood"], "two of four slots"
    tasks += [holders.start("ada"), holders.start("bob")]
    await settle()
    assert holders.order == ["flood", "flood", "ada", "bob"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_waiting_keys_are_served_in_turn() -> None:
    holders = Holders(FairSlots(1, 1))
    tasks = [holders.start(key) for key in ("flood", "flood", "flood", "ada", "ada", "bob")]
    await settle()
    for _ in range(5):
        holders.slots.release(holders.order[-1])
        await settle()
    assert holders.order == ["flood", "ada", "bob", "flood", "ada", "flood"]
    await asyncio.gather(*tasks)


async def test_keys_that_used_slots_for_less_time_come_first() -> None:
    now = 0.0
    holders = Holders(FairSlots(1, 1, RecentUse(60, lambda: now)))
    tasks = [holders.start(f"slow {number}") for number in range(3)]
    await settle()
    for _ in range(3):
        tasks += [holders.start(holders.order[-1])]  # each sends the next picture at once
        await settle()
        now += 5
        holders.slots.release(holders.order[-1])
        await settle()
    tasks += [holders.start("ada"), holders.start("ada")]
    await settle()
    for seconds in (5.0, 0.2, 0.2):
        now += seconds
        holders.slots.release(holders.order[-1])
        await settle()
    assert holders.order == ["slow 0", "slow 1", "slow 2", "slow 0", "ada", "ada", "slow 1"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_use_is_forgotten_and_unused_keys_are_dropped() -> None:
    now = 0.0
    use = RecentUse(60, lambda: now)
    use.begin("ada")
    now += 8
    use.end("ada")
    assert use.whole_seconds("ada") == 8
    now += 120
    assert (use.whole_seconds("ada"), use.whole_seconds("eve")) == (2, 0)
    for number in range(2000):
        use.begin(f"eve {number}")
        use.end(f"eve {number}")
    assert len(use._used) <= 1001
    assert use.whole_seconds("ada") == 2


async def test_canceled_waiters_lose_no_slot() -> None:
    holders = Holders(FairSlots(1, 1))
    await holders.start("ada")
    waiting, handed = holders.start("bob"), holders.start("eve")
    await settle()
    waiting.cancel()
    await settle()
    holders.slots.release("ada")  # eve gets the slot, and is canceled before it runs
    handed.cancel()
    await settle()
    assert (waiting.cancelled(), handed.cancelled()) == (True, True)
    await asyncio.wait_for(holders.slots.acquire("ada"), 5)


async def test_a_client_that_floods_with_passwords_does_not_delay_another_clients() -> None:
    passwords, done = Passwords(4096), list[str]()
    right = await passwords.hash("correct horse", client="ada")

    async def check(client: str) -> None:
        assert await passwords.matches(right, "correct horse", client=client)
        done.append(client)

    async with asyncio.TaskGroup() as group:
        for client in ["flood"] * 60 + ["ada"]:
            group.create_task(check(client))
    assert done.index("ada") < 30, "it is the last of 61 in order of arrival"


async def test_canceled_hashes_keep_their_slot_until_their_thread_ends() -> None:
    passwords = Passwords(4096)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.gather(*(passwords.hash("correct horse", client="ada") for _ in range(8)))
    assert await asyncio.wait_for(passwords.hash("correct horse", client="ada"), 20)
