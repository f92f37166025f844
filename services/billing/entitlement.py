"""Entitlements: what an account may do beyond its credits. The only place that knows."""

from dataclasses import dataclass
from datetime import UTC, datetime

from models import Plan, User
from services.products.profile import Profile


@dataclass(frozen=True)
class Entitlement:
    """What an account may do right now."""

    is_member: bool
    priority: bool  # its pictures are made before those of others
    unlimited: bool  # its pictures cost nothing
    api_access: bool  # it may have API keys, and sign in with them
    max_batch: int  # pictures of one request
    plan: Plan | None  # the monthly plan that opens things; None: no plan, or membership granted by an admin


def active_plan_id(user: User, now: datetime) -> str | None:
    """The monthly plan that an account has at this moment; it ends by itself, without anybody's work."""
    return user.plan_id if user.member_until is not None and now < user.member_until else None


def is_member(user: User | None, now: datetime | None = None) -> bool:
    """Whether an account is a member: by a monthly plan, or because an admin granted it. Nobody signed in is none.

    Read from the account's own row alone. The clock is this process's: months are compared, not moments.
    """
    if user is None:
        return False
    return user.is_member or active_plan_id(user, now or datetime.now(UTC)) is not None


def entitlement_of(user: User | None, plan: Plan | None, profile: Profile) -> Entitlement:
    """What an account may do that has this plan, and what somebody may who is not signed in.

    With a plan, the plan says whose pictures come first: who pays for the one without priority does not get what the
    dearer one is bought for. The profile says it of members whom an admin made.
    """
    granted = user is not None and user.is_member
    return Entitlement(
        is_member=granted or plan is not None,
        priority=(plan is not None and plan.priority) or (granted and profile.limits.members_first),
        unlimited=plan is not None and plan.unlimited,
        api_access=not profile.membership.api_by_plan or (plan is not None and plan.api_access),
        max_batch=profile.max_batch if plan is None else plan.max_batch,
        plan=plan,
    )


class Entitlements:
    """Knows the plans, which are few and change only when a deployment starts: each is read once by a process."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._plans: dict[str, Plan] = {}

    async def of(self, user: User | None) -> Entitlement:
        """What this account may do now; its row alone decides, as it was read."""
        plan_id = active_plan_id(user, datetime.now(UTC)) if user is not None else None
        return entitlement_of(user, await self._plan(plan_id) if plan_id is not None else None, self._profile)

    async def _plan(self, plan_id: str) -> Plan:
        if plan_id not in self._plans:
            self._plans[plan_id] = await Plan.get(id=plan_id)
        return self._plans[plan_id]
