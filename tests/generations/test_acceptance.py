"""Acceptance of a request in one statement: the outcome of a transaction of several, and the account's limits."""

import asyncio
import logging
from typing import Any

import pytest

from models import CreditTransaction, Generation, IdempotencyKey, User
from models.database.connection import is_postgres, rows
from services.core.error import InsufficientCreditsError, StorageFullError
from services.generations import submission
from services.generations.specification import GenerationRequest
from tests.conftest import Running
from tests.support.integrity import adjust_credits, assert_invariants

_CREATE = """mutation($input: CreateGenerationInput!) { createGeneration(input: $input) {
    generations { status stage progress cost prompt queuePosition style { slug collection { slug } } original { url }
        result { url } isFavorite size quality refunded }
    viewer { credits } errors { __typename message } } }"""
_OWN = {"id", "batch_id", "created_at", "updated_at", "search_text"}  # of each row


async def never(*_: Any) -> None:
    """Accept nothing in one statement."""
    return


async def state_of(user_id: str) -> list[Any]:
    generations = await Generation.filter(user_id=user_id).order_by("id")
    lines = await CreditTransaction.filter(user_id=user_id).order_by("sequence")
    user, names = await User.get(id=user_id), set(Generation._meta.fields_db_projection) - _OWN - {"user_id"}
    return [
        [{name: getattr(row, name) for name in names} for row in generations],
        [(line.sequence, line.type, line.status, line.amount, line.balance, line.account_version) for line in lines],
        [generations.index(row) for line in lines for row in generations if line.generation_id == row.id],
        [line.reference.partition(":")[0] for line in lines],
        (user.credits, user.version, user.ledger_sequence, user.overdraft_allowed),
        await IdempotencyKey.filter(user_id=user_id).count(),
    ]


@pytest.mark.parametrize("extra", [{}, {"count": 3}, {"idempotencyKey": "one"}, {"count": 2, "idempotencyKey": "two"}])
async def test_one_statement_leaves_what_a_transaction_of_several_leaves(
    idle_server: Running, extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    style = await idle_server.api.style("noir", "avenger")
    found = []
    for number, taken in enumerate((True, False)):
        if not taken:
            monkeypatch.setattr(submission, "accept", never)
        api = await idle_server.api.sign_up(f"user-{number}@example.com")
        answer = await api.execute(_CREATE, input={"styleId": style, "prompt": "A red boat", **extra})
        await rows("UPDATE generations SET status = 'CANCELED', stage = 'CANCELED', completed_at = NOW() RETURNING id")
        found.append((answer, await state_of(str(api.user["id"]))))
    for answer, _ in found:
        for one in answer["createGeneration"]["generations"]:
            one.pop("queuePosition")
    assert [{**row, "completed_at": None} for row in found[0][1][0]] == [
        {**row, "completed_at": None} for row in found[1][1][0]
    ]
    assert found[0][1][1:] == found[1][1][1:]
    assert found[0][0] == found[1][0]


async def test_common_request_is_accepted_in_one_writing_statement(
    idle_server: Running, caplog: pytest.LogCaptureFixture, database: str
) -> None:
    if not is_postgres(database):
        pytest.skip("SQLite writes in transactions of several statements")
    ada = await idle_server.api.sign_up()
    with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
        await ada.create(prompt="A red boat")
    statements = [str(each.args[0]) for each in caplog.records if isinstance(each.args, tuple) and each.args]
    written = [sql for sql in statements if "INSERT INTO" in sql or "UPDATE" in sql]
    assert len([sql for sql in written if "generations" in sql or "credit" in sql]) == 1  # others are of the sign-up
    before = [sql for sql in statements[: statements.index(written[-1])] if "styles" in sql or "passes" in sql]
    assert len(before) == 1  # style, pass and what the account stores are read together
    assert "used_bytes" in before[0]


async def test_concurrent_requests_never_exceed_the_credits_or_the_kept_generations(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    requests = idle_server.services.generations.requests
    user = await User.get(id=str(ada.user["id"]))
    quota = idle_server.services.media.quota
    await adjust_credits(user.id, 7 - user.credits, "seven")
    user = await User.get(id=user.id)

    async def outcomes(count: int) -> list[Any]:
        request = GenerationRequest(prompt="A red boat")
        return await asyncio.gather(*(requests.create(user, request) for _ in range(count)), return_exceptions=True)

    found = await outcomes(12)
    accepted = [each for each in found if isinstance(each, list)]
    cost = accepted[0][0].cost
    assert len(accepted) == 7 // cost
    assert {type(each) for each in found if not isinstance(each, list)} == {InsufficientCreditsError}
    await adjust_credits(user.id, 100, "many")
    user = await User.get(id=user.id)
    quota.max_generations = len(accepted) + 3
    found = await outcomes(8)
    assert len([each for each in found if isinstance(each, list)]) == 3
    assert {type(each) for each in found if not isinstance(each, list)} == {StorageFullError}
    await assert_invariants(idle_server.services)
