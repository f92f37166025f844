"""Which scope of API keys each root field needs; tests/schema/test_scope.py fails where a field is not listed."""

from collections.abc import Mapping

from models.enum import ApiKeyScope

_WIDTHS = {scope: width for width, scope in enumerate(ApiKeyScope)}  # from the narrowest to the widest

# By scope, the fields that it adds to the narrower ones.
_FIELDS: Mapping[ApiKeyScope, Mapping[str, str]] = {
    ApiKeyScope.READ: {
        "Query": (
            "node nodes viewer deployment collections style styles models quote sharedGeneration creditPackages plans "
            "webhookEndpoints"
        ),
        "Subscription": "generationProgress galleryChanged favoriteChanged creditsChanged",
    },
    ApiKeyScope.GENERATE: {
        "Mutation": "createUpload createGeneration regenerate refineGeneration cancelGeneration",
    },
    ApiKeyScope.EVERYTHING: {
        "Mutation": (
            "updateProfile renewConnection requestEmailVerification deleteGenerations shareGeneration "
            "unshareGeneration createStyle updateStyle deleteStyle setStylePicture createCheckout setFavorite "
            "sendTestWebhook replayWebhookDelivery createAlbum updateAlbum deleteAlbum addToAlbum removeFromAlbum "
            "setTags addTags removeTags renameTag setFavorites createArchive"
        ),
    },
}
SCOPES: Mapping[str, ApiKeyScope] = {
    f"{root}.{name}": scope
    for scope, roots in _FIELDS.items()
    for root, names in roots.items()
    for name in names.split()
}
# For a session, whatever the scope of a key.
SESSION_ONLY: Mapping[str, str] = {
    "Query": "admin",
    "Mutation": (
        "startSecondFactor confirmSecondFactor verifySecondFactor removeSecondFactor createMergeToken mergeGuest "
        "signOut linkIdentity unlinkIdentity changePassword requestEmailChange createApiKey updateApiKey revokeApiKey "
        "revokeSession revokeOtherSessions requestDataExport deleteAccount adminAdjustCredits adminRefundGeneration "
        "adminRetryGeneration adminUnshareGeneration adminDeleteGeneration adminSettlePayment adminDismissPayment "
        "adminSetMembership adminGrantPass adminGrantPlan adminEndPlan adminSetRole adminSetSuspended "
        "adminImportCatalogue adminSetMaintenance createWebhookEndpoint updateWebhookEndpoint deleteWebhookEndpoint "
        "rotateWebhookSecret"
    ),
    "Subscription": "adminActivity",
}
# They use nothing of the account that sends them: a mailed token or a password decides.
WITHOUT_ACCOUNT: Mapping[str, str] = {
    "Mutation": (
        "signUp createGuest signIn createSignInNonce signInWithIdToken requestSignInLink signInByLink verifyEmail "
        "changeEmail requestPasswordReset resetPassword"
    ),
}


def allows(scope: ApiKeyScope, field: str) -> bool:
    """Whether a key of this scope may use a root field for signed-in accounts, such as `Mutation.setFavorite`."""
    # A field that is not listed needs the widest.
    return _WIDTHS[scope] >= _WIDTHS[SCOPES.get(field, ApiKeyScope.EVERYTHING)]
