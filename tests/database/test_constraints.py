"""What the tables refuse independently of the code: every check, unique and foreign key, and trigger, on both."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import ParamSpec

import pytest
from tortoise.exceptions import IntegrityError

from models.database.connection import open_database, rows, run_tx
from tests.support import factories
from tests.support.corpus.constraint_cases import (
    CHECKS,
    DANGLING_REFERENCES,
    DUPLICATES,
    credit_grant,
    ended,
    file,
    line,
    pending,
    style,
)
from tests.support.factories import NOW, Row, insert
from tests.support.sample_account import SampleAccount

P = ParamSpec("P")
NO_KEY = "foreign key constraint"
NOT_UNIQUE = "unique constraint"
DELETE_USER = "DELETE FROM users WHERE id = $1 RETURNING id"


class RolledBackError(Exception):
    """Rolls back a transaction that the database accepted."""


@pytest.fixture
async def account(database: str) -> AsyncIterator[SampleAccount]:
    async with open_database(database):
        yield await SampleAccount.create()


async def refusal(attempt: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> str:
    """Return the database's error for a statement, empty if it is accepted; the transaction is rolled back."""

    async def work() -> None:
        await attempt(*args, **kwargs)
        raise RolledBackError

    try:
        await run_tx(work)
    except IntegrityError as error:
        return str(error).lower()
    except RolledBackError:
        return ""
    raise AssertionError("neither refused nor rolled back")


async def test_valid_rows_are_accepted(account: SampleAccount) -> None:
    valid: list[tuple[str, Row]] = [
        ("users", factories.user(credits=-1, overdraft_allowed=True)),
        ("users", factories.user(role="SUPER_ADMIN")),
        ("collections", factories.collection(base_cost=0)),
        ("styles", style(account, cost=0)),
        ("styles", style(account, cost=None)),
        ("sessions", factories.session(account.user)),
        ("files", file(account)),
        ("idempotency_keys", factories.idempotency_key(account.user)),
        ("credit_transactions", line(account, type="ADMIN", amount=-1_000_000)),
        ("credit_transactions", line(account, type="DEDUCTION", amount=-1, generation_id=account.generation)),
        ("credit_transactions", line(account, type="REVERSAL", amount=-1)),
        ("generations", pending(account, status="PROCESSING", stage="STORING", lease_until=NOW)),
        ("generations", ended(account, "COMPLETED", result_id=account.result, progress=1.0)),
        ("generations", ended(account, "FAILED", error_code="GENERATION_FAILED")),
        ("generations", ended(account, "CANCELED")),
    ]
    refused = [(table, row, error) for table, row in valid if (error := await refusal(insert, table, row))]
    assert refused == []


async def test_each_check_refuses_its_violation(account: SampleAccount) -> None:
    for name, table, make in CHECKS:
        row = make(account)
        error = await refusal(insert, table, row)
        assert name in error, (name, row)


async def test_duplicates_of_unique_columns_are_refused(account: SampleAccount) -> None:
    async def twice(table: str, first: Row, second: Row) -> None:
        await insert(table, first)
        with pytest.raises(IntegrityError, match=f"(?i){NOT_UNIQUE}"):
            await run_tx(insert, table, second)

    for _, table, make in DUPLICATES:
        assert await refusal(twice, table, make(account, 21), make(account, 22)) == ""


async def test_references_to_missing_rows_are_refused(account: SampleAccount) -> None:
    for column, table, make in DANGLING_REFERENCES:
        assert NO_KEY in await refusal(insert, table, make(account)), (table, column)


async def test_the_cases_cover_every_constraint_of_the_database(account: SampleAccount, database: str) -> None:
    if database.startswith("sqlite"):
        found = await rows("SELECT sql FROM sqlite_master WHERE type = 'table' AND name <> 'aerich'")
        text = "\n".join(row["sql"] for row in found)
        checks = {word.strip('"') for word in text.split() if word.startswith('"ck_')}
        references = text.count("REFERENCES")
        uniques = await rows(
            "SELECT l.name FROM sqlite_master t JOIN pragma_index_list(t.name) l"
            " WHERE t.type = 'table' AND l.\"unique\" AND l.origin <> 'pk'"
        )
    else:
        found = await rows(
            "SELECT conname AS name, contype::text AS type FROM pg_constraint "
            " WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace"
        )
        checks = {row["name"] for row in found if row["type"] == "c"}
        references = sum(row["type"] == "f" for row in found)
        uniques = await rows(
            "SELECT indexrelid FROM pg_index JOIN pg_class t ON t.oid = indrelid"
            " WHERE indisunique AND NOT indisprimary AND t.relnamespace = 'public'::regnamespace"
        )
    assert checks == {name for name, _, _ in CHECKS}
    assert (references, len(uniques)) == (len(DANGLING_REFERENCES), len(DUPLICATES))


async def test_the_ledger_is_append_only(account: SampleAccount) -> None:
    written = await insert("credit_transactions", line(account))
    for sql in (
        "UPDATE credit_transactions SET amount = 2 WHERE id = $1 RETURNING id",
        "UPDATE credit_transactions SET metadata = NULL WHERE id = $1 RETURNING id",
        "DELETE FROM credit_transactions WHERE id = $1 RETURNING id",
    ):
        assert "on credit_transactions is not allowed" in await refusal(rows, sql, written["id"])
    assert (await rows("SELECT amount FROM credit_transactions WHERE id = $1", written["id"]))[0]["amount"] == 1


async def test_the_audit_log_is_append_only(account: SampleAccount) -> None:
    written = await insert("audit_entries", factories.audit_entry(target=account.user))
    for sql in (
        "UPDATE audit_entries SET target = NULL WHERE id = $1 RETURNING id",
        "UPDATE audit_entries SET detail = '{}' WHERE id = $1 RETURNING id",
        "DELETE FROM audit_entries WHERE id = $1 RETURNING id",
    ):
        assert "on audit_entries is not allowed" in await refusal(rows, sql, written["id"])
    assert (await rows("SELECT target FROM audit_entries"))[0]["target"] == account.user


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELED"])
async def test_a_final_status_cannot_change(account: SampleAccount, status: str) -> None:
    more = {"COMPLETED": {"result_id": account.result}, "FAILED": {"error_code": "INTERNAL"}, "CANCELED": {}}[status]
    row = await insert("generations", ended(account, status, **more))
    changes = "status = 'PENDING', stage = 'QUEUED', completed_at = NULL, result_id = NULL, error_code = NULL"
    sql = f"UPDATE generations SET {changes} WHERE id = $1 RETURNING id"  # noqa: S608 - a constant
    assert "on generations is not allowed" in await refusal(rows, sql, row["id"])
    assert await rows("UPDATE generations SET refunded = $2 WHERE id = $1 RETURNING id", row["id"], True)


async def test_an_account_with_a_history_cannot_be_deleted(account: SampleAccount) -> None:
    histories: list[tuple[str, Callable[[str], Row]]] = [
        ("credit_transactions", lambda user: factories.ledger_line(user, 1)),
        ("credit_grants", lambda user: credit_grant(user)),
        ("files", lambda user: factories.file(user)),
        ("generations", lambda user: factories.generation(user)),
    ]
    for table, make in histories:
        owner = (await insert("users", factories.user()))["id"]
        await insert(table, make(owner))
        assert NO_KEY in await refusal(rows, DELETE_USER, owner), table


async def test_deleting_an_account_deletes_its_sessions_and_keys(account: SampleAccount) -> None:
    owner = (await insert("users", factories.user()))["id"]
    await insert("sessions", factories.session(owner))
    await insert("idempotency_keys", factories.idempotency_key(owner))
    await rows(DELETE_USER, owner)
    assert await rows("SELECT id FROM sessions WHERE user_id = $1", owner) == []
    assert await rows("SELECT id FROM idempotency_keys WHERE user_id = $1", owner) == []


async def test_a_generation_survives_its_style_and_protects_its_files(account: SampleAccount) -> None:
    await insert("generations", ended(account, "COMPLETED", result_id=account.result))
    for picture in (account.original, account.result):
        assert NO_KEY in await refusal(rows, "DELETE FROM files WHERE id = $1 RETURNING id", picture)
    assert NO_KEY in await refusal(rows, "DELETE FROM collections WHERE id = $1 RETURNING id", account.collection)
    await rows("DELETE FROM styles WHERE id = $1 RETURNING id", account.style)
    (kept,) = await rows("SELECT style_id, style_slug FROM generations WHERE id = $1", account.generation)
    assert kept == {"style_id": None, "style_slug": "cute"}
