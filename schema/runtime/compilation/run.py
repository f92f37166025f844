"""What a generated function needs while it runs: errors with their paths, null propagation, and waiting.

The order of everything that can be observed is that of graphql-core's Executor: resolvers are called in the order of
the response, the awaitables of one selection or list are gathered together, and the first error of a place that cannot
be null ends its siblings. So data loaders get the same batches, and errors arrive in the same order.
"""

import enum
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import Any, TypeAlias

from graphql import (
    ExecutionResult,
    Executor,
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    located_error,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path, gather_with_cancel
from strawberry.execution import optimized_is_awaitable as is_awaitable
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from schema.runtime.compilation.executor import LazyExecutor

# A key of the response, with the path before it and the name of the object's type: as graphql-core's Path, but cheaper.
ResponsePath: TypeAlias = tuple[Any, str | int, str | None]
Complete: TypeAlias = Callable[["Run", Any, ResponsePath], Any]
Container: TypeAlias = dict[str, Any] | list[Any]


CONSTANTS = (str, int, float, bool, enum.Enum, datetime, type(None))  # which resolvers cannot change


class RerunError(Exception):
    """A value is not as the schema says. graphql-core executes the operation again, and reports where and why."""


@dataclass(eq=False, slots=True)
class FieldPlan:
    """A field of a selection that is more than an attribute of its object.

    `complete`: the generated function that makes the response of the resolver's value. `place`: the same for the same
    field of the same document, also once its operation is compiled again; nothing that is kept by it keeps the plan.
    """

    definition: GraphQLField
    nodes: list[FieldNode]
    parent_type: GraphQLObjectType
    is_nullable: bool
    convert: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    complete: Complete = field(init=False)
    place: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.place = id(self.nodes[0]), id(self.definition)

    @property
    def strawberry_field(self) -> StrawberryField:
        """The field's declaration."""
        found: StrawberryField = self.definition.extensions["strawberry-definition"]
        return found

    def null_error(self) -> TypeError:
        """Return the error of a null where none may be."""
        name = f"{self.parent_type}.{self.nodes[0].name.value}"
        return TypeError(f"Cannot return null for non-nullable field {name}.")


@dataclass(eq=False, slots=True)
class ItemPlan:
    """The items of a list whose responses are made by a function."""

    nodes: list[FieldNode]
    is_nullable: bool
    complete: Complete = field(init=False)


class Run:
    """One execution of a generated function. `executor`: has the context and the variables."""

    __slots__ = ("_arguments", "_created", "_nulled", "_shared", "context_info", "errors", "executor", "is_unsure")

    def __init__(self, executor: Executor[Any] | LazyExecutor) -> None:
        self.executor = executor
        self.context_info = ContextInfo(executor.context_value)
        self._shared = executor.arguments if isinstance(executor, LazyExecutor) else None
        self.errors: list[GraphQLError] = []
        self.is_unsure = False  # whether graphql-core has to execute the operation
        self._nulled: set[ResponsePath | None] = set()
        self._arguments: dict[FieldPlan, dict[str, Any]] = {}
        self._created: list[Any] = []  # coroutines, to be closed if an error leaves them behind

    def result(self, data: Any) -> ExecutionResult:
        """Return the response."""
        return ExecutionResult(data, self.errors or None)

    def failed(self, error: GraphQLError) -> ExecutionResult:
        """Return the response without data: an error reached the root."""
        self._add(error, None)
        return ExecutionResult(None, self.errors)

    def close(self) -> None:
        """Close the coroutines that were not started because of an error beside them."""
        for one in self._created:
            if type(one) is CoroutineType and getcoroutinestate(one) == CORO_CREATED:
                one.close()

    # Errors

    def fail(self, error: Exception, plan: FieldPlan | ItemPlan, path: ResponsePath) -> None:
        """Record the error of a place that may be null; raise it with its path from any other."""
        if isinstance(error, RerunError):
            self.is_unsure = True  # an error beside it could be raised instead
            raise error
        located = located_error(error, plan.nodes, keys(path))
        if not plan.is_nullable:
            raise located
        self._add(located, path)

    def _add(self, error: GraphQLError, path: ResponsePath | None) -> None:
        """Record an error, unless its place or one around it is already null because of another."""
        around = path
        while around is not None:
            if around in self._nulled:
                return
            around = around[0]
        if None not in self._nulled:
            self._nulled.add(path)
            self.errors.append(error)

    # Values

    def put(self, data: dict[str, Any], waiting: list[Any], key: str, plan: FieldPlan, path: ResponsePath) -> None:
        """Replace a resolver's value by its response. `waiting`: the keys whose response must be awaited."""
        value = data[key]
        if is_awaitable(value):
            data[key] = self.wait(value, plan, path)
            waiting.append(key)
            return
        data[key] = completed = self.complete(value, plan, path)
        if type(completed) is CoroutineType:
            waiting.append(key)

    def complete(self, value: Any, plan: FieldPlan | ItemPlan, path: ResponsePath) -> Any:
        """Return the response of a value, or a coroutine that does."""
        try:
            completed = plan.complete(self, value, path)
        except Exception as error:  # noqa: BLE001 - of any resolver
            return self.fail(error, plan, path)
        if plan.is_nullable and type(completed) is CoroutineType:
            return self._keep(self._guard(completed, plan, path))
        return completed

    def items(self, values: Iterable[Any], plan: ItemPlan, path: ResponsePath) -> Any:
        """Return the responses of a list's items, or a coroutine that does."""
        found: list[Any] = []
        waiting: list[Any] = []
        try:
            for index, value in enumerate(values):
                completed = self.complete(value, plan, (path, index, None))
                if type(completed) is CoroutineType:
                    waiting.append(index)
                found.append(completed)
        except Exception as error:
            self.abandon(error, found, waiting)
            raise
        return self.settle(found, waiting) if waiting else found

    # Waiting

    def wait(self, value: Any, plan: FieldPlan, path: ResponsePath) -> Coroutine[Any, Any, Any]:
        """Return a coroutine of the response of an awaitable value."""
        self._created.append(value)
        return self._keep(self._wait(value, plan, path))

    def settle(self, container: Container, waiting: list[Any]) -> Coroutine[Any, Any, Any]:
        """Return a coroutine of the object or list with everything awaited, together."""
        return self._keep(_settle(container, waiting))

    def abandon(self, error: Exception, container: Container, waiting: list[Any]) -> None:
        """Let what waits beside an error go on, as in graphql-core: its errors count until a place around is null."""
        if waiting and not isinstance(error, RerunError):
            self.executor.settle_in_background([container[key] for key in waiting])

    def _keep(self, made: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        self._created.append(made)
        return made

    async def _wait(self, value: Any, plan: FieldPlan, path: ResponsePath) -> Any:
        try:
            completed = plan.complete(self, await value, path)
            return await completed if type(completed) is CoroutineType else completed
        except Exception as error:  # noqa: BLE001 - of any resolver
            return self.fail(error, plan, path)

    async def _guard(self, completed: Any, plan: FieldPlan | ItemPlan, path: ResponsePath) -> Any:
        try:
            return await completed
        except Exception as error:  # noqa: BLE001 - of any resolver
            return self.fail(error, plan, path)

    # Arguments

    def arguments(self, plan: FieldPlan) -> dict[str, Any]:
        """Return a field's arguments, which are the same for all objects of a list."""
        shared = self._shared
        found = self._arguments.get(plan)
        if found is None and shared is not None:
            found = shared.get(plan.place)
        if found is None:
            executor = self.executor
            found = get_argument_values(
                plan.definition, plan.nodes[0], executor.variable_values, None, executor.hide_suggestions
            )
            self._arguments[plan] = found = plan.convert(found) if plan.convert else found
            if shared is not None and all(isinstance(value, CONSTANTS) for value in found.values()):
                shared[plan.place] = found
        return found

    def info(self, plan: FieldPlan, path: ResponsePath) -> GraphQLResolveInfo[Any]:
        """Return graphql-core's information for a resolver."""
        place = path_of(path)
        return self.executor.build_resolve_info(plan.definition, plan.nodes, plan.parent_type, place)


async def _settle(container: Any, waiting: list[Any]) -> Any:
    if len(waiting) == 1:
        key = waiting[0]
        container[key] = await container[key]
    else:
        found = await gather_with_cancel(*[container[key] for key in waiting])
        for key, value in zip(waiting, found, strict=True):
            container[key] = value
    return container


class ResolverInfo(Info[Any, Any]):
    """Strawberry's Info, which makes graphql-core's only for a resolver that uses it."""

    def __init__(self, run: Run, plan: FieldPlan, path: ResponsePath) -> None:
        self._run, self._plan, self._path = run, plan, path

    @property
    def context(self) -> Any:
        """The operation's context."""
        return self._run.executor.context_value

    @property
    def nodes(self) -> list[FieldNode]:
        """The field in the document, where it was selected several times: all of them."""
        return self._plan.nodes

    @cached_property
    def _raw_info(self) -> GraphQLResolveInfo[Any]:  # type: ignore[override]  # a field of Strawberry's class
        return self._run.info(self._plan, self._path)

    @property
    def _field(self) -> StrawberryField:  # type: ignore[override]  # a field of Strawberry's class
        return self._plan.strawberry_field


class ContextInfo(Info[Any, Any]):
    """Strawberry's Info of a resolver that is part of an expression, with nothing but the context.

    A resolver that needs more of it is called again, step by step, with a ResolverInfo.
    """

    __slots__ = ("context",)

    def __init__(self, context: Any) -> None:
        self.context = context  # type: ignore[misc]  # read from its slot, in the place of Strawberry's property

    @property
    def _raw_info(self) -> GraphQLResolveInfo[Any]:  # type: ignore[override]  # a field of Strawberry's class
        raise RerunError

    @property
    def _field(self) -> StrawberryField:  # type: ignore[override]  # a field of Strawberry's class
        raise RerunError


def keys(path: ResponsePath) -> list[str | int]:
    """Return the path of an error."""
    found: list[str | int] = []
    place: ResponsePath | None = path
    while place is not None:
        found.append(place[1])
        place = place[0]
    return found[::-1]


def path_of(path: ResponsePath) -> Path:
    """Return graphql-core's path."""
    around, key, typename = path
    return Path(path_of(around) if around is not None else None, key, typename)
