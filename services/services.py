"""Everything the outside may ask for, in one frozen bundle that main.py fills."""

from dataclasses import dataclass

from services.adjustment import AdjustmentService
from services.api_key import ApiKeyService
from services.audit_log import AuditLog
from services.catalogue import CatalogueService
from services.checkout import CheckoutService
from services.credit import CreditService
from services.crew import Crew
from services.deletion import DeletionService
from services.departure import DepartureService
from services.development_till import DevelopmentTill
from services.directory import Directory
from services.entitlement import Entitlements
from services.event import Events
from services.export import ExportService
from services.favorite import FavoriteService
from services.file import FileService
from services.forecast import ForecastService
from services.gallery import GalleryService
from services.generation import GenerationService
from services.grant import GrantService
from services.integrations.bus import Bus
from services.integrations.image_door import ImageDoor
from services.integrations.image_provider import ImageProvider
from services.integrations.queue import TaskQueue
from services.integrations.storage import Storage
from services.ledger_check import LedgerCheck
from services.load import Load
from services.locale import Translator
from services.maintenance import MaintenanceService
from services.membership import MembershipService
from services.metrics import MetricsService
from services.own_style import OwnStyleService
from services.password_reset import PasswordResetService
from services.payment import PaymentService
from services.plan import PlanService
from services.presence import Presences
from services.profile import Profile
from services.quote import QuoteService
from services.rate_limit import RateLimits
from services.reconciliation import Reconciliation
from services.referral import ReferralService
from services.refund import RefundService
from services.regeneration import RegenerationService
from services.retry import RetryService
from services.role import RoleService
from services.roster import Roster
from services.self_check import SelfCheck
from services.session import SessionService
from services.share import ShareService
from services.stats import StatsService
from services.style import StyleService
from services.suspension import SuspensionService
from services.sweeper import Sweeper
from services.upload import UploadService
from services.user import UserService
from services.verification import VerificationService
from services.webhook import WebhookService
from services.worker import GenerationWorker


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
