"""Entitlements: what an account may do beyond its credits. Decided only here."""

from dataclasses import dataclass
from datetime import UTC, datetime

from models import Plan, User
from services.products.profile import Profile


@dataclass(frozen=True)
class Entitlement:
    """What an account may do right now."""

    is_member: bool
    priority: bool  # its generations are claimed before others'
    unlimited: bool  # its generations cost no credits
    api_access: bool  # it may create API keys and authenticate with them
    max_batch: int  # generations per request
    plan: Plan | None  # the active monthly plan; None: no plan, or membership granted by an admin


def active_plan_id(user: User, now: datetime) -> str | None:
    """Return the id of the account's active monthly plan; it expires by time alone, without a job."""
    return user.plan_id if user.member_until is not None and now < user.member_until else None


def is_member(user: User | None, now: datetime | None = None) -> bool:
    """Whether an account is a member, by a monthly plan or an admin's grant. An anonymous viewer is not.

    Decided by the account's row alone. The process's own clock is precise enough to compare months.
    """
    if user is None:
        return False
    return user.is_member or active_plan_id(user, now or datetime.now(UTC)) is not None


def entitlement_of(user: User | None, plan: Plan | None, profile: Profile) -> Entitlement:
    """Return the entitlement of an account with this plan, or of an anonymous viewer.

    A paid plan decides about priority: a cheaper plan must not include a benefit of a more expensive one. For
    members by an admin's grant, the profile decides.
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
    """Reads each plan once per process: plans are few, and change only when a deployment starts."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._plans: dict[str, Plan] = {}

    async def of(self, user: User | None) -> Entitlement:
        """Return the current entitlement, given the account's row."""
        plan_id = active_plan_id(user, datetime.now(UTC)) if user is not None else None
        return entitlement_of(user, await self._plan(plan_id) if plan_id is not None else None, self._profile)

    async def _plan(self, plan_id: str) -> Plan:
        if plan_id not in self._plans:
            self._plans[plan_id] = await Plan.get(id=plan_id)
        return self._plans[plan_id]
