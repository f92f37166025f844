"""Resolvers of operations: the admin entry point and maintenance."""

from schema.admin import Admin
from schema.operations import Maintenance, MaintenanceInput, MaintenancePayload
from schema.runtime.context import Info
from schema.runtime.input import changes
from schema.runtime.user_error import user_errors
from services.core.error import Refusal


async def admin() -> Admin:
    return Admin()


async def admin_set_maintenance(info: Info, input: MaintenanceInput) -> MaintenancePayload:
    wanted = changes(input, "read_only", "providers_off", "daily_spend_cap")
    try:
        state = await info.context.services.operations.maintenance.set(info.context.require_viewer(), wanted)
    except Refusal as refusal:
        return MaintenancePayload(maintenance=None, errors=user_errors(refusal, info.context))
    return MaintenancePayload(maintenance=Maintenance.of(state), errors=[])
