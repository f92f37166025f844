"""Which fields change only together with the account's version, so that an answer with nothing else can be kept.

tests/schema/test_coverage.py fails where a field is in neither table, and proves for every mutation that an answer kept
before is not served after it. A field is covered if every transaction that changes it bumps the viewer's version, and
it depends on nothing else: no clock, no catalogue, no signed link, no other account. What covers a generation's fields
is that it has ended: see `Context.shows_unfinished`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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
    "Generation": (
        "id media status stage progress previewUrl prompt size quality aspectRatio cost paidBy refunded "
        "isFavorite provider model variables errorCode batchId version attempts createdAt updatedAt startedAt "
        "completedAt message errorMessage styleTitle shareUrl"
    ),
    "GenerationConnection": "edges nodes pageInfo totalCount",
    "GenerationEdge": "cursor node",
    "PageInfo": "hasNextPage hasPreviousPage startCursor endCursor",
    "Query": "viewer",
    "User": (
        "id email emailVerified name image role locale suspendedAt credits version createdAt generation generations"
    ),
}
# Everything else that an operation can select.
NOT_COVERED: Mapping[str, str] = {
    "AdjustCreditsPayload": "user transaction errors",
    "Admin": ("users user generations transactions auditLog paymentReviews metrics catalogue maintenance ledgerCheck"),
    "AdminActivity": "id at kind message user generation transaction",
    "Allowance": "perHour used remaining resetsAt usedInTotal",
    "ApiKey": "id name hint createdAt lastUsedAt",
    "ApiKeyPayload": "apiKey key errors",
    "AuditEntry": "id at action target detail actor",
    "AuditEntryConnection": "edges nodes pageInfo",
    "AuditEntryEdge": "cursor node",
    "CataloguePayload": "created updated unchanged errors",
    "Checkout": "id url",
    "CheckoutPayload": "checkout errors",
    "Collection": "id slug baseCost refundPolicy qualities title description styles",
    "CreditPackage": "id slug credits price currency",
    "CreditTransaction": (
        "id sequence type status amount balance metadata price currency createdAt description user generation"
    ),
    "CreditTransactionConnection": "edges nodes pageInfo totalCount",
    "CreditTransactionEdge": "cursor node",
    "CreditsChange": "credits version transaction pass membership",
    "DataExport": "url expiresAt",
    "DataExportPayload": "dataExport errors",
    "DeletedPayload": "deletedIds errors",
    "GalleryChange": "kind version generationId generation",
    "Generation": "queuePosition estimatedSeconds style original result parent providerCost providerRequestId owner",
    "GenerationPayload": "generation errors",
    "GenerationsPayload": "generations viewer errors",
    "InputError": "code message field",
    "InsufficientCreditsError": "code message field required balance",
    "LedgerCheck": "usersChecked mismatches stuckGenerations orphanFiles",
    "Maintenance": "readOnly providersOff dailySpendCap spentToday",
    "MaintenancePayload": "maintenance errors",
    "MediaFile": "contentType byteSize width height placeholder url downloadUrl thumbnailUrl expiresAt",
    "Membership": "plan startedAt renewsAt endsAt",
    "MetricBucket": "key count failed credits",
    "Metrics": (
        "generations completed failed canceled successRate averageSeconds p50Seconds p95Seconds creditsSpent "
        "creditsRefunded creditsPurchased providerCost activeUsers returningUsers queueDepth byStyle byHour "
        "byProvider byError byPlan"
    ),
    "Node": "id",
    "Pass": "startedAt expiresAt images videos plan",
    "PaymentReview": (
        "id type reason isOpen receivedAt orderId subscriptionId productId netAmount currency account customerEmail"
    ),
    "PaymentReviewConnection": "edges nodes pageInfo totalCount",
    "PaymentReviewEdge": "cursor node",
    "PaymentReviewPayload": "review errors",
    "Plan": (
        "id slug kind price currency creditsPerMonth durationHours imagesPerHour videosPerHour priority "
        "unlimited apiAccess maxBatch title"
    ),
    "PlanMetric": "plan passesSold passesExpired averageImages averageVideos",
    "QualityPrice": "quality multiplier",
    "Query": "node nodes collections style styles quote sharedGeneration creditPackages plans admin",
    "QuotaExceededError": "code message field resetsAt",
    "Quote": "cost paidBy affordable balanceAfter",
    "RateLimitedError": "code message field retryAfter",
    "SentPayload": "sent errors",
    "SessionPayload": "token expiresAt user deviceToken mustVerifyEmail errors",
    "SharedGeneration": "result createdAt sharedBy title",
    "SignOutPayload": "sessionsEnded",
    "StorageFullError": "code message field usedBytes maxBytes generations maxGenerations",
    "Style": (
        "id slug media membersOnly cost referenceImage previewUrl title description category collection "
        "locked variables isOwn prompt"
    ),
    "StyleConnection": "edges nodes pageInfo totalCount",
    "StyleEdge": "cursor node",
    "StylePayload": "style errors",
    "StyleVariable": "name label options default required maxLength",
    "UploadPayload": "upload errors",
    "UploadTarget": "id url method headers fields expiresAt",
    "User": "isMember maxBatch membership referralCode pass stats storage transactions billingPortalUrl apiKeys",
    "UserConnection": "edges nodes pageInfo totalCount",
    "UserEdge": "cursor node",
    "UserError": "code message field",
    "UserPayload": "user errors",
    "UserStats": "totalGenerations failedGenerations favorites creditsSpent lastGenerationAt",
    "UserStorage": "usedBytes maxBytes generations maxGenerations",
}

_COVERED = {name: frozenset(fields.split()) for name, fields in COVERED.items()}
# A filter may name what changes without the account, such as the collection of a style.
_FILTER = "filter"


@dataclass(frozen=True)
class Coverage:
    """The variables that must be null for the answer of an operation to be covered by the account's version."""

    null_variables: frozenset[str]

    def includes(self, variables: Mapping[str, Any]) -> bool:
        """Return whether an answer with these variables is covered."""
        return not self.null_variables or all(variables.get(name) is None for name in self.null_variables)


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
