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


@dataclass(frozen=True)
class BillingOptions:
    """Settings of the billing group."""

    secret: str  # keys the hash of addresses
    signup_credits: int  # of the sign-up bonus
    requires_verification: bool  # the bonus is granted when the address is verified


def build_billing(events: Events, products: Products, options: BillingOptions) -> Billing:
    """Build the group."""
    profile = products.profile
    plans, entitlements = PlanService(profile), Entitlements(profile)
    memberships = MembershipService(profile.membership.grace_days, events.publisher)
    return Billing(
        ledger=LedgerService(),
        plans=plans,
        entitlements=entitlements,
        memberships=memberships,
        funding=FundingService(entitlements, sells_credits=profile.sells_credits),
        referrals=ReferralService(profile.referral, options.secret, events.publisher),
        signup_bonuses=SignupBonusService(
            options.signup_credits, options.secret, requires_verification=options.requires_verification
        ),
        admin_grants=AdminGrantService(plans, events.publisher),
        granted_plans=GrantedPlanService(plans, memberships, events.publisher),
        admin_adjustments=AdminAdjustmentService(events.publisher),
    )
