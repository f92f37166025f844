"""The prices of fields: the statements that their resolvers run, in comparison with a value that is already loaded.

tests/database/test_prices.py counts the statements of every field, and fails where a field has no price here.
"""

from dataclasses import dataclass

STATEMENT_PRICE = 100  # a statement takes about as long as 100 values


WRITE_STATEMENTS = 10  # of each mutation; below are those that need more


@dataclass(frozen=True)
class Price:
    """The statements of a field."""

    statements: int = 0
    is_batched: bool = False  # a data loader runs them once for all objects of a list, not for each object
    extra: int = 0  # for work other than statements

    @property
    def total(self) -> int:
        """The price in values."""
        return self.statements * STATEMENT_PRICE + self.extra


FREE = Price()
_BATCHED = Price(1, is_batched=True)

PRICES: dict[str, Price] = {
    "Query.node": Price(1, is_batched=True),
    "Query.nodes": Price(10, is_batched=True),  # one for each type of object, and at most one for each ID
    "Query.collections": Price(1),
    "Query.style": Price(1),
    "Query.styles": Price(1),
    "Query.models": FREE,
    "Query.quote": Price(5),
    "Query.sharedGeneration": Price(1, extra=200),  # takes as long as three statements
    "Query.creditPackages": Price(1),
    "Query.plans": Price(1),
    "Query.webhookEndpoints": Price(1),
    "Query.admin": FREE,
    "WebhookEndpoint.deliveries": Price(1),
    "SignInOptions.providers": Price(extra=100),  # fetches documents of issuers now and then
    "Collection.styles": _BATCHED,
    "StyleConnection.totalCount": Price(1),
    "Pass.plan": _BATCHED,
    "User.maxBatch": FREE,  # the plan is cached
    "User.membership": _BATCHED,
    "User.expiringCredits": _BATCHED,
    "User.referralCode": FREE,  # written once for each account
    "User.pass": _BATCHED,
    "User.followingPasses": _BATCHED,
    "FollowingPass.plan": _BATCHED,
    "User.referrals": _BATCHED,
    "User.stats": _BATCHED,
    "User.storage": _BATCHED,
    "User.apiKeys": _BATCHED,
    "ApiKey.spentThisMonth": _BATCHED,
    "SecondFactor.recoveryCodesLeft": _BATCHED,
    "User.sessions": Price(2, is_batched=True),
    "User.identities": _BATCHED,
    "User.generation": Price(1),
    "User.generations": Price(1),
    "User.albums": Price(1),
    "User.tags": _BATCHED,
    "User.transactions": Price(1),
    "User.billingPortalUrl": Price(1, extra=100),  # calls the payment provider
    "UserConnection.totalCount": Price(1),
    "Generation.queuePosition": _BATCHED,
    "Generation.estimatedSeconds": _BATCHED,
    "Generation.parent": _BATCHED,
    "Generation.owner": _BATCHED,
    "Generation.children": Price(1),
    "Generation.chain": Price(2, extra=100),  # walks along up to 2,000 rows
    "Generation.batch": _BATCHED,
    "Generation.tags": _BATCHED,
    "Generation.albums": _BATCHED,
    "Album.cover": Price(2, is_batched=True),  # its ID, and the generation
    "Album.generations": Price(1),
    "AlbumConnection.totalCount": Price(1),
    "GenerationConnection.totalCount": Price(1),
    "CreditTransaction.user": _BATCHED,
    "CreditTransaction.generation": _BATCHED,
    "CreditTransactionConnection.totalCount": Price(1),
    "CreditsChange.user": _BATCHED,
    "GenerationPayload.viewer": Price(1),
    "DeletedPayload.viewer": Price(1),
    "AlbumPayload.viewer": Price(1),
    "TagPayload.viewer": Price(1),
    "ChangedGenerationsPayload.viewer": Price(1),
    "ChangedGenerationsPayload.generations": Price(1),
    "AuditEntry.actor": _BATCHED,
    "AuditEntry.user": _BATCHED,
    "AuditEntry.generation": _BATCHED,
    "AuditEntry.style": _BATCHED,
    "Admin.users": Price(1),
    "Admin.user": Price(1),
    "Admin.generations": Price(1),
    "Admin.transactions": Price(1),
    "Admin.auditLog": Price(1),
    "Admin.paymentReviews": Price(1),
    "PaymentReviewConnection.totalCount": Price(1),
    "Admin.metrics": Price(9, extra=1000),  # reads whole tables
    "AccountMetric.user": _BATCHED,
    "Admin.catalogue": Price(2),
    "Admin.maintenance": Price(2),
    "Admin.ledgerCheck": Price(7, extra=2300),  # reads whole tables, and lists all stored objects
    "AdminActivity.user": _BATCHED,
    "AdminActivity.generation": _BATCHED,
    "AdminActivity.transaction": _BATCHED,
    "Mutation.createGeneration": Price(6),  # with a photo
    "Mutation.regenerate": Price(2),
    "Mutation.refineGeneration": Price(2),
    "Mutation.addTags": Price(3),
    "Mutation.adminDeleteGeneration": Price(1),
    "Mutation.setTags": Price(3),
    "Mutation.confirmSecondFactor": Price(2),  # with the recovery codes
    "Mutation.removeSecondFactor": Price(2),
    "Mutation.adminSettlePayment": Price(10),  # grants what was paid
    "Mutation.adminSetMaintenance": Price(5),
    "Subscription.generationProgress": Price(2),  # until the first message
    "Subscription.galleryChanged": Price(3),
    "Subscription.favoriteChanged": Price(3),
    "Subscription.creditsChanged": Price(3),
    "Subscription.adminActivity": Price(2),
}
