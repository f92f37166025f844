"""Builds the services of sign-ins."""

from dataclasses import dataclass

from services.accounts.account_deletion import AccountDeletionService
from services.accounts.sign_ins.guest import GuestService
from services.accounts.sign_ins.guest_merge import GuestMergeService
from services.accounts.sign_ins.link import SignInLinkService
from services.accounts.sign_ins.mailed_link import MailedLinks
from services.accounts.sign_ins.merge_token import MergeTokens
from services.accounts.sign_ins.revocation import RevocationService
from services.media.quota import StorageQuota
from services.products.profile import GuestRules


@dataclass(frozen=True)
class SignIns:
    """What users do about their sign-ins, beside signing in by password."""

    revocations: RevocationService
    links: SignInLinkService
    guests: GuestService
    merges: GuestMergeService


def build_sign_ins(
    links: MailedLinks,
    deletion: AccountDeletionService,
    quota: StorageQuota,
    guest_rules: GuestRules | None,
    secret: str,
) -> SignIns:
    """Build them. `secret`: the deployment's SECRET_KEY."""
    return SignIns(
        revocations=RevocationService(links.sessions, links.events),
        links=SignInLinkService(links),
        guests=GuestService(
            guest_rules,
            links.sessions,
            links.rates,
            links.events,
            deletion,
            expire_days=links.bonuses.expire_days,
        ),
        merges=GuestMergeService(links, MergeTokens(secret), deletion, quota),
    )
