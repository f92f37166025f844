"""What the services of mailed links are made of: they send a link, and change its account when it is opened."""

from dataclasses import dataclass

from services.accounts.mail import MailService
from services.accounts.role import RoleService
from services.accounts.session import SessionService
from services.billing.referral import ReferralService
from services.billing.signup_bonus import SignupBonusService
from services.core.rate_limit import RateLimits
from services.events.publisher import EventPublisher


@dataclass(frozen=True)
class MailedLinks:
    """The mail that a link comes with, and what a proven address has effects on."""

    mail: MailService
    sessions: SessionService
    events: EventPublisher
    rates: RateLimits
    referrals: ReferralService
    bonuses: SignupBonusService
    roles: RoleService
