"""No document costs much before it is refused or executed, whatever its shape."""

import cProfile
from typing import Any

import pytest
from graphql.language.parser import Parser
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types import ExecutionResult

from schema.root import schema
from schema.runtime.error_formatting import MAX_ERRORS
from services.core.error import UnavailableError
from services.operations.query_slots import QuerySlots
from tests.support.hostile_documents import LARGEST, Shape, shapes

# Calls of functions, which depend on no machine: 10,000 take about a millisecond. docs/security.md has the times.
MAX_CALLS = 400_000
MAX_MESSAGE = 500  # characters


class _Operations:
    def __init__(self) -> None:
        self.query_slots = QuerySlots()


class _OnlyOperations:
    """Services that refuse every resolver at once."""

    def __init__(self) -> None:
        self.operations = _Operations()

    def __getattr__(self, name: str) -> Any:
        raise UnavailableError


class NoServices:
    """The context of a signed-out caller where every resolver is refused at once."""

    viewer = None
    caller = "client:127.0.0.1"
    is_admin = False
    uses_api_key = False
    has_files = False
    allows_introspection = True

    def __init__(self) -> None:
        self.services = _OnlyOperations()

    async def authenticate(self) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        raise UnavailableError


async def executed(shape: Shape) -> ExecutionResult | None:
    """Execute a document without services; return None where it names no operation to execute."""
    name = "q0" if "query q0" in shape.query else None
    try:
        return await schema.execute(shape.query, shape.variables, NoServices(), operation_name=name)
    except CannotGetOperationTypeError:
        return None


def test_shapes_are_many_and_different() -> None:
    assert len({shape.query + str(shape.variables) for shape in shapes()}) > 350


@pytest.mark.parametrize("part", range(4))
async def test_hostile_document_causes_little_work_and_few_errors(part: int) -> None:
    calls, errors = {}, {}
    for shape in shapes(LARGEST)[part::4]:
        with cProfile.Profile() as profile:
            result = await executed(shape)
        calls[shape.name] = sum(entry.callcount for entry in profile.getstats())
        errors[shape.name] = (result.errors if result else None) or []
    assert {name: count for name, count in calls.items() if not 0 < count < MAX_CALLS} == {}
    for name, found in errors.items():
        assert len([error for error in found if error.path is None]) <= MAX_ERRORS, name
        assert not [error for error in found if len(error.message) > MAX_MESSAGE], name
        assert not [error for error in found if "Did you mean" in error.message], name


@pytest.mark.parametrize(("query", "times"), [("{ " + "__typename " * 400 + "(", 2), ("{ counted: __typename }", 1)])
async def test_syntax_error_is_parsed_once_and_a_document_cached(query: str, times: int) -> None:
    with cProfile.Profile() as profile:
        for _ in range(2):
            await executed(Shape("", query))
    assert [entry.callcount for entry in profile.getstats() if entry.code is Parser.parse_document.__code__] == [times]
