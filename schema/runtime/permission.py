"""Who may use each root field, and whose objects each of its ids may name: one line each, checked by a test."""

from typing import Any, ClassVar

from strawberry.permission import BasePermission

from models.enum import Role
from schema.runtime.context import Info
from services.core.error import ForbiddenError, UnauthenticatedError


class Anyone(BasePermission):
    """Signed in or not."""

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        return True


class SignedIn(BasePermission):
    """Any account."""

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        return info.context.viewer is not None

    def on_unauthorized(self) -> None:
        raise UnauthenticatedError


class OwnSignIn(SignedIn):
    """A person who signed in. An API key is not enough: whoever finds one must not take over the account with it."""

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        if not super().has_permission(source, info, **kwargs):
            return False
        if info.context.uses_api_key:
            raise ForbiddenError
        return True


class Admin(OwnSignIn):
    """An admin who signed in: no key that lies about in a script can do what admins do."""

    roles: ClassVar[frozenset[Role]] = frozenset({Role.ADMIN, Role.SUPER_ADMIN})

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        if not super().has_permission(source, info, **kwargs):
            return False
        if info.context.require_viewer().role not in self.roles:
            raise ForbiddenError
        return True


class SuperAdmin(Admin):
    """An admin who also says who is one."""

    roles: ClassVar[frozenset[Role]] = frozenset({Role.SUPER_ADMIN})


# Root field -> who, and for each ID that it or its input takes, what else than one's own it may name. A stranger's
# object always answers exactly like a missing one.
TABLE: dict[str, tuple[type[BasePermission], dict[str, str]]] = {
    "Query.node": (Anyone, {"id": "the catalogue and one's own objects, for admins everybody's; else null"}),
    "Query.nodes": (Anyone, {"ids": "the catalogue and one's own objects, for admins everybody's; else null"}),
    "Query.viewer": (Anyone, {}),
    "Query.collections": (Anyone, {}),
    "Query.style": (Anyone, {}),
    "Query.styles": (Anyone, {}),
    "Query.sharedGeneration": (Anyone, {}),
    "Query.creditPackages": (Anyone, {}),
    "Query.plans": (Anyone, {}),
    "Query.quote": (Anyone, {"input.styleId": "the catalogue, members' styles by members only; else NOT_FOUND"}),
    "Query.admin": (Admin, {}),
    "Mutation.signUp": (Anyone, {}),
    "Mutation.signIn": (Anyone, {}),
    "Mutation.signOut": (OwnSignIn, {}),
    "Mutation.updateProfile": (SignedIn, {}),
    "Mutation.changePassword": (OwnSignIn, {}),
    "Mutation.requestEmailVerification": (SignedIn, {}),
    "Mutation.verifyEmail": (Anyone, {}),
    "Mutation.requestPasswordReset": (Anyone, {}),
    "Mutation.resetPassword": (Anyone, {}),
    "Mutation.createApiKey": (OwnSignIn, {}),
    "Mutation.revokeApiKey": (OwnSignIn, {"id": "one's own; else NOT_FOUND"}),
    "Mutation.createUpload": (SignedIn, {}),
    "Mutation.createGeneration": (
        SignedIn,
        {
            "input.styleId": "the catalogue, members' styles by members only",
            "input.uploadId": "one's own; else NOT_FOUND",
        },
    ),
    "Mutation.regenerate": (SignedIn, {"input.id": "one's own; else NOT_FOUND"}),
    "Mutation.refineGeneration": (SignedIn, {"input.id": "one's own; else NOT_FOUND"}),
    "Mutation.cancelGeneration": (SignedIn, {"id": "one's own, admins' own sign-in: anybody's; else NOT_FOUND"}),
    "Mutation.deleteAccount": (OwnSignIn, {}),
    "Mutation.requestDataExport": (SignedIn, {}),
    "Mutation.shareGeneration": (SignedIn, {"id": "one's own; else NOT_FOUND"}),
    "Mutation.unshareGeneration": (SignedIn, {"id": "one's own; else NOT_FOUND"}),
    "Mutation.createStyle": (SignedIn, {}),
    "Mutation.updateStyle": (SignedIn, {"id": "one's own, admins' own sign-in: the catalogue's; else NOT_FOUND"}),
    "Mutation.deleteStyle": (SignedIn, {"id": "one's own, admins' own sign-in: the catalogue's; else NOT_FOUND"}),
    "Mutation.createCheckout": (SignedIn, {}),
    "Mutation.setFavorite": (SignedIn, {"id": "one's own; else NOT_FOUND"}),
    "Mutation.adminSetRole": (SuperAdmin, {"userId": "anybody's; else NOT_FOUND"}),
    "Mutation.adminSetSuspended": (Admin, {"userId": "anybody's, super admins' for super admins; else NOT_FOUND"}),
    "Mutation.adminImportCatalogue": (Admin, {}),
    "Mutation.adminSetMaintenance": (Admin, {}),
    "Subscription.generationProgress": (SignedIn, {"id": "one's own; else NOT_FOUND"}),
    "Subscription.galleryChanged": (SignedIn, {}),
    "Subscription.favoriteChanged": (SignedIn, {}),
    "Subscription.creditsChanged": (SignedIn, {"after": "one's own; else NOT_FOUND"}),
    "Subscription.adminActivity": (Admin, {}),
    # Fields of objects that take an id.
    "User.generation": (SignedIn, {"id": "the user's; else null"}),
    "User.generations": (SignedIn, {"filter.styleId": "matches nothing else", "filter.batchId": "the user's"}),
    "Admin.user": (Admin, {"id": "anybody's; else null"}),
    "Mutation.adminAdjustCredits": (Admin, {"input.userId": "anybody's; else NOT_FOUND"}),
    "Mutation.adminRefundGeneration": (Admin, {"id": "anybody's, deleted or not; else NOT_FOUND"}),
    "Mutation.adminRetryGeneration": (Admin, {"id": "anybody's; else NOT_FOUND"}),
    "Mutation.adminSetMembership": (Admin, {"userId": "anybody's; else NOT_FOUND"}),
    "Mutation.adminGrantPass": (Admin, {"userId": "anybody's; else NOT_FOUND"}),
    "Admin.generations": (Admin, {"filter.styleId": "anybody's", "filter.batchId": "anybody's"}),
    # Last, after everything that needs a picture: the tests go through this list in its order.
    "Mutation.deleteGenerations": (SignedIn, {"ids": "one's own; else NOT_FOUND, and the others are deleted"}),
}


# What people may do while the deployment is read-only; admins may do what is theirs alone.
IN_MAINTENANCE = frozenset({"Mutation.signIn", "Mutation.signOut"})


class NotReadOnly(BasePermission):
    """Not while an operator lets nobody change anything: asked first of all, before anything happens."""

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        info.context.services.operations.maintenance.check_writable()
        return True


def allowed(field: str) -> list[type[BasePermission]]:
    """The permission classes of a root field, from the table."""
    is_change = field.startswith("Mutation.") and not field.startswith("Mutation.admin")
    return [NotReadOnly, TABLE[field][0]] if is_change and field not in IN_MAINTENANCE else [TABLE[field][0]]
