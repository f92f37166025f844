"""Leases: a worker's hold on one row, which expires unless a heartbeat renews it, and which every write checks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import structlog

from models.database.connection import rows

log = structlog.get_logger(__name__)


class LeaseLostError(Exception):
    """The row was claimed by another worker, or canceled: the work in progress is discarded."""


@dataclass(frozen=True)
class Lease:
    """One worker's hold on the row `row_id` of `table`, until `seconds` after its last renewal.

    `condition`: SQL that is true while the row ($1) is held with this fence ($2).
    """

    table: str
    condition: str
    row_id: str
    fence: int
    seconds: float

    async def update(
        self, changes: str, *values: object, returning: str = "id", before_expiry: bool = False
    ) -> dict[str, Any]:
        """Change the row and return the columns `returning`. `changes`: SQL whose placeholders begin at $3.

        `before_expiry`: only if the lease has not expired by the database's clock, and set the expiry anew: for a write
        that is followed by what must not be done twice.

        Raises:
            LeaseLostError: nothing was changed.
        """
        condition = self.condition
        if before_expiry:
            changes = f"{changes}, lease_until = LATER(${3 + len(values)})"
            condition = f"{condition} AND lease_until >= NOW()"
            values = (*values, float(self.seconds))
        found = await rows(
            f"UPDATE {self.table} SET {changes} WHERE {condition} RETURNING {returning}",  # noqa: S608 - constants
            self.row_id,
            self.fence,
            *values,
        )
        if not found:
            raise LeaseLostError
        return found[0]

    async def renew(self) -> None:
        """Set the expiry anew.

        Raises:
            LeaseLostError: it cannot be renewed.
        """
        await self.update("lease_until = LATER($3)", float(self.seconds))

    @contextlib.asynccontextmanager
    async def heartbeat(self, every: float, *, cancel_body: bool) -> AsyncIterator[None]:
        """Renew the lease `every` seconds while the body runs; an outage of the database is logged and retried.

        `cancel_body`: when the lease is lost, cancel the body and raise; else the body runs to its end without it.

        Raises:
            LeaseLostError: it was lost, and the body canceled.
        """
        body = asyncio.current_task()
        assert body is not None  # noqa: S101 - a coroutine always runs in a task
        lost = False

        async def beat() -> None:
            nonlocal lost
            while True:
                await asyncio.sleep(every)
                try:
                    await self.renew()
                except LeaseLostError:
                    if cancel_body:
                        lost = True
                        body.cancel()
                    return
                except Exception as error:  # noqa: BLE001 - the database may be back before the lease expires
                    log.warning("lease.renewal_failed", table=self.table, row=self.row_id, error=error)

        beating = asyncio.create_task(beat(), name="heartbeat")
        try:
            yield
        except asyncio.CancelledError:
            if lost:
                body.uncancel()
                raise LeaseLostError from None
            raise
        finally:
            beating.cancel()
            await asyncio.wait([beating])  # awaiting the task would swallow a cancellation of the body
