"""A month of orders with their ledger lines, written to the database of a server."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from models.database.connection import open_database, rows
from tests.support import factories
from tests.support.factories import insert

_STYLES = {
    ("plushify", "cute"): 1,
    ("avenger", "noir"): 10,
    ("scenes", "starry-night"): 5,
    ("sandbox", "free"): 1,
}
_ENDS = ["COMPLETED"] * 17 + ["FAILED"] * 2 + ["CANCELED"]
_MOST_A_DAY = 24
_DOLLARS = 0.024  # of a picture
_QUIET = 8  # hours of each night without an order


@dataclass(frozen=True)
class Ordered:
    """One order of one picture; what failed or was canceled was refunded."""

    user_id: str
    at: datetime
    style: tuple[str, str]
    status: str

    @property
    def cost(self) -> int:
        return _STYLES[self.style]

    @property
    def charged(self) -> int:
        """Credits, without refunded ones."""
        return self.cost if self.status == "COMPLETED" else 0


async def write_orders(folder: Path, users: Sequence[str], days: int = 28) -> list[Ordered]:
    """Write orders of these accounts, and return them, the oldest first: the same each time, relative to the present.

    The newest is an hour old, and none is 16 to 29 hours old, so that the last day has the same whenever its first hour
    begins.
    """
    chance, now = random.Random(5), datetime.now(UTC)
    made: list[Ordered] = []
    for day in range(days):
        for _ in range(chance.randrange(4, _MOST_A_DAY)):
            hours = 24 * day + chance.triangular(1, 24 - _QUIET, 6) + (4 if day else 0)
            style = chance.choices(list(_STYLES), (6, 3, 2, 4))[0]
            made.append(Ordered(chance.choice(users), now - timedelta(hours=hours), style, chance.choice(_ENDS)))
    made.sort(key=lambda one: one.at)
    async with open_database(f"sqlite://{folder}/darkroom.sqlite3"):
        for user_id in users:
            await _write(user_id, [one for one in made if one.user_id == user_id], chance)
    return made


async def _write(user_id: str, orders: Sequence[Ordered], chance: random.Random) -> None:
    (account,) = await rows("SELECT credits, ledger_sequence FROM users WHERE id = $1", user_id)
    credits, sequence = int(account["credits"]), int(account["ledger_sequence"])

    async def move(kind: str, amount: int, **line: Any) -> None:
        nonlocal credits, sequence
        credits, sequence = credits + amount, sequence + 1
        more = {"type": kind, "amount": amount, "balance": credits, "account_version": sequence, **line}
        await insert("credit_transactions", factories.ledger_line(user_id, sequence, **more))

    needed = sum(one.cost for one in orders)
    bought = {"price": 2999, "currency": "usd", "created_at": orders[0].at - timedelta(minutes=9)} if orders else {}
    if needed:
        await move("PURCHASE", -(-needed // 500) * 500, **bought)
    for one in orders:
        row = _generation(one, chance)
        if one.charged:
            row["result_id"] = (await insert("files", factories.file(user_id, kind="RESULT")))["id"]
        await insert("generations", row)
        about = {"generation_id": row["id"]}
        await move("DEDUCTION", -one.cost, **about, reference=f"deduct:{row['id']}", created_at=one.at)
        if not one.charged:
            await move("REFUND", one.cost, **about, reference=f"refund:{row['id']}", created_at=row["updated_at"])
    await rows(
        "UPDATE users SET credits = $1, ledger_sequence = $2, version = version + 1 WHERE id = $3 RETURNING id",
        credits, sequence, user_id,
    )  # fmt: skip


def _generation(one: Ordered, chance: random.Random) -> factories.Row:
    ended = one.at + timedelta(seconds=round(chance.triangular(6, 45, 14), 2))
    is_done, collection, style = one.status == "COMPLETED", *one.style
    return factories.generation(
        one.user_id, status=one.status, stage=one.status, progress=1.0 if is_done else 0.4, cost=one.cost,
        collection_slug=collection, style_slug=style, refunded=not is_done, provider="demo", attempts=1,
        provider_calls=1, provider_cost=_DOLLARS if is_done else 0, created_at=one.at, started_at=one.at,
        updated_at=ended, completed_at=ended,
        error_code="GENERATION_TIMEOUT" if one.status == "FAILED" else None,
    )  # fmt: skip
