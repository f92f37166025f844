"""Builds the sign-in with tokens of identity providers, and the list of an account's identities."""

from dataclasses import dataclass

from services.accounts.email_verification import VerificationService
from services.accounts.identity.external_account import ExternalAccounts
from services.accounts.identity.external_sign_in import ExternalSignIns
from services.accounts.identity.identity_notice import IdentityNotices
from services.accounts.identity.identity_table import IdentityTable
from services.accounts.identity.linked_identity import LinkedIdentities
from services.accounts.identity.nonce import Nonces
from services.accounts.sign_ins.mailed_link import MailedLinks
from services.integrations.wiring import Integrations
from services.operations.wiring import Operations


@dataclass(frozen=True)
class Identities:
    """Sign-ins at identity providers, and the accounts' identities there."""

    sign_ins: ExternalSignIns
    linked: LinkedIdentities


def build_identities(
    links: MailedLinks,
    operations: Operations,
    outside: Integrations,
    verification: VerificationService,
    secret: str,
    *,
    requires_verification: bool,
) -> Identities:
    """Build them from the groups below and from other services of this group.

    `secret`: the deployment's SECRET_KEY. `requires_verification`: before the first sign-in.
    """
    table, events, roles, notices = IdentityTable(), links.events, links.roles, IdentityNotices(links.mail)
    check_writable = operations.maintenance.check_writable
    accounts = ExternalAccounts(table, events, links.rates, links.bonuses, roles, notices, check_writable)
    sign_ins = ExternalSignIns(
        outside.tokens, outside.sign_in_pages, accounts, table, Nonces(secret), links.sessions, verification, roles
    )
    linked = LinkedIdentities(
        links.sessions,
        events,
        notices,
        sign_ins.issuers,
        has_links=links.mail.is_enabled,
        requires_verification=requires_verification,
    )
    return Identities(sign_ins, linked)
