"""Builds the services of the billing group."""

from dataclasses import dataclass

from services.billing.admin_adjustment import AdminAdjustmentService
from services.billing.admin_grant import AdminGrantService
from services.billing.entitlement import Entitlements
from services.billing.funding import FundingService
from services.billing.granted_plan import GrantedPlanService
from services.billing.ledger import LedgerService
from services.billing.membership import MembershipService
from services.billing.plan import PlanService
from services.billing.referral import ReferralService
from services.billing.signup_bonus import SignupBonusService
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
    signup_bonuses: SignupBonusService
    admin_grants: AdminGrantService
    granted_plans: GrantedPlanService
    admin_adjustments: AdminAdjustmentService

    @property
    def chores(self) -> tuple[Chore, ...]:
        bonuses, granted = self.signup_bonuses, self.granted_plans
        return (
            chore_for_each("granted_plan", Lane.SETTLEMENT, granted.due, granted.renew),
            chore_for_each("membership", Lane.SETTLEMENT, self.memberships.lapsed, self.memberships.lapse),
            chore_for_each("signup_bonus", Lane.CLEAN_UP, bonuses.unhashed, bonuses.record_identity, until_empty=True),
        )


def build_billing(
    events: Events, products: Products, *, secret: str, signup_credits: int, requires_verification: bool
) -> Billing:
    """Build the group. `secret`: keys the hash of addresses. `signup_credits`: of the sign-up bonus.

    `requires_verification`: an account cannot be used before its address is verified, so the bonus is not due before.
    """
    profile = products.profile
    plans, entitlements = PlanService(profile), Entitlements(profile)
    memberships = MembershipService(profile.membership.grace_days, events.publisher)
    return Billing(
        ledger=LedgerService(),
        plans=plans,
        entitlements=entitlements,
        memberships=memberships,
        funding=FundingService(entitlements, sells_credits=profile.sells_credits),
        referrals=ReferralService(profile.referral, secret, events.publisher),
        signup_bonuses=SignupBonusService(
            signup_credits,
            secret,
            requires_verification=requires_verification or profile.signup_credits_require_verification,
        ),
        admin_grants=AdminGrantService(plans, events.publisher),
        granted_plans=GrantedPlanService(plans, memberships, events.publisher),
        admin_adjustments=AdminAdjustmentService(events.publisher),
    )
