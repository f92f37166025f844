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
from services.accounts.identity import identity_table
from services.accounts.identity.demo import DemoSignIn
from services.accounts.identity.external_sign_in import ExternalSignIns
from services.accounts.identity.linked_identity import LinkedIdentities
from services.accounts.identity.wiring import build_identities
from services.accounts.mail import MailService
from services.accounts.password_check import PasswordChecks
from services.accounts.password_reset import PasswordResetService
from services.accounts.result_mail.wiring import ResultMail, ResultMailOptions, build_result_mail
from services.accounts.role import RoleService
from services.accounts.second_factor.wiring import SecondFactors, build_second_factors
from services.accounts.session import SessionService
from services.accounts.sign_ins.mailed_link import MailedLinks
from services.accounts.sign_ins.origin import KeptPlace
from services.accounts.sign_ins.wiring import SignIns, build_sign_ins
from services.accounts.suspension import SuspensionService
from services.accounts.user import UserService
from services.accounts.user_lookup import UserLookup
from services.billing.wiring import Billing
from services.core.chore import Chore, Lane, chore_for_each
from services.core.wiring import Core
from services.events.wiring import Events
from services.gallery.wiring import Gallery
from services.integrations.device_token import DeviceTokens
from services.integrations.messaging.bus import Bus
from services.integrations.wiring import Integrations
from services.media.wiring import Media
from services.operations.wiring import Operations
from services.payments.wiring import Payments
from services.products.profile import GuestRules


@dataclass(frozen=True)
class Accounts:
    """Services for users, sessions, API keys, mail, data exports and account deletion."""

    users: UserService
    sessions: SessionService
    sign_ins: SignIns
    devices: DeviceTokens
    api_keys: ApiKeyService
    connections: ConnectionRegistry
    mail: MailService
    verification: VerificationService
    password_resets: PasswordResetService
    email_changes: EmailChangeService
    roles: RoleService
    second_factor: SecondFactors
    suspensions: SuspensionService
    lookup: UserLookup
    exports: ExportService
    deletion: AccountDeletionService
    demo: DemoSignIn | None  # in demo mode
    external: ExternalSignIns
    identities: LinkedIdentities
    result_mail: ResultMail

    @property
    def chores(self) -> tuple[Chore, ...]:
        return (
            chore_for_each("account", Lane.CLEAN_UP, self.deletion.unfinished, self.deletion.finish),
            Chore(Lane.DATA_EXPORT, self.exports.build_pending),
            Chore(Lane.SECOND_DATA_EXPORT, self.exports.build_pending),
            chore_for_each("export", Lane.CLEAN_UP, self.exports.expired, self.exports.remove),
            Chore(Lane.CLEAN_UP, mail_token.remove_expired),
            chore_for_each("guest", Lane.CLEAN_UP, self.sign_ins.guests.abandoned, self.sign_ins.guests.remove),
            Chore(Lane.CLEAN_UP, identity_table.remove_expired),
            *self.result_mail.chores,
        )


@dataclass(frozen=True)
class AccountOptions:
    """Settings of the accounts group."""

    secret: str  # API keys are derived with it
    app_address: str  # base URL of links in mails
    result_mail: ResultMailOptions
    admin_emails: Iterable[str]
    session_days: int  # without use
    session_max_days: int  # however often it is used
    session_place: KeptPlace  # of the address of a sign-in
    guests: GuestRules | None  # None: there are none
    requires_verification: bool  # before the first sign-in
    max_subscriptions: int | None  # of one account, in a process
    sign_in_check_seconds: float  # between two checks of the sessions of open sockets and streams
    export_seconds: int  # for which a data export is kept
    lease_seconds: float  # without a heartbeat, after which the worker of a data export counts as dead
    requires_admin_factor: bool  # whether every admin needs a second factor
    is_demo: bool  # requests without a token are signed in as the demo account


def _sessions(options: AccountOptions, devices: DeviceTokens) -> SessionService:
    return SessionService(
        options.session_days,
        devices,
        max_days=options.session_max_days,
        guest_days=options.guests.days if options.guests else None,
        place=options.session_place,
    )


def _connections(
    bus: Bus,
    sessions: SessionService,
    api_keys: ApiKeyService,
    external: ExternalSignIns,
    result_mail: ResultMail,
    options: AccountOptions,
) -> ConnectionRegistry:
    every, most = options.sign_in_check_seconds, options.max_subscriptions
    presence = result_mail.presence
    return ConnectionRegistry(bus, sessions, api_keys, external, presence, every=every, max_subscriptions=most)


def _exports(
    outside: Integrations, core: Core, verification: VerificationService, options: AccountOptions
) -> ExportService:
    seconds, lease = options.export_seconds, options.lease_seconds
    return ExportService(outside.storage, verification, core.translator, seconds=seconds, lease=lease)


def build_accounts(
    core: Core,
    events: Events,
    operations: Operations,
    billing: Billing,
    payments: Payments,
    media: Media,
    gallery: Gallery,
    outside: Integrations,
    options: AccountOptions,
) -> Accounts:
    publisher, rates, referrals, bonuses = events.publisher, core.rates, billing.referrals, billing.signup_bonuses
    devices = DeviceTokens(options.secret)
    passwords = PasswordChecks(outside.passwords, rates, devices)
    sessions = _sessions(options, devices)
    mail = MailService(outside.mailer, core.translator, options.app_address)
    roles = RoleService(publisher, map(clean_email, options.admin_emails), options.secret)
    links = MailedLinks(mail, sessions, publisher, rates, referrals, bonuses, roles)
    verification = VerificationService(links)
    api_keys = ApiKeyService(options.secret, publisher, billing.entitlements, verification)
    password_resets = PasswordResetService(links, passwords)
    cancellation = payments.subscription_cancellation
    deletion = AccountDeletionService(passwords, gallery.deletion, media.uploads, cancellation, publisher, sessions)
    requires_factor, is_required = options.requires_admin_factor, options.requires_verification
    factors = build_second_factors(
        options.secret, passwords, sessions, mail, rates, publisher, is_required=requires_factor
    )
    proofs = factors.proofs
    users = UserService(links, passwords, verification, password_resets, proofs, requires_verification=is_required)
    identities = build_identities(
        links, operations, outside, verification, options.secret, requires_verification=is_required
    )
    result_mail = build_result_mail(mail, media.files, publisher, options.result_mail)
    return Accounts(
        users=users,
        external=identities.sign_ins,
        identities=identities.linked,
        devices=devices,
        sessions=sessions,
        sign_ins=build_sign_ins(links, deletion, media.quota, options.guests, options.secret),
        api_keys=api_keys,
        connections=_connections(outside.bus, sessions, api_keys, identities.sign_ins, result_mail, options),
        mail=mail,
        verification=verification,
        password_resets=password_resets,
        email_changes=EmailChangeService(links, passwords),
        roles=roles,
        second_factor=factors,
        suspensions=SuspensionService(sessions, publisher),
        lookup=UserLookup(),
        exports=_exports(outside, core, verification, options),
        deletion=deletion,
        demo=DemoSignIn(users, sessions) if options.is_demo else None,
        result_mail=result_mail,
    )
