"""The offers of the profile: credit packages, monthly plans and passes."""

from functools import cache
from typing import Any

from models import CreditPackage, Plan
from models.database.connection import run_tx
from models.database.fixed_sql import ModelReader, R, Row, RowKind, Select
from services.products.offer import ProfilePackage, ProfilePlan
from services.products.profile import Profile


class _PackageRow(Row, model=CreditPackage):
    """A package, with all columns."""


class _PlanRow(Row, model=Plan):
    """A plan, with all columns."""


_PACKAGE_ROWS, _PACKAGES = RowKind(_PackageRow), ModelReader(CreditPackage)
_PLAN_ROWS, _PLANS = RowKind(_PlanRow), ModelReader(Plan)
_ON_SALE = 'SELECT {} FROM "{}" WHERE "is_active" ORDER BY "position", "id"'


@cache
def _on_sale(kind: RowKind[R], columns: str) -> Select[R]:
    return Select(kind, _ON_SALE.format(columns, kind.row.table._meta.db_table), ())


class PlanService:
    """Reads the offers, and seeds them from the profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    async def packages(self) -> list[CreditPackage]:
        """Return all packages on sale, in the profile's order."""
        select = _on_sale(_PACKAGE_ROWS, _PACKAGES.columns)
        return [_PACKAGES.read(row) for row in await select.fetch(())]

    async def plans(self) -> list[Plan]:
        """Return all plans on sale, in the profile's order."""
        select = _on_sale(_PLAN_ROWS, _PLANS.columns)
        return [_PLANS.read(row) for row in await select.fetch(())]

    async def package(self, slug: str) -> CreditPackage | None:
        """Return a package on sale, or None."""
        return await CreditPackage.get_or_none(slug=slug, is_active=True)

    async def plan(self, slug: str) -> Plan | None:
        """Return a plan on sale, or None."""
        return await Plan.get_or_none(slug=slug, is_active=True)

    async def packages_by_ids(self, ids: list[str]) -> dict[str, CreditPackage]:
        """Return the packages with these ids, by id, including those no longer on sale."""
        return {found.id: found for found in await CreditPackage.filter(id__in=ids)}

    async def plans_by_ids(self, ids: list[str]) -> dict[str, Plan]:
        """Return the plans with these ids, by id, including those no longer on sale, which users may still have."""
        return {found.id: found for found in await Plan.filter(id__in=ids)}

    async def seed(self) -> None:
        """Synchronize the tables with the profile.

        An offer that was removed from the profile is deactivated; its row stays for its purchases and memberships.
        """
        await run_tx(self._seed)

    async def _seed(self) -> None:
        packages, plans = self._profile.packages, self._profile.plans
        for position, package in enumerate(packages):
            await CreditPackage.update_or_create(_package_row(package, position), slug=package.slug)
        for position, plan in enumerate(plans):
            row = _plan_row(plan, position, self._profile.max_batch)
            await Plan.update_or_create(row, slug=plan.slug)
        removed = CreditPackage.filter(is_active=True).exclude(slug__in=[package.slug for package in packages])
        await removed.update(is_active=False)
        await Plan.filter(is_active=True).exclude(slug__in=[plan.slug for plan in plans]).update(is_active=False)


def _package_row(entry: ProfilePackage, position: int) -> dict[str, Any]:
    return {**entry.model_dump(exclude={"slug"}), "position": position, "is_active": True}


def _plan_row(entry: ProfilePlan, position: int, max_batch: int) -> dict[str, Any]:
    row = entry.model_dump(exclude={"slug"})
    row["max_batch"] = max_batch if entry.max_batch is None else entry.max_batch
    return {**row, "position": position, "is_active": True}
