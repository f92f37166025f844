"""Events are executed by plans as graphql-core executes them, and one after another as each for itself."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from graphql import ExecutionResult

from models.enum import GenerationStage, GenerationStatus, MediaKind
from models.generation_row import GENERATIONS, GenerationRow
from schema.root import schema
from schema.runtime.access import Audience
from schema.runtime.context import Context
from schema.runtime.event_executor import EventExecutor, EventOperation
from schema.runtime.response_json import encode_json
from services.events.payload import ADDED_FIELDS, GENERATION_FIELDS, GENERATION_TIMES, apply_update
from tests.conftest import Running

DOCUMENTS = (
    "subscription { generationProgress(id: 1) { id status stage progress version attempts previewUrl updatedAt } }",
    "subscription ($no: Boolean = false) { g: generationProgress(id: 1) { ...F @skip(if: $no) message } }"
    " fragment F on Generation { __typename startedAt isFavorite shareUrl errorMessage }",
    "subscription { generationProgress(id: 1) { version queuePosition } }",
    "subscription { generationProgress(id: 1) { version progress } }",
)
MOMENT = "2026-01-01T00:00:00+00:00"
BASE = {
    "id": "gen_1", "user_id": "usr_1", "status": GenerationStatus.PENDING, "stage": GenerationStage.QUEUED,
    "progress": 0.0, "preview": None, "version": 1, "attempts": 0, "provider": None, "model": None,
    "is_favorite": False, "share_slug": None, "started_at": None, "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
    "error_code": None, "media": MediaKind.IMAGE, "is_loading": True, "enhanced_prompt": "A dog", "provider_path": [],
    "provider_cost": 0.5,
}  # fmt: skip
ALL_FIELDS = GENERATION_FIELDS + GENERATION_TIMES


@pytest.fixture
async def server(idle_server: Running) -> Running:
    """A server without a worker."""
    return idle_server


def change(version: int, progress: Any) -> dict[str, Any]:
    values = {"version": version, "status": "PROCESSING", "stage": "GENERATING", "progress": progress, "attempts": 1}
    others = dict.fromkeys(ALL_FIELDS)
    return {**others, **values, "is_favorite": True, "updated_at": MOMENT}


def rows() -> list[GenerationRow]:
    """Return states of a generation, one of which the schema does not allow."""
    found = [GENERATIONS.plain(BASE)]
    for version, progress in enumerate((0.25, 0.5, None, 0.75), 2):
        updated = apply_update(found[-1], change(version, progress))
        assert updated is not None
        found.append(updated)
    return found


async def executed(executor: EventExecutor) -> list[bytes]:
    """Return the responses of all states."""
    found = []
    for row in rows():
        result = executor.execute(row)
        if isinstance(result, Awaitable):
            result = await result
        if isinstance(result, ExecutionResult):
            errors = [error.formatted for error in result.errors or []]
            found.append(encode_json({"data": result.data, "errors": errors}))
        else:
            found.append(encode_json({"data": result, "errors": []}))
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_events_by_plan_are_those_of_graphql_core(server: Running, document: str) -> None:
    ada = await server.api.sign_up("ada@example.com")
    responses = []
    for compiles in (True, False):
        context = Context(
            server.services, token=ada.token, is_cookie=False, client="127.0.0.1", accept_language="en",
            is_socket=True, introspection=Audience.NONE, compiles_operations=compiles,
        )  # fmt: skip
        await context.authenticate()
        prepared = schema.documents.prepare(document, None)
        if compiles:
            schema.plans.compile(prepared.document, prepared.operation, {})
            assert prepared.operation is not None
            assert schema.plans.find(prepared.operation, {}) is not None
        responses.append(await executed(EventExecutor(EventOperation(schema, prepared, None, 1), context)))
    compiled, interpreted = responses
    assert compiled == interpreted
    assert orjson.loads(compiled[-1])["errors"] == [], "an event after one with an error has none"


@pytest.mark.parametrize(
    ("fields", "is_enough"),
    [
        ("id status stage progress version attempts isFavorite provider __typename", True),
        ("version updatedAt", False),
        ("version message", False),
        ("version prompt", False),
    ],
)
async def test_columns_of_a_message_are_enough_for_what_they_show(
    server: Running, fields: str, *, is_enough: bool
) -> None:
    ada = await server.api.sign_up("ada@example.com")
    context = Context(
        server.services, token=ada.token, is_cookie=False, client="127.0.0.1", accept_language="en",
        is_socket=True, introspection=Audience.NONE,
    )  # fmt: skip
    await context.authenticate()
    prepared = schema.documents.prepare(f"subscription {{ generationProgress(id: 1) {{ {fields} }} }}", None)
    schema.plans.compile(prepared.document, prepared.operation, {})
    executor = EventExecutor(EventOperation(schema, prepared, None, 1), context)
    columns = {**change(2, 0.5), "id": "gen_1"}
    found = executor.execute_columns(columns)
    assert (found is not None) is is_enough
    row = apply_update(rows()[0], columns)
    assert found in (None, executor.execute(row))
    assert executor.execute_columns({**columns, "progress": None}) is None, "which is an error"
    assert executor.execute_columns(columns) is None, "the events of this subscription take the row from now on"


def test_message_with_unknown_fields_changes_only_the_known_ones() -> None:
    (base, *_) = rows()
    for message in ({**change(2, 0.5), "prompt": "a dog"}, {**change(2, 0.5), "id": "gen_1"}):
        updated: Any = apply_update(base, message)
        assert updated.version == 2
        assert "prompt" not in updated
        assert updated.id == "gen_1"
        assert updated.updated_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", sorted(ADDED_FIELDS))
def test_message_of_an_earlier_release_lacks_what_was_added_since(name: str) -> None:
    (base, *_) = rows()
    message = change(2, 0.5)
    del message[name]
    updated: Any = apply_update(base, {**message, "new": 1})
    assert (updated.version, updated.progress) == (2, 0.5)
    assert getattr(updated, name) == (False if name == "is_loading" else getattr(base, name))


@pytest.mark.parametrize("name", [name for name in ALL_FIELDS if name not in ADDED_FIELDS])
def test_message_without_a_field_is_of_another_release(name: str) -> None:
    (base, *_) = rows()
    message = change(2, 0.5)
    del message[name]
    assert apply_update(base, message) is None
    assert apply_update(base, {**message, "new": 1}) is None


def test_message_whose_version_is_no_number_is_of_another_release() -> None:
    (base, *_) = rows()
    assert apply_update(base, {**change(2, 0.5), "version": "2"}) is None
