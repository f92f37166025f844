"""What is sold for money: packages of credits, monthly plans and passes, as the profile describes them."""

from typing import Any

from models import CreditPackage, Plan
from models.database.connection import run_tx
from services.products.offer import ProfilePackage, ProfilePlan
from services.products.profile import Profile


class PlanService:
    """Reads what is sold, and fills it from the profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    async def packages(self) -> list[CreditPackage]:
        """All packages on sale, in the profile's order."""
        return await CreditPackage.filter(is_active=True).order_by("position")

    async def plans(self) -> list[Plan]:
        """All plans on sale, in the profile's order."""
        return await Plan.filter(is_active=True).order_by("position")

    async def package(self, slug: str) -> CreditPackage | None:
        """A package on sale."""
        return await CreditPackage.get_or_none(slug=slug, is_active=True)

    async def plan(self, slug: str) -> Plan | None:
        """A plan on sale."""
        return await Plan.get_or_none(slug=slug, is_active=True)

    async def packages_by_ids(self, ids: list[str]) -> dict[str, CreditPackage]:
        """Those of these packages that are or ever were on sale."""
        return {found.id: found for found in await CreditPackage.filter(id__in=ids)}

    async def plans_by_ids(self, ids: list[str]) -> dict[str, Plan]:
        """Those of these plans that are or ever were on sale: people may still have them."""
        return {found.id: found for found in await Plan.filter(id__in=ids)}

    async def seed(self) -> None:
        """Bring what is sold in step with the profile.

        What left the profile is no longer sold, but stays for the purchases that were made of it and for those who
        have it.
        """
        await run_tx(self._seed)

    async def _seed(self) -> None:
        packages, plans = self._profile.packages, self._profile.plans
        for position, package in enumerate(packages):
            await CreditPackage.update_or_create(_package_row(package, position), slug=package.slug)
        for position, plan in enumerate(plans):
            row = _plan_row(plan, position, self._profile.max_batch)
            await Plan.update_or_create(row, slug=plan.slug)
        gone = CreditPackage.filter(is_active=True).exclude(slug__in=[package.slug for package in packages])
        await gone.update(is_active=False)
        await Plan.filter(is_active=True).exclude(slug__in=[plan.slug for plan in plans]).update(is_active=False)


def _package_row(entry: ProfilePackage, position: int) -> dict[str, Any]:
    return {**entry.model_dump(exclude={"slug"}), "position": position, "is_active": True}


def _plan_row(entry: ProfilePlan, position: int, max_batch: int) -> dict[str, Any]:
    row = entry.model_dump(exclude={"slug"})
    row["max_batch"] = max_batch if entry.max_batch is None else entry.max_batch
    return {**row, "position": position, "is_active": True}
