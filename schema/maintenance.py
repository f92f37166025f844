"""What an operator can switch off."""

import strawberry

from schema.error import UserError
from services.operations.maintenance import State


@strawberry.type(description="What is switched off for the whole deployment.")
class Maintenance:
    read_only: bool = strawberry.field(description="Every change by people is refused with UNAVAILABLE.")
    providers_off: list[str] = strawberry.field(
        description="Orders are refused with UNAVAILABLE, and what waits goes on waiting."
    )
    daily_spend_cap: float | None = strawberry.field(
        description="US dollars paid to providers in one UTC day, after which orders are refused with UNAVAILABLE."
    )
    spent_today: float = strawberry.field(description="US dollars, since midnight UTC.")

    @classmethod
    def of(cls, state: State) -> "Maintenance":
        return cls(
            read_only=state.read_only,
            providers_off=list(state.providers_off),
            daily_spend_cap=state.daily_spend_cap,
            spent_today=state.spent_today,
        )


@strawberry.input(description="What is left out stays as it is.")
class MaintenanceInput:
    read_only: bool | None = strawberry.UNSET
    providers_off: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="All that shall be off, by name; an empty list switches all on."
    )
    daily_spend_cap: float | None = strawberry.field(default=strawberry.UNSET, description="Null: no cap.")


@strawberry.type
class MaintenancePayload:
    maintenance: Maintenance | None
    errors: list[UserError]
