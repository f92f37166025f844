"""Resolvers of operations: the admin entry point and maintenance."""

from schema.admin import Admin
from schema.deployment import Deployment
from schema.operations import Maintenance, MaintenanceInput, MaintenancePayload
from schema.runtime.context import Info
from schema.runtime.input import changed
from services.operations.maintenance import MaintenanceChange


def deployment(info: Info) -> Deployment:
    return Deployment.of(info.context)


async def admin() -> Admin:
    return Admin()


async def admin_set_maintenance(info: Info, input: MaintenanceInput, reason: str | None = None) -> MaintenancePayload:
    change = MaintenanceChange(
        read_only=changed(input.read_only),
        providers_off=changed(input.providers_off),
        daily_spend_cap=changed(input.daily_spend_cap),
    )
    state = await info.context.services.operations.maintenance.set(info.context.require_viewer(), change, reason)
    return MaintenancePayload(maintenance=Maintenance.of(state))
