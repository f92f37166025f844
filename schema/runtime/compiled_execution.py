"""Which operations of this API are executed by their plans."""

from schema.runtime.compilation.executor import Executable, PlannedExecutor
from schema.runtime.compilation.plans import Plans


class DarkroomExecutor(PlannedExecutor):
    """Executes operations by their plans, unless the settings switch that off."""

    def find_plan(self) -> Executable | None:
        if not self.context_value.compiles_operations:
            return None
        plans: Plans = self.schema.extensions["strawberry-definition"].plans  # of DarkroomSchema
        return plans.find(self.operation, self.variable_values.coerced)
