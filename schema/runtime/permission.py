"""Who may use a root field, and which objects each ID argument may name."""

from typing import Any, ClassVar

from strawberry.permission import BasePermission

from models.enum import Role
from schema.runtime import scope
from schema.runtime.context import Info
from services.core.error import ForbiddenError, KeyScopeError


class Anyone(BasePermission):
    """Anyone, signed in or not."""

    allows_everything = True  # so that plans call the resolver without asking

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        return True


class SignedIn(BasePermission):
    """Any account, by a session or by an API key whose scope includes the field."""

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        viewer = info.context.require_viewer()
        if (key := viewer.acting_key) is not None:
            field = info._raw_info  # Strawberry has no public name for the type that the field belongs to
            if not scope.allows(key.scope, f"{field.parent_type.name}.{field.field_name}"):
                raise KeyScopeError
        return True


class Session(SignedIn):
    """Any account, by a session only: a leaked API key must not suffice to take over the account."""

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        super().has_permission(source, info, **kwargs)
        if info.context.uses_api_key:
            raise ForbiddenError
        return True


class ProvenSession(Session):
    """Any account, by a session that has proved its second factor, if it has one: for what could take it over."""

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        super().has_permission(source, info, **kwargs)
        info.context.services.accounts.second_factor.access.require(info.context.require_viewer())
        return True


class Admin(Session):
    """An admin or a super admin, by a session only, with its second factor: no API key has an admin's rights."""

    roles: ClassVar[frozenset[Role]] = frozenset({Role.ADMIN, Role.SUPER_ADMIN})

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        super().has_permission(source, info, **kwargs)
        if info.context.require_viewer().role not in self.roles:
            raise ForbiddenError
        info.context.require_admin()
        return True


class SuperAdmin(Admin):
    """A super admin, who also assigns roles; by a session only."""

    roles: ClassVar[frozenset[Role]] = frozenset({Role.SUPER_ADMIN})


class Writable(BasePermission):
    """Refuses while the deployment is read-only; checked before the audience, so before anything happens."""

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        info.context.services.operations.maintenance.check_writable()
        return True


# The audiences of schema/root.py.
ANYONE, SIGNED_IN, SESSION, ADMIN, SUPER_ADMIN = Anyone, SignedIn, Session, Admin, SuperAdmin
PROVEN_SESSION = ProvenSession

# Field -> each ID that it or its input takes -> the objects that it may name. Another user's object always answers
# exactly like a missing one. Checked by tests/schema, which go through the list in its order.
ID_ARGUMENTS: dict[str, dict[str, str]] = {
    "Query.node": {"id": "the catalogue and the viewer's objects, for admins every user's; else null"},
    "Query.nodes": {"ids": "the catalogue and the viewer's objects, for admins every user's; else null"},
    "Query.quote": {
        "input.styleId": "the catalogue, members' styles by members only; else NOT_FOUND",
        "input.uploadId": "the viewer's, where an earlier result may be reused; else it has no effect",
    },
    "Mutation.updateApiKey": {"input.id": "the viewer's; else NOT_FOUND"},
    "Mutation.revokeApiKey": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.createGeneration": {
        "input.styleId": "the catalogue and the viewer's, members' styles by members only; else NOT_FOUND",
        "input.uploadId": "the viewer's; else NOT_FOUND",
        "input.reference.uploadId": "the viewer's; else NOT_FOUND",
    },
    "Mutation.regenerate": {"input.id": "the viewer's; else NOT_FOUND"},
    "Mutation.refineGeneration": {"input.id": "the viewer's; else NOT_FOUND"},
    "Mutation.cancelGeneration": {"id": "the viewer's, by an admin's session any user's; else NOT_FOUND"},
    "Mutation.shareGeneration": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.unshareGeneration": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.updateStyle": {"id": "the viewer's, by an admin's session the catalogue's; else NOT_FOUND"},
    "Mutation.deleteStyle": {"id": "the viewer's, by an admin's session the catalogue's; else NOT_FOUND"},
    "Mutation.setStylePicture": {
        "input.styleId": "the viewer's, by an admin's session the catalogue's; else NOT_FOUND",
        "input.generationId": "the viewer's; else NOT_FOUND",
    },
    "Mutation.setFavorite": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.setFavorites": {"ids": "the viewer's; else NOT_FOUND, and the others are changed"},
    "Mutation.addTags": {"ids": "the viewer's; else NOT_FOUND, and the others are changed"},
    "Mutation.addToAlbum": {
        "id": "the viewer's; else NOT_FOUND",
        "ids": "the viewer's; else NOT_FOUND, and the others are added",
    },
    "Mutation.createArchive": {
        "ids": "the viewer's; else NOT_FOUND, and the others are in it",
        "albumId": "the viewer's; else NOT_FOUND",
    },
    "Mutation.updateAlbum": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.adminSetRole": {"userId": "any user's; else NOT_FOUND"},
    "Mutation.adminSetSuspended": {"userId": "any user's, super admins' for super admins; else NOT_FOUND"},
    "Subscription.generationProgress": {"id": "the viewer's; else NOT_FOUND"},
    "Subscription.creditsChanged": {"after": "the viewer's; else NOT_FOUND"},
    # Fields of objects that take an ID.
    "User.generation": {"id": "the user's; else null"},
    "User.generations": {
        "filter.styleId": "anything else matches nothing",
        "filter.batchId": "the user's",
        "filter.albumId": "the user's; anything else matches nothing",
        "filter.tagIds": "the user's; anything else matches nothing",
    },
    "Album.generations": {
        "filter.styleId": "anything else matches nothing",
        "filter.batchId": "the user's",
        "filter.albumId": "the user's; anything else matches nothing",
        "filter.tagIds": "the user's; anything else matches nothing",
    },
    "Admin.user": {"id": "any user's; else null"},
    "Mutation.adminAdjustCredits": {"input.userId": "any user's; else NOT_FOUND"},
    "Mutation.adminRefundGeneration": {"id": "any user's, deleted or not; else NOT_FOUND"},
    "Mutation.adminRetryGeneration": {"id": "any user's; else NOT_FOUND"},
    "Mutation.adminUnshareGeneration": {"id": "any user's; else NOT_FOUND"},
    "Mutation.adminSettlePayment": {"id": "any payment event; else NOT_FOUND", "userId": "any user's; else NOT_FOUND"},
    "Mutation.adminDismissPayment": {"id": "any payment event; else NOT_FOUND"},
    "Mutation.adminSetMembership": {"userId": "any user's; else NOT_FOUND"},
    "Mutation.adminGrantPlan": {"userId": "any user's; else NOT_FOUND"},
    "Mutation.adminEndPlan": {"userId": "any user's; else NOT_FOUND"},
    "Mutation.adminGrantPass": {"userId": "any user's; else NOT_FOUND"},
    "Admin.auditLog": {"filter.account": "any user's; anything else matches nothing"},
    "Admin.generations": {
        "filter.styleId": "any user's",
        "filter.batchId": "any user's",
        "filter.albumId": "any user's",
        "filter.tagIds": "any user's",
    },
    # Last, after everything that needs a generation.
    "Mutation.adminDeleteGeneration": {"id": "any user's, deleted or not; else NOT_FOUND"},
    "Mutation.renameTag": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.setTags": {"ids": "the viewer's; else NOT_FOUND, and the others are changed"},
    "Mutation.removeTags": {"ids": "the viewer's; else NOT_FOUND, and the others are changed"},
    "Mutation.removeFromAlbum": {
        "id": "the viewer's; else NOT_FOUND",
        "ids": "the viewer's; else NOT_FOUND, and the others are removed",
    },
    "Mutation.deleteAlbum": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.deleteGenerations": {"ids": "the viewer's; else NOT_FOUND, and the others are deleted"},
    "Mutation.sendTestWebhook": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.replayWebhookDelivery": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.rotateWebhookSecret": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.updateWebhookEndpoint": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.deleteWebhookEndpoint": {"id": "the viewer's; else NOT_FOUND"},
    # It may end the session that asks.
    "Mutation.revokeSession": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.unlinkIdentity": {"id": "the viewer's; else NOT_FOUND"},
}
