"""Builds the billing group."""

from dataclasses import dataclass

from services.billing.admin_adjustment import AdminAdjustmentService
from services.billing.admin_grant import AdminGrantService
from services.billing.entitlement import Entitlements
from services.billing.funding import FundingService
from services.billing.ledger import LedgerService
from services.billing.membership import MembershipService
from services.billing.plan import PlanService
from services.billing.referral import ReferralService
from services.core.chore import Chore, Lane, chore_for_each
from services.events.wiring import Events
from services.products.wiring import Products


@dataclass(frozen=True)
class Billing:
    """The ledger, and what an account may use: plans, passes, memberships, funding."""

    ledger: LedgerService
    plans: PlanService
    entitlements: Entitlements
    memberships: MembershipService
    funding: FundingService
    referrals: ReferralService
    admin_grants: AdminGrantService
    admin_adjustments: AdminAdjustmentService

    @property
    def chores(self) -> tuple[Chore, ...]:
        return (chore_for_each("membership", Lane.SETTLEMENT, self.memberships.lapsed, self.memberships.lapse),)


def build_billing(events: Events, products: Products, *, secret: str) -> Billing:
    """Build the group. `secret`: keys the hash of invited users' addresses."""
    profile = products.profile
    plans, entitlements = PlanService(profile), Entitlements(profile)
    return Billing(
        ledger=LedgerService(),
        plans=plans,
        entitlements=entitlements,
        memberships=MembershipService(profile.membership.grace_days, events.publisher),
        funding=FundingService(entitlements, sells_credits=profile.sells_credits),
        referrals=ReferralService(profile.referral, secret, events.publisher),
        admin_grants=AdminGrantService(plans, events.publisher),
        admin_adjustments=AdminAdjustmentService(events.publisher),
    )
