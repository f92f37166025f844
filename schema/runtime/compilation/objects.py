"""Which objects a selection accepts, and the type of an object where the schema has an interface or a union."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from graphql import GraphQLAbstractType, GraphQLObjectType
from graphql.pyutils import Undefined, is_iterable
from strawberry.execution import optimized_is_awaitable as is_awaitable
from strawberry.types.base import StrawberryObjectDefinition

from models.database.fixed_sql import Column, Row
from schema.runtime.compilation.run import FieldPlan, RerunError, ResponsePath, Run
from schema.runtime.compilation.selection import UnsupportedError

ObjectFunction = Callable[[Run, Any, ResponsePath | None], Any]


class KnownClasses(set[type]):
    """The classes of a type's objects. The first of each is checked as graphql-core checks every object."""

    def __init__(self, kind: GraphQLObjectType) -> None:
        super().__init__()
        self._kind = kind
        definition = definition_of(kind)
        self.origin: type = definition.origin
        self.is_generic = definition.concrete_of is not None  # then several types have this origin
        # Of an `is_type_of` that the type's class defines itself, only those classes are sure that it names.
        self._is_declared = definition.is_type_of is not None
        self._declared: frozenset[type] = getattr(kind.is_type_of, "classes", frozenset())

    def check(self, value: Any) -> bool:
        """Return True.

        Raises:
            RerunError: the value is not an object of this type. An exception is raised itself.
        """
        if isinstance(value, Exception):
            raise value
        if value is None or value is Undefined or is_awaitable(value):
            raise RerunError
        if not self._is_accepted(value):
            raise RerunError
        if not self._is_declared or type(value) in self._declared:
            self.add(type(value))
        return True

    def _is_accepted(self, value: Any) -> bool:
        if self._kind.is_type_of is None:
            return True
        try:
            found = self._kind.is_type_of(value, None)  # type: ignore[arg-type]  # the few that need it raise
        except Exception as error:
            raise RerunError from error
        return found is True


class AbstractPlan(dict[type, ObjectFunction]):
    """The function of each class of objects that an interface or a union can have at this place.

    `functions`: by the name of the object type.
    """

    def __init__(self, kind: GraphQLAbstractType, functions: dict[str, tuple[KnownClasses, ObjectFunction]]) -> None:
        super().__init__()
        self._kind, self._functions = kind, functions

    def find(self, run: Run, value: Any, plan: FieldPlan, path: ResponsePath) -> ObjectFunction:
        """Return the function of an object of a class that is seen for the first time here.

        Raises:
            RerunError: the value is none of the possible objects. An exception is raised itself.
        """
        if isinstance(value, Exception):
            raise value
        if value is Undefined or is_awaitable(value) or self._kind.resolve_type is None:
            raise RerunError
        of_field = path
        while isinstance(of_field[1], int):
            of_field = of_field[0]
        name = self._kind.resolve_type(value, run.info(plan, of_field), self._kind)
        found = self._functions.get(name) if isinstance(name, str) else None
        if found is None:
            raise RerunError
        classes, function = found
        classes.check(value)
        if type(value) is classes.origin and not classes.is_generic:
            self[type(value)] = function
        return function


def check_list(value: Any) -> bool:
    """Return True. Raises RerunError if the value is no list."""
    if not is_iterable(value):
        raise RerunError
    return True


def unexpected() -> bool:
    """Raise RerunError: the value is none that an expression is for."""
    raise RerunError


class Rows(NamedTuple):
    """The rows that are objects of a type. `attributes`, `shared`: what its resolvers return, see SourceClasses."""

    classes: frozenset[type]
    columns: Mapping[str, Column]  # by attribute
    attributes: tuple[str, ...]
    shared: Mapping[str, str]


def rows_of(kind: GraphQLObjectType) -> Rows | None:
    """Return the rows that are objects of a type; None: none are."""
    declared: Any = kind.is_type_of
    rows: list[type[Row]] = [one for one in getattr(declared, "classes", ()) if issubclass(one, Row)]
    if not rows or any(one.columns is not rows[0].columns for one in rows):
        return None
    return Rows(frozenset(rows), rows[0].columns, declared.attributes, declared.shared)


def definition_of(kind: GraphQLObjectType) -> StrawberryObjectDefinition:
    """Return the declaration of a type. Raises UnsupportedError if it was not declared with Strawberry."""
    definition = kind.extensions.get("strawberry-definition")
    if not isinstance(definition, StrawberryObjectDefinition):
        raise UnsupportedError(f"{kind.name} has no Python class")
    return definition
