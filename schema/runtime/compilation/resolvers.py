"""How a field gets its value: an attribute of its object, a resolver called directly, or as Strawberry calls it."""

from collections.abc import Callable
from functools import partial
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLObjectType,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    is_leaf_type,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Undefined
from strawberry.extensions import FieldExtension
from strawberry.permission import PermissionExtension
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from schema.runtime.compilation.run import CONSTANTS, FieldPlan
from schema.runtime.compilation.selection import UnsupportedError
from schema.runtime.compilation.source import Source, is_attribute_name

EVENT = "source"  # the expression of a root field of a subscription: its event


class Resolvers:
    """The resolvers of a Strawberry schema."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema
        self._subscription = schema._schema.subscription_type  # Strawberry has no public name for the built schema

    def attribute(self, field: GraphQLField) -> str | None:
        """Return the attribute that a field reads; None if it has a resolver."""
        declared = declaration(field)
        is_attribute = declared.is_basic_field and getattr(field.resolve, "_is_default", False)
        if not is_attribute or declared.default_resolver is not getattr:
            return None
        if not is_attribute_name(declared.python_name):
            raise UnsupportedError(declared.python_name)
        return declared.python_name

    def call(self, source: Source, kind: GraphQLObjectType, name: str, plan: FieldPlan) -> str:
        """Return the expression that calls a field's resolver. `name`: of `plan`, in the module."""
        if kind is self._subscription:
            return EVENT
        field = plan.definition
        declared = plan.strawberry_field
        function = self._direct(plan)
        if function is None:
            resolve = source.bind(field.resolve, f"resolve_{name}")
            arguments = f", **run.arguments({name})" if field.args or plan.nodes[0].arguments else ""
            return f"{resolve}(source, run.info({name}, here){arguments})"
        given = self._given(declared, "source", f"ResolverInfo(run, {name}, here)")
        given += self._arguments(source, plan, name)
        return f"{source.bind(function, declared.python_name)}({', '.join(given)})"

    def prompt_call(self, source: Source, plan: FieldPlan, of: str) -> str | None:
        """Return the expression that calls the resolver of a field of the object `of`; None if it may wait.

        The root field of a subscription is its event, `of` itself.
        """
        if plan.parent_type is self._subscription:
            return of
        function = self._direct(plan)
        if function is None:
            return None
        if iscoroutinefunction(function) or isasyncgenfunction(function):
            return None
        name = source.bind(plan, f"{plan.parent_type.name}_{plan.nodes[0].name.value}")
        given = self._given(plan.strawberry_field, of, "run.context_info")
        given += self._arguments(source, plan, name)
        return f"{source.bind(function, plan.strawberry_field.python_name)}({', '.join(given)})"

    def _direct(self, plan: FieldPlan) -> Callable[..., Any] | None:
        """Return the function of a resolver that is called directly; None if Strawberry has to call it."""
        given_names = {one.name.value for one in plan.nodes[0].arguments or ()}
        passed = [one for name, one in plan.definition.args.items() if name in given_names or has_default(one)]
        return self._function(plan.strawberry_field) if all(_is_shared(one.type) for one in passed) else None

    def _function(self, declared: StrawberryField) -> Callable[..., Any] | None:
        """Return the function to call directly; None where Strawberry has something to do around it."""
        resolver = declared.base_resolver
        if resolver is None or not all(map(_is_open, declared.extensions)) or self._schema.exception_handlers:
            return None
        if self._schema.config.info_class is not Info:
            return None
        function = resolver.wrapped_func
        function = getattr(function, "__func__", function)
        return function if callable(function) else None

    @staticmethod
    def _given(declared: StrawberryField, source: str, info: str) -> list[str]:
        """Return the arguments that do not come from the document."""
        resolver = declared.base_resolver
        if resolver is None:
            raise UnsupportedError(declared.python_name)
        given = [source] if resolver.self_parameter else []
        given += [f"{one.name}={source}" for one in (resolver.parent_parameter, resolver.root_parameter) if one]
        if resolver.info_parameter:
            given.append(f"{resolver.info_parameter.name}={info}")
        return given

    def _arguments(self, source: Source, plan: FieldPlan, name: str) -> list[str]:
        """Return the document's arguments: constants where they have no variables."""
        declared, field = plan.strawberry_field, plan.definition
        if not field.args and not plan.nodes[0].arguments:
            return []
        convert = partial(
            convert_arguments,
            arguments=declared.arguments,
            scalar_registry=self._schema.schema_converter.scalar_registry,
            config=self._schema.config,
        )
        if not any(_has_variables(one.value) for one in plan.nodes[0].arguments or ()):
            try:
                constants = convert(get_argument_values(field, plan.nodes[0]))
            except GraphQLError:
                constants = None  # each object has the error
            if constants is not None and all(isinstance(one, CONSTANTS) for one in constants.values()):
                return [f"{key}={source.bind(one, f'{name}_{key}')}" for key, one in constants.items()]
        plan.convert = convert
        return [f"**run.arguments({name})"]


def declaration(field: GraphQLField) -> StrawberryField:
    """Return the declaration of a field. Raises UnsupportedError if it was not declared with Strawberry."""
    declared = field.extensions.get("strawberry-definition")
    if not isinstance(declared, StrawberryField):
        raise UnsupportedError("a field of another library")
    return declared


def _is_open(extension: FieldExtension) -> bool:
    """Return whether an extension only checks permissions that allow everything."""
    if not isinstance(extension, PermissionExtension):
        return False
    return all(getattr(one, "allows_everything", False) for one in extension.permissions)


def has_default(argument: GraphQLArgument) -> bool:
    """Return whether a resolver gets the argument although the document does not give it."""
    return argument.default is not None or argument.default_value is not Undefined


def _is_shared(kind: GraphQLInputType) -> bool:
    """Return whether all calls of a resolver can get the same value: not of lists and objects, which it may change."""
    return is_leaf_type(kind.of_type if isinstance(kind, GraphQLNonNull) else kind)


def _has_variables(value: ValueNode) -> bool:
    if isinstance(value, ListValueNode):
        return any(map(_has_variables, value.values))
    if isinstance(value, ObjectValueNode):
        return any(_has_variables(one.value) for one in value.fields)
    return isinstance(value, VariableNode)
