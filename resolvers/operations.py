"""Resolvers of operations: the admin entry point and maintenance."""

from schema.admin import Admin
from schema.deployment import Deployment
from schema.operations import Maintenance, MaintenanceInput, MaintenancePayload, ProviderSwitchInput
from schema.runtime.context import Info
from schema.runtime.input import changed
from services.operations.maintenance import MaintenanceChange, ProviderSwitch


def deployment(info: Info) -> Deployment:
    return Deployment.of(info.context)


async def admin() -> Admin:
    return Admin()


async def admin_set_maintenance(info: Info, input: MaintenanceInput, reason: str | None = None) -> MaintenancePayload:
    given = changed(input.provider)
    provider = ProviderSwitch(given.name, given.is_off) if isinstance(given, ProviderSwitchInput) else given
    change = MaintenanceChange(
        read_only=changed(input.read_only),
        providers_off=changed(input.providers_off),
        provider=provider,
        daily_spend_cap=changed(input.daily_spend_cap),
    )
    state = await info.context.services.operations.maintenance.set(info.context.require_viewer(), change, reason)
    return MaintenancePayload(maintenance=Maintenance.of(state))
