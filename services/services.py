"""Everything the outside may ask for, in one frozen bundle that main.py fills."""

from dataclasses import dataclass

from services.accounts.account_deletion import AccountDeletionService
from services.accounts.api_key import ApiKeyService
from services.accounts.connection_registry import ConnectionRegistry
from services.accounts.data_export import ExportService
from services.accounts.email_verification import VerificationService
from services.accounts.password_reset import PasswordResetService
from services.accounts.role import RoleService
from services.accounts.session import SessionService
from services.accounts.suspension import SuspensionService
from services.accounts.user import UserService
from services.accounts.user_lookup import UserLookup
from services.background.sweeper import Sweeper
from services.billing.admin_adjustment import AdminAdjustmentService
from services.billing.admin_grant import AdminGrantService
from services.billing.entitlement import Entitlements
from services.billing.ledger import LedgerService
from services.billing.membership import MembershipService
from services.billing.plan import PlanService
from services.billing.referral import ReferralService
from services.catalogue.custom_style import CustomStyleService
from services.catalogue.import_export import CatalogueService
from services.catalogue.style import StyleService
from services.core.locale import Translator
from services.core.rate_limit import RateLimits
from services.events.audit_log import AuditLog
from services.events.publisher import EventPublisher
from services.gallery.deletion import DeletionService
from services.gallery.favorite import FavoriteService
from services.gallery.gallery import GalleryService
from services.gallery.share import ShareService
from services.gallery.user_stats import StatsService
from services.generations.admin_refund import AdminRefundService
from services.generations.admin_retry import AdminRetryService
from services.generations.generation import GenerationService
from services.generations.queue_estimate import QueueEstimator
from services.generations.quote import QuoteService
from services.generations.regeneration import RegenerationService
from services.generations.worker import GenerationWorker
from services.generations.worker_pool import WorkerPool
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.queue import TaskQueue
from services.integrations.providers.protocol import ImageProvider
from services.integrations.storage.protocol import Storage
from services.media.file import FileService
from services.media.upload import UploadService
from services.operations.analytics import AnalyticsService
from services.operations.gauges import GaugeUpdater
from services.operations.ledger_check import LedgerCheck
from services.operations.maintenance import MaintenanceService
from services.operations.self_check import SelfCheck
from services.operations.worker_registry import WorkerRegistry
from services.payments.checkout import CheckoutService
from services.payments.development_checkout import DevelopmentCheckout
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
    door: ImageSanitizer
    provider: ImageProvider
    events: EventPublisher
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
    presences: ConnectionRegistry
    referrals: ReferralService
    verification: VerificationService
    password_resets: PasswordResetService
    credits: LedgerService
    entitlements: Entitlements
    memberships: MembershipService
    styles: StyleService
    own_styles: CustomStyleService
    plans: PlanService
    payments: PaymentService
    checkouts: CheckoutService
    webhooks: WebhookService
    reconciliation: Reconciliation
    development_till: DevelopmentCheckout | None
    quotes: QuoteService
    generations: GenerationService
    regenerations: RegenerationService
    gallery: GalleryService
    favorites: FavoriteService
    stats: StatsService
    deletion: DeletionService
    departures: AccountDeletionService
    exports: ExportService
    shares: ShareService
    forecast: QueueEstimator
    roster: WorkerRegistry
    worker: GenerationWorker
    crew: WorkerPool
    sweeper: Sweeper
    load: GaugeUpdater
    self_check: SelfCheck
    directory: UserLookup
    adjustments: AdminAdjustmentService
    refunds: AdminRefundService
    retries: AdminRetryService
    grants: AdminGrantService
    audit_log: AuditLog
    ledger_check: LedgerCheck
    metrics: AnalyticsService
    reread_seconds: float  # after how much silence a subscription reads its row again
