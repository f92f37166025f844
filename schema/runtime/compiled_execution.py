"""Which operations of this API are executed by their plans, and with what."""

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from strawberry import Schema
from strawberry.execution import optimized_is_awaitable

from schema.runtime import loaded
from schema.runtime.compilation.executor import Executable, LazyExecutor, PlannedExecutor
from schema.runtime.compilation.plans import Plans
from schema.runtime.context import Context
from schema.runtime.document import KnownVariables, PreparedOperation


class DarkroomExecutor(PlannedExecutor):
    """Executes operations by their plans, unless the settings switch that off."""

    def execute_operation(self, serially: bool | None = None) -> Any:
        loaded.begin()
        return super().execute_operation(serially)

    def interpret(self, serially: bool | None = None) -> Any:
        loaded.begin()  # also where a plan has begun before
        return super().interpret(serially)

    def find_plan(self) -> Executable | None:
        if not self.context_value.compiles_operations:
            return None
        plans: Plans = self.schema.extensions["strawberry-definition"].plans  # of DarkroomSchema
        return plans.find(self.operation, self.variable_values.coerced)


def lazy_executor(
    schema: Schema,
    prepared: PreparedOperation,
    context: Context,
    variables: Mapping[str, Any] | None,
    known: KnownVariables | None = None,
    extensions: dict[str, Any] | None = None,
) -> LazyExecutor | None:
    """Return what an operation's plan is executed with; None: the variables are invalid.

    `known`: what is known for the variables, if it was found before.
    """
    coerced = prepared.coerce(schema._schema, variables, known)
    if coerced is None:
        return None
    build = partial(build_executor, schema, prepared, context, variables, extensions)
    return LazyExecutor(build, context, coerced.values, coerced.arguments)


def build_executor(
    schema: Schema,
    prepared: PreparedOperation,
    context: Context,
    variables: Mapping[str, Any] | None,
    extensions: dict[str, Any] | None = None,
) -> PlannedExecutor:
    """Return graphql-core's executor of an operation.

    Raises:
        ValueError: the variables are invalid, which the operation's preparation would have found.
    """
    built = schema.execution_context_class.build(
        schema._schema,
        prepared.document,
        context_value=context,
        raw_variable_values=dict(variables or {}),
        operation_name=prepared.name,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # its annotation lacks the TypeGuard
        hide_suggestions=True,
        operation_extensions=extensions,
    )
    if isinstance(built, list):
        raise ValueError("The variables are not valid any more.")
    return cast(PlannedExecutor, built)
