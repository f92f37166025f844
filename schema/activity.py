"""What happens in the deployment, as admins watch it."""

from datetime import datetime

import strawberry

from schema.context import Info
from schema.credit import CreditTransaction
from schema.enum import AdminActivityKind
from schema.generation import Generation
from schema.user import User
from services.events.activity import Activity


@strawberry.type(description="Something that happened.")
class AdminActivity:
    activity: strawberry.Private[Activity]
    id: strawberry.ID = strawberry.field(description="A TypeID of this telling; it names nothing else.")
    at: datetime
    kind: AdminActivityKind
    message: str = strawberry.field(description="In the caller's language.")

    @strawberry.field(description="Whose it is; of what an admin did, the admin.")
    async def user(self, info: Info) -> User | None:
        found = await info.context.user_by_id.load(self.activity.user_id) if self.activity.user_id else None
        return User.of(found) if found else None

    @strawberry.field(description="As it is now; null when it is gone.")
    async def generation(self, info: Info) -> Generation | None:
        wanted = self.activity.generation_id
        found = await info.context.generation_by_id.load(wanted) if wanted else None
        return Generation.of(found) if found else None

    @strawberry.field(description="The line that was written.")
    async def transaction(self, info: Info) -> CreditTransaction | None:
        wanted = self.activity.transaction_id
        found = await info.context.transaction_by_id.load(wanted) if wanted else None
        return CreditTransaction.of(found) if found else None

    @classmethod
    def of(cls, activity: Activity, text: str) -> "AdminActivity":
        return cls(activity=activity, id=strawberry.ID(activity.id), at=activity.at, kind=activity.kind, message=text)
