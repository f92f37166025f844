"""Who may use a root field, and which objects each ID argument may name."""

from typing import Any, ClassVar

from strawberry.permission import BasePermission

from models.enum import Role
from schema.runtime.context import Info
from services.core.error import ForbiddenError, UnauthenticatedError


class Anyone(BasePermission):
    """Anyone, signed in or not."""

    allows_everything = True  # so that plans call the resolver without asking

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        return True


class SignedIn(BasePermission):
    """Any account, by a session or by an API key."""

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        return info.context.viewer is not None

    def on_unauthorized(self) -> None:
        raise UnauthenticatedError


class Session(SignedIn):
    """Any account, by a session only: a leaked API key must not suffice to take over the account."""

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        if not super().has_permission(source, info, **kwargs):
            return False
        if info.context.uses_api_key:
            raise ForbiddenError
        return True


class Admin(Session):
    """An admin or a super admin, by a session only: no API key has an admin's rights."""

    roles: ClassVar[frozenset[Role]] = frozenset({Role.ADMIN, Role.SUPER_ADMIN})

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        if not super().has_permission(source, info, **kwargs):
            return False
        if info.context.require_viewer().role not in self.roles:
            raise ForbiddenError
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

# Field -> each ID that it or its input takes -> the objects that it may name. Another user's object always answers
# exactly like a missing one. Checked by tests/schema, which go through the list in its order.
ID_ARGUMENTS: dict[str, dict[str, str]] = {
    "Query.node": {"id": "the catalogue and the viewer's objects, for admins every user's; else null"},
    "Query.nodes": {"ids": "the catalogue and the viewer's objects, for admins every user's; else null"},
    "Query.quote": {"input.styleId": "the catalogue, members' styles by members only; else NOT_FOUND"},
    "Mutation.revokeApiKey": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.createGeneration": {
        "input.styleId": "the catalogue and the viewer's, members' styles by members only; else NOT_FOUND",
        "input.uploadId": "the viewer's; else NOT_FOUND",
    },
    "Mutation.regenerate": {"input.id": "the viewer's; else NOT_FOUND"},
    "Mutation.refineGeneration": {"input.id": "the viewer's; else NOT_FOUND"},
    "Mutation.cancelGeneration": {"id": "the viewer's, by an admin's session any user's; else NOT_FOUND"},
    "Mutation.shareGeneration": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.unshareGeneration": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.updateStyle": {"id": "the viewer's, by an admin's session the catalogue's; else NOT_FOUND"},
    "Mutation.deleteStyle": {"id": "the viewer's, by an admin's session the catalogue's; else NOT_FOUND"},
    "Mutation.setFavorite": {"id": "the viewer's; else NOT_FOUND"},
    "Mutation.adminSetRole": {"userId": "any user's; else NOT_FOUND"},
    "Mutation.adminSetSuspended": {"userId": "any user's, super admins' for super admins; else NOT_FOUND"},
    "Subscription.generationProgress": {"id": "the viewer's; else NOT_FOUND"},
    "Subscription.creditsChanged": {"after": "the viewer's; else NOT_FOUND"},
    # Fields of objects that take an ID.
    "User.generation": {"id": "the user's; else null"},
    "User.generations": {"filter.styleId": "anything else matches nothing", "filter.batchId": "the user's"},
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
    "Admin.generations": {"filter.styleId": "any user's", "filter.batchId": "any user's"},
    # Last, after everything that needs a generation.
    "Mutation.adminDeleteGeneration": {"id": "any user's, deleted or not; else NOT_FOUND"},
    "Mutation.deleteGenerations": {"ids": "the viewer's; else NOT_FOUND, and the others are deleted"},
}
