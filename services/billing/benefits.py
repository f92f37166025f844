"""What an account can use beside its credits at one moment: a pass with its allowances, and a membership."""

from dataclasses import dataclass
from datetime import datetime

from models import User
from services.billing import passes
from services.billing.membership import CurrentMembership, MembershipService
from services.billing.passes import ActivePass


@dataclass(frozen=True)
class Benefits:
    """A snapshot; two are equal if the user sees no difference."""

    pass_: ActivePass | None
    membership: CurrentMembership | None
    member_until: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether time alone has changed something: the pass's hour, the pass or the membership has ended."""
        ends = [self.member_until]
        if self.pass_ is not None:
            ends += [self.pass_.images.resets_at, self.pass_.expires_at]
        return any(moment is not None and moment <= now for moment in ends)


async def benefits_of(user: User, memberships: MembershipService) -> Benefits:
    """Return the current benefits of an account, given its row."""
    membership = (await memberships.current_memberships([user])).get(user.id)
    return Benefits(await passes.active(user.id), membership, user.member_until)
