"""Which fields change only together with the account's version, so that an answer with nothing else can be kept.

tests/schema/test_coverage.py fails where a field is in neither table, and proves for every mutation that an answer kept
before is not served after it. A field is covered if every transaction that changes it bumps the viewer's version, and
it depends on nothing else: no clock, no catalogue, no signed link, no other account. What covers a generation's fields
is that it has ended: see `Context.shows_unfinished`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    NullValueNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)

COVERED: Mapping[str, str] = {
    "Album": "id name position count createdAt updatedAt generations",
    "AlbumConnection": "edges nodes pageInfo totalCount",
    "AlbumEdge": "cursor node",
    "Generation": (
        "id media status stage progress previewUrl prompt size quality aspectRatio durationSeconds cost paidBy "
        "refunded isFavorite provider model variables errorCode batchId version attempts createdAt updatedAt startedAt "
        "completedAt message errorMessage styleTitle shareUrl reusedId enhancedPrompt deliveredQuality sizeRefund "
        "requestedModel tags albums"
    ),
    "GenerationConnection": "edges nodes pageInfo totalCount",
    "GenerationEdge": "cursor node",
    "PageInfo": "hasNextPage hasPreviousPage startCursor endCursor",
    "Query": "viewer",
    "Tag": "id name count",
    "User": (
        "id email emailVerified isGuest name image role locale notifyByMail suspendedAt credits version createdAt "
        "generation generations albums tags"
    ),
}
# Everything else that an operation can select.
NOT_COVERED: Mapping[str, str] = {
    "AdjustCreditsPayload": "user transaction errors",
    "Admin": ("users user generations transactions auditLog paymentReviews metrics catalogue maintenance ledgerCheck"),
    "AdminActivity": "id at kind message user generation transaction",
    "Album": "cover",
    "AlbumPayload": "album viewer errors",
    "TagPayload": "tag viewer errors",
    "Allowance": "perHour used remaining resetsAt usedInTotal",
    "ApiKey": "id name hint createdAt lastUsedAt scope expiresAt monthlyCredits spentThisMonth",
    "ApiKeyPayload": "apiKey key errors",
    "Archive": "url expiresAt count byteSize",
    "ArchivePayload": "archive errors",
    "AuditEntry": "id at action target detail actor user generation style",
    "AuditEntryConnection": "edges nodes pageInfo",
    "AuditEntryEdge": "cursor node",
    "Batch": "id createdAt count completed failed canceled progress generations",
    "CataloguePayload": "created updated unchanged errors",
    "ChangedGenerationsPayload": "generations album viewer errors",
    "Checkout": "id url",
    "CheckoutPayload": "checkout errors",
    "Collection": "id slug baseCost refundPolicy reuseShare qualities video title description styles",
    "CreditPackage": "id slug credits price currency creditsExpireDays",
    "CreditTransaction": (
        "id sequence type status amount balance metadata price currency createdAt expiresAt description user generation"
    ),
    "CreditTransactionConnection": "edges nodes pageInfo totalCount",
    "CreditTransactionEdge": "cursor node",
    "CreditsChange": "user credits version transaction pass membership",
    "DataExport": "url expiresAt",
    "DataExportPayload": "dataExport errors",
    "Deployment": (
        "product title version locale locales media models aspectRatios upload signIn payments sellsCredits maxBatch "
        "promptMaxLength enhancesPrompts referrals monthlyRefill lowCredits maxCustomStyles status"
    ),
    "DeploymentStatus": "readOnly acceptsGenerations pausedModels",
    "DeletedPayload": "deletedIds viewer errors",
    "FollowingPass": "plan startsAt expiresAt imagesPerHour videosPerHour",
    "GalleryChange": "kind version generationId generation",
    "Generation": (
        "queuePosition estimatedSeconds style original result parent children chain batch providerCost "
        "providerRequestId providerPath owner"
    ),
    "GenerationPayload": "generation viewer errors",
    "GenerationsPayload": "generations viewer errors",
    "InputError": "code message field",
    "InsufficientCreditsError": "code message field required balance",
    "LedgerCheck": "usersChecked mismatches stuckGenerations orphanFiles",
    "Maintenance": "readOnly providers providersOff dailySpendCap spentToday",
    "MaintenancePayload": "maintenance errors",
    "MediaFile": (
        "id contentType byteSize width height duration placeholder durationSeconds posterUrl url downloadUrl "
        "thumbnailUrl expiresAt"
    ),
    "MergeGuestPayload": "user movedGenerations movedCredits errors",
    "MergeTokenPayload": "token expiresAt errors",
    "Membership": "plan startedAt renewsAt endsAt isGranted",
    "AccountMetric": "count completed failed credits providerCost user",
    "MetricPoint": "start generations completed failed canceled credits providerCost activeUsers",
    "MetricBucket": "key count failed credits",
    "Metrics": (
        "generations completed failed canceled successRate averageSeconds p50Seconds p95Seconds creditsSpent "
        "creditsRefunded creditsPurchased providerCost activeUsers returningUsers queueDepth byStyle byHour "
        "byProvider byError byPlan series byAccount"
    ),
    "ExpiringCredits": "credits expiresAt",
    "MonthlyRefill": "credits expireDays",
    "Model": (
        "id name provider media qualities aspectRatios resolutions durations durationFactors maxReferences maxBatch "
        "needsReference streamsPreviews refines priceFactor costUsd"
    ),
    "Node": "id",
    "Pass": "startedAt expiresAt images videos plan quality collections",
    "PaymentOptions": "provider isTest returnOrigins",
    "PaymentReview": (
        "id type reason isOpen receivedAt orderId subscriptionId productId netAmount currency account customerEmail"
    ),
    "PaymentReviewConnection": "edges nodes pageInfo totalCount",
    "PaymentReviewEdge": "cursor node",
    "PaymentReviewPayload": "review errors",
    "Plan": (
        "id slug kind price currency creditsPerMonth durationHours imagesPerHour videosPerHour priority "
        "unlimited apiAccess maxBatch title quality collections creditsExpireDays rollover"
    ),
    "PlanMetric": "plan passesSold passesExpired averageImages averageVideos",
    "ProviderTry": "provider model errorCode seconds sent",
    "QualityPrice": "quality multiplier",
    "VideoPrices": "baseCost qualities",
    "Query": (
        "node nodes deployment collections style styles models quote sharedGeneration creditPackages plans admin "
        "webhookEndpoints"
    ),
    "QuotaExceededError": "code message field resetsAt",
    "Quote": "cost paidBy affordable balanceAfter reusable model enhancesPrompt errors",
    "ReusableResult": "generationId cost paidBy affordable balanceAfter",
    "ReferralRules": "bonus cap expireDays",
    "Referrals": "signedUp rewarded",
    "RateLimitedError": "code message field retryAfter",
    "RecoveryCodesPayload": "recoveryCodes user errors",
    "RenewConnectionPayload": "renewed errors",
    "SentPayload": "sent errors",
    "SecondFactor": "since isProved recoveryCodesLeft",
    "SecondFactorSetupPayload": "secret uri expiresAt errors",
    "Session": "id device place isCurrent createdAt lastSeenAt expiresAt secondFactorAt",
    "Identity": "id issuer subjectHint name email linkedAt lastUsedAt",
    "SessionPayload": "token expiresAt user deviceToken mustVerifyEmail errors",
    "SignInOptions": (
        "methods issuers requiresVerification passwordMinLength signupCredits signupExpireDays guestCredits providers"
    ),
    "SignInProvider": "issuer name clientId authorizationEndpoint",
    "SharedGeneration": "id slug url result createdAt sharedBy title",
    "SignInNoncePayload": "nonce expiresAt errors",
    "SignOutPayload": "sessionsEnded",
    "StorageFullError": "code message field usedBytes maxBytes generations maxGenerations",
    "Style": (
        "id slug media membersOnly cost referenceImage previewUrl title description category collection "
        "locked variables usesSize isOwn prompt"
    ),
    "StyleConnection": "edges nodes pageInfo totalCount",
    "StyleEdge": "cursor node",
    "StylePayload": "style errors",
    "StyleVariable": "name label options values default required maxLength",
    "UploadPayload": "upload errors",
    "UploadRules": "maxBytes formats contentTypes",
    "UploadTarget": "id url method headers fields expiresAt",
    "User": "isMember hasLowCredits expiringCredits maxBatch membership referralCode pass stats storage transactions "
    "billingPortalUrl apiKeys "
    "sessions secondFactor identities followingPasses referrals",
    "UserConnection": "edges nodes pageInfo totalCount",
    "UserEdge": "cursor node",
    "UserError": "code message field",
    "UserPayload": "user errors",
    "UserStats": "totalGenerations failedGenerations favorites creditsSpent lastGenerationAt",
    "UserStorage": "usedBytes maxBytes generations maxGenerations",
    "WebhookAttempt": "at durationMs status failure response",
    "WebhookDelivery": "id messageId type payload state attempts nextAttemptAt deliveredAt createdAt",
    "WebhookDeliveryConnection": "edges nodes pageInfo",
    "WebhookDeliveryEdge": "cursor node",
    "WebhookDeliveryPayload": "delivery errors",
    "WebhookEndpoint": (
        "id url description events creditsLowBelow isEnabled disabledReason disabledAt failingSince "
        "previousSecretUntil createdAt deliveries"
    ),
    "WebhookEndpointPayload": "endpoint errors",
    "WebhookSecretPayload": "endpoint secret errors",
}

# What changes with the catalogue only: the same for all who are signed out, in one language. None of its links expires.
CATALOGUE: Mapping[str, str] = {
    "Collection": "id slug baseCost refundPolicy reuseShare qualities video title description styles",
    "CreditPackage": "id slug credits price currency creditsExpireDays",
    "Model": NOT_COVERED["Model"],
    "MonthlyRefill": NOT_COVERED["MonthlyRefill"],
    "PageInfo": COVERED["PageInfo"],
    "Deployment": NOT_COVERED["Deployment"],
    "PaymentOptions": NOT_COVERED["PaymentOptions"],
    "Plan": NOT_COVERED["Plan"],
    "QualityPrice": "quality multiplier",
    "ReferralRules": NOT_COVERED["ReferralRules"],
    "Query": "collections style styles models creditPackages plans deployment",
    # Without the providers, whose addresses may be unknown for a while.
    "SignInOptions": (
        "methods issuers requiresVerification passwordMinLength signupCredits signupExpireDays guestCredits"
    ),
    "Style": NOT_COVERED["Style"],
    "StyleConnection": "edges nodes pageInfo totalCount",
    "StyleEdge": "cursor node",
    "StyleVariable": "name label options values default required maxLength",
    "UploadRules": NOT_COVERED["UploadRules"],
    "VideoPrices": "baseCost qualities",
}
# The same for all as well, but it changes at once, and matters at once.
CURRENT: Mapping[str, str] = {"DeploymentStatus": NOT_COVERED["DeploymentStatus"]}

_COVERED = {name: frozenset(fields.split()) for name, fields in COVERED.items()}
_CATALOGUE = {name: frozenset(fields.split()) for name, fields in CATALOGUE.items()}
_CURRENT = {name: frozenset(fields.split()) for name, fields in CURRENT.items()}
_NONE: frozenset[str] = frozenset()
# A filter may name what changes without the account, such as the collection of a style.
_FILTER = "filter"


@dataclass(frozen=True)
class Coverage:
    """The variables that must be null for the answer of an operation to be covered by the account's version."""

    null_variables: frozenset[str]

    def includes(self, variables: Mapping[str, Any]) -> bool:
        """Return whether an answer with these variables is covered."""
        return not self.null_variables or all(variables.get(name) is None for name in self.null_variables)


class Caching(IntEnum):
    """Who may store the answer to a query; that of several fields is the highest of theirs."""

    CATALOGUE = 0  # any cache, of a caller who is signed out
    CURRENT = 1  # the same, but it asks this server before each use
    PRIVATE = 2  # the viewer's browser, which asks as well
    NONE = 3


_LEVELS = ((Caching.CURRENT, _CURRENT), (Caching.PRIVATE, _COVERED))


def caching_of(schema: GraphQLSchema, document: DocumentNode) -> Caching:
    """Return who may store the answer to a valid document. It needs no version: the answers are compared themselves."""
    info = TypeInfo(schema)
    visitor = _CachingVisitor(info)
    visit(document, TypeInfoVisitor(info, visitor))
    return visitor.found


class _CachingVisitor(Visitor):
    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self.found = Caching.CATALOGUE

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent = self._info.get_parent_type()
        kind, name = get_named_type(parent).name if parent else "", node.name.value
        if name != "__typename" and name not in _CATALOGUE.get(kind, _NONE):
            levels = (level for level, fields in _LEVELS if name in fields.get(kind, _NONE))
            self.found = max(self.found, next(levels, Caching.NONE))


def coverage_of(schema: GraphQLSchema, document: DocumentNode) -> Coverage | None:
    """Return the coverage of a valid document; None if it selects anything that is not covered."""
    info = TypeInfo(schema)
    visitor = _CoverageVisitor(info)
    visit(document, TypeInfoVisitor(info, visitor))
    return Coverage(frozenset(visitor.null_variables)) if visitor.is_covered else None


class _CoverageVisitor(Visitor):
    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self._defaults: set[str] = set()  # variables with a default value
        self.is_covered = True
        self.null_variables: set[str] = set()

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        for definition in node.variable_definitions or ():
            if definition.default_value is not None:
                self._defaults.add(definition.variable.name.value)

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent = self._info.get_parent_type()
        name = node.name.value
        fields = _COVERED.get(get_named_type(parent).name if parent else "", frozenset())
        if name != "__typename" and name not in fields:
            self.is_covered = False

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        if node.name.value != _FILTER or isinstance(node.value, NullValueNode):
            return
        if isinstance(node.value, VariableNode):
            self.null_variables.add(node.value.name.value)
        else:
            self.is_covered = False

    def leave_document(self, *_: Any) -> None:
        if self.null_variables & self._defaults:
            self.is_covered = False
