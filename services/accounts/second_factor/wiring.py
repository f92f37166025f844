"""Builds the services of second factors."""

from dataclasses import dataclass

from services.accounts.mail import MailService
from services.accounts.password_check import PasswordChecks
from services.accounts.second_factor.access import FactorAccess
from services.accounts.second_factor.code import FactorCodes
from services.accounts.second_factor.proof import FactorProofs
from services.accounts.second_factor.secret import FactorSecrets
from services.accounts.second_factor.service import SecondFactorService
from services.accounts.session import SessionService
from services.core.rate_limit import RateLimits
from services.events.publisher import EventPublisher


@dataclass(frozen=True)
class SecondFactors:
    """The second factors of admins."""

    access: FactorAccess
    proofs: FactorProofs
    changes: SecondFactorService


def build_second_factors(
    secret: str,
    passwords: PasswordChecks,
    sessions: SessionService,
    mail: MailService,
    rates: RateLimits,
    publisher: EventPublisher,
    *,
    is_required: bool,
) -> SecondFactors:
    """Build them; `secret`: the deployment's SECRET_KEY. `is_required`: every admin needs one."""
    secrets = FactorSecrets(secret)
    codes = FactorCodes(secrets, rates)
    proofs = FactorProofs(codes, mail, publisher)
    return SecondFactors(
        access=FactorAccess(is_required=is_required),
        proofs=proofs,
        changes=SecondFactorService(secrets, codes, proofs, passwords, sessions, publisher),
    )
