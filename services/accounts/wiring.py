"""Builds the services of the accounts group."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.accounts import mail_token
from services.accounts.account_deletion import AccountDeletionService
from services.accounts.api_key import ApiKeyService
from services.accounts.connection_registry import ConnectionRegistry
from services.accounts.credential import clean_email
from services.accounts.data_export import ExportService
from services.accounts.email_change import EmailChangeService
from services.accounts.email_verification import VerificationService
from services.accounts.mail import MailService
from services.accounts.password_check import PasswordChecks
from services.accounts.password_reset import PasswordResetService
from services.accounts.role import RoleService
from services.accounts.session import SessionService
from services.accounts.suspension import SuspensionService
from services.accounts.user import UserService
from services.accounts.user_lookup import UserLookup
from services.billing.wiring import Billing
from services.core.chore import Chore, Lane, chore_for_each
from services.core.wiring import Core
from services.events.wiring import Events
from services.gallery.wiring import Gallery
from services.integrations.device_token import DeviceTokens
from services.integrations.wiring import Integrations
from services.media.wiring import Media
from services.payments.wiring import Payments


@dataclass(frozen=True)
class Accounts:
    """Services for users, sessions, API keys, mail, data exports and account deletion."""

    users: UserService
    sessions: SessionService
    devices: DeviceTokens
    api_keys: ApiKeyService
    connections: ConnectionRegistry
    mail: MailService
    verification: VerificationService
    password_resets: PasswordResetService
    email_changes: EmailChangeService
    roles: RoleService
    suspensions: SuspensionService
    lookup: UserLookup
    exports: ExportService
    deletion: AccountDeletionService

    @property
    def chores(self) -> tuple[Chore, ...]:
        return (
            chore_for_each("account", Lane.CLEAN_UP, self.deletion.unfinished, self.deletion.finish),
            Chore(Lane.DATA_EXPORT, self.exports.build_pending),
            Chore(Lane.SECOND_DATA_EXPORT, self.exports.build_pending),
            chore_for_each("export", Lane.CLEAN_UP, self.exports.expired, self.exports.remove),
            Chore(Lane.CLEAN_UP, self.sessions.remove_expired),
            Chore(Lane.CLEAN_UP, mail_token.remove_expired),
        )


@dataclass(frozen=True)
class AccountOptions:
    """Settings of the accounts group."""

    secret: str  # API keys are derived with it
    app_address: str  # base URL of links in mails
    admin_emails: Iterable[str]
    session_days: int
    requires_verification: bool  # before the first sign-in
    max_subscriptions: int | None  # of one account, in a process
    sign_in_check_seconds: float  # between two checks of the sessions of open sockets and streams
    export_seconds: int  # for which a data export is kept
    lease_seconds: float  # without a heartbeat, after which the worker of a data export counts as dead


def build_accounts(
    core: Core,
    events: Events,
    billing: Billing,
    payments: Payments,
    media: Media,
    gallery: Gallery,
    outside: Integrations,
    options: AccountOptions,
) -> Accounts:
    publisher, rates, referrals = events.publisher, core.rates, billing.referrals
    devices = DeviceTokens(options.secret)
    passwords = PasswordChecks(outside.passwords, rates, devices)
    sessions = SessionService(options.session_days, devices)
    mail = MailService(outside.mailer, core.translator, options.app_address)
    roles = RoleService(publisher, map(clean_email, options.admin_emails), options.secret)
    verification = VerificationService(mail, sessions, publisher, rates, referrals, billing.signup_bonuses, roles)
    api_keys = ApiKeyService(options.secret, publisher, billing.entitlements, verification)
    bonuses = billing.signup_bonuses
    password_resets = PasswordResetService(mail, passwords, sessions, publisher, rates, bonuses, roles)
    return Accounts(
        users=UserService(
            passwords,
            sessions,
            publisher,
            verification,
            rates,
            referrals,
            roles,
            bonuses,
            mail,
            password_resets,
            requires_verification=options.requires_verification,
        ),
        devices=devices,
        sessions=sessions,
        api_keys=api_keys,
        connections=ConnectionRegistry(
            outside.bus,
            sessions,
            api_keys,
            every=options.sign_in_check_seconds,
            max_subscriptions=options.max_subscriptions,
        ),
        mail=mail,
        verification=verification,
        password_resets=password_resets,
        email_changes=EmailChangeService(mail, passwords, sessions, publisher, rates, referrals, bonuses, roles),
        roles=roles,
        suspensions=SuspensionService(sessions, publisher),
        lookup=UserLookup(),
        exports=ExportService(
            outside.storage, verification, seconds=options.export_seconds, lease=options.lease_seconds
        ),
        deletion=AccountDeletionService(
            passwords, gallery.deletion, media.uploads, payments.subscription_cancellation, publisher
        ),
    )
