"""Acceptance of a request in one statement: the outcome of a transaction of several, and the account's limits."""

import asyncio
import logging
from typing import Any

import pytest

from models import CreditTransaction, Generation, IdempotencyKey, User
from models.database.connection import rows
from services.core.error import InsufficientCreditsError, StorageFullError
from services.generations import submission
from services.generations.specification import GenerationRequest, GenerationSpec
from services.generations.submission import SubmissionService
from tests.conftest import Running
from tests.support.integrity import adjust_credits, assert_invariants

_CREATE = """mutation($input: CreateGenerationInput!) { createGeneration(input: $input) {
    generations { status stage progress cost prompt queuePosition style { slug collection { slug } } original { url }
        result { url } isFavorite size quality refunded }
    viewer { credits } errors { __typename code message } } }"""
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
    style = await idle_server.api.style("enchanted-forest", "scenes")
    found = []
    for number, taken in enumerate((True, False)):
        if not taken:
            monkeypatch.setattr(submission, "accept", never)
        api = await idle_server.api.sign_up(f"user-{number}@example.com")
        answer = await api.execute(_CREATE, input={"styleId": style, **extra})
        await rows("UPDATE generations SET status = 'CANCELED', stage = 'CANCELED', completed_at = NOW() RETURNING id")
        found.append((answer, await state_of(str(api.user["id"]))))
    for answer, _ in found:
        assert len(answer["createGeneration"]["generations"]) == extra.get("count", 1)
        for one in answer["createGeneration"]["generations"]:
            one.pop("queuePosition")
    assert [{**row, "completed_at": None} for row in found[0][1][0]] == [
        {**row, "completed_at": None} for row in found[1][1][0]
    ]
    assert found[0][1][1:] == found[1][1][1:]
    assert found[0][0] == found[1][0]


@pytest.mark.postgres_only  # SQLite writes in transactions of several statements
async def test_common_request_is_accepted_in_one_writing_statement(
    idle_server: Running, caplog: pytest.LogCaptureFixture
) -> None:
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


# What happens to the account or the style between the check of a request and its acceptance, and the refusal.
_IN_BETWEEN = {
    "nothing": ("SELECT $1 || $2 AS none", None),
    "account deleted": ("UPDATE users SET deleted_at = NOW() WHERE id = $1 AND id <> $2 RETURNING id", "NOT_FOUND"),
    "credits spent": (
        "UPDATE users SET credits = 9, version = version + 1 WHERE id = $1 AND id <> $2 RETURNING id",
        "INSUFFICIENT_CREDITS",
    ),
    "account suspended": ("UPDATE users SET suspended_at = NOW() WHERE id = $1 AND id <> $2 RETURNING id", None),
    "style deleted": ("DELETE FROM styles WHERE id = $2 AND id <> $1 RETURNING id", "NOT_FOUND"),
    "key stored": (
        "INSERT INTO idempotency_keys (user_id, operation, key, input_hash, batch_id, created_at)"
        " VALUES ($1, 'createGeneration', 'key', $2, 'bat_0', NOW()) RETURNING key",
        "CONFLICT",
    ),
}


@pytest.mark.parametrize("change", list(_IN_BETWEEN))
async def test_change_between_check_and_acceptance_has_the_same_outcome_in_one_statement(
    idle_server: Running, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, (sql, refusal) = SubmissionService.submit, _IN_BETWEEN[change]

    async def change_and_submit(self: SubmissionService, user_id: str, spec: GenerationSpec, *rest: Any) -> Any:
        assert spec.style is not None
        await rows(sql, user_id, spec.style.id)
        return await submit(self, user_id, spec, *rest)

    monkeypatch.setattr(SubmissionService, "submit", change_and_submit)
    for number, slug in enumerate(("enchanted-forest", "future-city")):
        if number:
            monkeypatch.setattr(submission, "accept", never)
        api = await idle_server.api.sign_up(f"user-{number}@example.com")
        style, user_id = await idle_server.api.style(slug, "scenes"), str(api.user["id"])
        before = await state_of(user_id)
        body = (await api.raw(_CREATE, input={"styleId": style, "count": 2, "idempotencyKey": "key"})).json()
        codes = [error["extensions"]["code"] for error in body.get("errors") or []]
        if not codes:
            codes = [error["code"] for error in body["data"]["createGeneration"]["errors"]]
        assert codes == ([refusal] if refusal else [])
        _, lines, *_ = after = await state_of(user_id)
        assert [len(after[0]), len(lines)] == ([0, 1] if refusal else [2, 3])
        assert after[1] == before[1] or not refusal
    await IdempotencyKey.filter(batch_id="bat_0").delete()
    credits = idle_server.settings.signup_credits
    await rows("UPDATE users SET credits = $1 WHERE credits = 9 RETURNING id", credits)
    await rows("UPDATE users SET deleted_at = NULL RETURNING id")
    await assert_invariants(idle_server.services)
