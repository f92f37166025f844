"""Resolvers of operations: the admin entry point and maintenance."""

from schema.admin import Admin
from schema.operations import Maintenance, MaintenanceInput, MaintenancePayload
from schema.runtime.context import Info
from schema.runtime.input import changes


async def admin() -> Admin:
    return Admin()


async def admin_set_maintenance(info: Info, input: MaintenanceInput) -> MaintenancePayload:
    wanted = changes(input, "read_only", "providers_off", "daily_spend_cap")
    state = await info.context.services.operations.maintenance.set(info.context.require_viewer(), wanted)
    return MaintenancePayload(maintenance=Maintenance.of(state))
