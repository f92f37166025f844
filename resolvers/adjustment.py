"""Credits, as admins give and take them."""

from models import ids
from schema.adjustment import AdjustCreditsInput, AdjustCreditsPayload
from schema.context import Info
from schema.credit import CreditTransaction
from schema.error import user_errors
from schema.input import given
from schema.node import known_id
from schema.user import User
from services.billing.admin_adjustment import AdjustmentRequest
from services.core.error import Refusal


async def admin_adjust_credits(info: Info, input: AdjustCreditsInput) -> AdjustCreditsPayload:
    admin = info.context.require_viewer()
    try:
        request = AdjustmentRequest(
            user_id=known_id(input.user_id, ids.USER, "userId"),
            amount=input.amount,
            reason=input.reason,
            idempotency_key=given(input.idempotency_key, None),
        )
        done = await info.context.services.adjustments.adjust(admin, request)
    except Refusal as refusal:
        return AdjustCreditsPayload(user=None, transaction=None, errors=user_errors(refusal, info.context))
    return AdjustCreditsPayload(user=User.of(done.user), transaction=CreditTransaction.of(done.line), errors=[])
