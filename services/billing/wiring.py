"""Builds the services of the billing group."""

from dataclasses import dataclass

from services.billing.admin_adjustment import AdminAdjustmentService
from services.billing.admin_grant import AdminGrantService
from services.billing.entitlement import Entitlements
from services.billing.funding import FundingService
from services.billing.granted_plan import GrantedPlanService
from services.billing.grants.expiry import GrantExpiryService
from services.billing.grants.refill import RefillService
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
    grant_expiry: GrantExpiryService
    refills: RefillService

    @property
    def chores(self) -> tuple[Chore, ...]:
        bonuses, granted, expiry = self.signup_bonuses, self.granted_plans, self.grant_expiry
        return (
            # Before the expiry, all of them: the next month keeps a part of what would expire otherwise.
            chore_for_each("granted_plan", Lane.SETTLEMENT, granted.due, granted.renew, until_empty=True),
            chore_for_each("credit_grant", Lane.SETTLEMENT, expiry.due, expiry.expire),
            chore_for_each("membership", Lane.SETTLEMENT, self.memberships.lapsed, self.memberships.lapse),
            chore_for_each("signup_bonus", Lane.CLEAN_UP, bonuses.unhashed, bonuses.record_identity, until_empty=True),
            chore_for_each("expired_grant", Lane.CLEAN_UP, expiry.forgettable, expiry.forget),
            Chore(Lane.CLEAN_UP, self.refills.forget),
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
        referrals=ReferralService(
            profile.referral, options.secret, events.publisher, expire_days=profile.expiry.referral_days
        ),
        signup_bonuses=SignupBonusService(
            options.signup_credits,
            options.secret,
            requires_verification=options.requires_verification,
            expire_days=profile.expiry.signup_days,
        ),
        admin_grants=AdminGrantService(plans, events.publisher),
        granted_plans=GrantedPlanService(plans, memberships, events.publisher),
        admin_adjustments=AdminAdjustmentService(events.publisher),
        grant_expiry=GrantExpiryService(events.publisher),
        refills=RefillService(
            profile.refill, options.secret, events.publisher, requires_verification=options.requires_verification
        ),
    )
