"""What is sold for money."""

from schema.context import Info
from schema.plan import CreditPackage, Plan


async def credit_packages(info: Info) -> list[CreditPackage]:
    return [CreditPackage.of(row) for row in await info.context.services.plans.packages()]


async def plans(info: Info) -> list[Plan]:
    return [Plan.of(row) for row in await info.context.services.plans.plans()]
