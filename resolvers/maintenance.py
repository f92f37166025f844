"""What an operator switches off and on."""

from schema.context import Info
from schema.error import user_errors
from schema.input import changes
from schema.maintenance import Maintenance, MaintenanceInput, MaintenancePayload
from services.core.error import Refusal


async def admin_set_maintenance(info: Info, input: MaintenanceInput) -> MaintenancePayload:
    wanted = changes(input, "read_only", "providers_off", "daily_spend_cap")
    try:
        state = await info.context.services.maintenance.set(info.context.require_viewer(), wanted)
    except Refusal as refusal:
        return MaintenancePayload(maintenance=None, errors=user_errors(refusal, info.context))
    return MaintenancePayload(maintenance=Maintenance.of(state), errors=[])
