"""Cancellation and its refunds, inside the transaction of a cancel or a deletion."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from models import Generation
from models.database.connection import placeholders, rows
from models.enum import MediaKind, RefundPolicy
from services.billing import ledger, passes
from services.billing.refund_policy import is_refunded
from services.events.account_change import AccountChange
from services.generations.calls.expected_cost import ExpectedCosts


async def cancel(
    account: AccountChange, generation_ids: Sequence[str], costs: ExpectedCosts
) -> tuple[list[str], AccountChange]:
    """Cancel those of the account's generations that have not ended, and refund them by their policies.

    `account`: as `bump_version` returned it in this transaction. `costs`: of calls whose answers are thrown away.
    Returns the canceled ids, and the account afterwards.
    """
    cost, compared = costs.sql("provider_cost", first=2 + len(generation_ids))
    found = await rows(
        "UPDATE generations SET status = 'CANCELED', stage = 'CANCELED', preview = NULL, lease_until = NULL,"  # noqa: S608 - placeholders
        f" provider = CASE WHEN provider_called_at IS NOT NULL THEN provider END, provider_cost = {cost},"
        " completed_at = NOW(), updated_at = NOW(), version = version + 1"
        f" WHERE user_id = $1 AND id IN ({placeholders(generation_ids, first=2)})"
        " AND status IN ('PENDING', 'PROCESSING')"
        " RETURNING id, cost, media, pass_id, pass_hour, refund_policy, provider_called_at",
        account.user_id,
        *generation_ids,
        *compared,
    )
    refunded = [
        row
        for row in found
        if is_refunded(RefundPolicy(row["refund_policy"]), called=row["provider_called_at"] is not None, canceled=True)
    ]
    if refunded:
        await Generation.filter(id__in=[row["id"] for row in refunded]).update(refunded=True)
        lines = [line for row in refunded for line in ledger.refund(row["id"], row["cost"])]
        if lines:
            account = await ledger.post(account.user_id, lines, version_bumped=True)
        account = await _give_back(account, refunded)
    return [row["id"] for row in found], account


async def _give_back(account: AccountChange, refunded: Sequence[dict[str, Any]]) -> AccountChange:
    """Return allowances to the hours of the passes that paid."""
    used = Counter((row["pass_id"], row["pass_hour"], row["media"]) for row in refunded if row["pass_id"] is not None)
    for (pass_id, hour, media), count in used.items():
        await passes.give_back(pass_id, hour, MediaKind(media), count)
    return account.with_entitlements() if used else account
