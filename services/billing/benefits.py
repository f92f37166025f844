"""What an account can draw on beside its credits at one moment: a pass with its allowances, and a membership."""

from dataclasses import dataclass
from datetime import datetime

from models import User
from services.billing import passes
from services.billing.membership import CurrentMembership, MembershipService
from services.billing.passes import ActivePass


@dataclass(frozen=True)
class Benefits:
    """Two of them are equal where the account's owner sees no difference."""

    pass_: ActivePass | None
    membership: CurrentMembership | None
    member_until: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether time alone has changed something: the hour of the pass is over, or the pass, or the membership."""
        ends = [self.member_until]
        if self.pass_ is not None:
            ends += [self.pass_.images.resets_at, self.pass_.expires_at]
        return any(moment is not None and moment <= now for moment in ends)


async def benefits_of(user: User, memberships: MembershipService) -> Benefits:
    """What an account, whose row was read before, has right now."""
    standing = (await memberships.current_memberships([user])).get(user.id)
    return Benefits(await passes.active(user.id), standing, user.member_until)
