"""Everything the outside may ask for, in one frozen bundle that main.py fills."""

from dataclasses import dataclass

from services.accounts.account_deletion import DepartureService
from services.accounts.api_key import ApiKeyService
from services.accounts.connection_registry import Presences
from services.accounts.data_export import ExportService
from services.accounts.email_verification import VerificationService
from services.accounts.password_reset import PasswordResetService
from services.accounts.role import RoleService
from services.accounts.session import SessionService
from services.accounts.suspension import SuspensionService
from services.accounts.user import UserService
from services.accounts.user_lookup import Directory
from services.background.sweeper import Sweeper
from services.billing.admin_adjustment import AdjustmentService
from services.billing.admin_grant import GrantService
from services.billing.entitlement import Entitlements
from services.billing.ledger import CreditService
from services.billing.membership import MembershipService
from services.billing.plan import PlanService
from services.billing.referral import ReferralService
from services.catalogue.custom_style import OwnStyleService
from services.catalogue.import_export import CatalogueService
from services.catalogue.style import StyleService
from services.core.locale import Translator
from services.core.rate_limit import RateLimits
from services.events.audit_log import AuditLog
from services.events.publisher import Events
from services.gallery.deletion import DeletionService
from services.gallery.favorite import FavoriteService
from services.gallery.gallery import GalleryService
from services.gallery.share import ShareService
from services.gallery.user_stats import StatsService
from services.generations.admin_refund import RefundService
from services.generations.admin_retry import RetryService
from services.generations.generation import GenerationService
from services.generations.queue_estimate import ForecastService
from services.generations.quote import QuoteService
from services.generations.regeneration import RegenerationService
from services.generations.worker import GenerationWorker
from services.generations.worker_pool import Crew
from services.integrations.images.sanitizer import ImageDoor
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.queue import TaskQueue
from services.integrations.providers.protocol import ImageProvider
from services.integrations.storage.protocol import Storage
from services.media.file import FileService
from services.media.upload import UploadService
from services.operations.analytics import MetricsService
from services.operations.gauges import Load
from services.operations.ledger_check import LedgerCheck
from services.operations.maintenance import MaintenanceService
from services.operations.self_check import SelfCheck
from services.operations.worker_registry import Roster
from services.payments.checkout import CheckoutService
from services.payments.development_checkout import DevelopmentTill
from services.payments.payment import PaymentService
from services.payments.reconciliation import Reconciliation
from services.payments.webhook import WebhookService
from services.products.profile import Profile


@dataclass(frozen=True)
class Services:
    """The application without its doors."""

    profile: Profile
    translator: Translator
    bus: Bus
    queue: TaskQueue
    storage: Storage
    door: ImageDoor
    provider: ImageProvider
    events: Events
    rates: RateLimits
    files: FileService
    uploads: UploadService
    sessions: SessionService
    api_keys: ApiKeyService
    users: UserService
    maintenance: MaintenanceService
    catalogue: CatalogueService
    roles: RoleService
    suspensions: SuspensionService
    presences: Presences
    referrals: ReferralService
    verification: VerificationService
    password_resets: PasswordResetService
    credits: CreditService
    entitlements: Entitlements
    memberships: MembershipService
    styles: StyleService
    own_styles: OwnStyleService
    plans: PlanService
    payments: PaymentService
    checkouts: CheckoutService
    webhooks: WebhookService
    reconciliation: Reconciliation
    development_till: DevelopmentTill | None
    quotes: QuoteService
    generations: GenerationService
    regenerations: RegenerationService
    gallery: GalleryService
    favorites: FavoriteService
    stats: StatsService
    deletion: DeletionService
    departures: DepartureService
    exports: ExportService
    shares: ShareService
    forecast: ForecastService
    roster: Roster
    worker: GenerationWorker
    crew: Crew
    sweeper: Sweeper
    load: Load
    self_check: SelfCheck
    directory: Directory
    adjustments: AdjustmentService
    refunds: RefundService
    retries: RetryService
    grants: GrantService
    audit_log: AuditLog
    ledger_check: LedgerCheck
    metrics: MetricsService
    reread_seconds: float  # after how much silence a subscription reads its row again
