"""The integrity audit: each invariant is violated in a transaction that is then rolled back, and is reported."""

from collections.abc import Awaitable, Callable, Iterator

import pytest

from models import Generation, Plan, Purchase, User
from models.database.connection import dialect, rows, run_tx
from services.billing import passes
from services.billing.admin_adjustment import AdjustmentRequest
from services.billing.admin_grant import PassRequest
from services.integrations.storage.protocol import StorageError
from services.operations.integrity_audit import IntegrityAudit
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.development_checkout import buy
from tests.support.fakes.polar_wire import event, refund
from tests.support.gallery_pages import ids
from tests.support.integrity import make_admin
from tests.support.named_lists import add_tags, new_album


def deleted(**kept: str) -> str:
    """Return SQL that soft-deletes the generations, except for these columns."""
    empty = {"prompt": "NULL", "full_prompt": "''", "search_text": "''", "variables": "'{}'", "style_title": "'{}'"}
    columns = {"deleted_at": "completed_at", "result_id": "NULL", "original_id": "NULL", **empty, **kept}
    return "UPDATE generations SET " + ", ".join(f"{name} = {value}" for name, value in columns.items())  # noqa: S608 - constants


def deleted_account(**kept: str) -> str:
    """Return SQL that deletes the accounts, except for these columns."""
    columns = {"deleted_at": "created_at", "email": "id || '@deleted.invalid'", "password_hash": "''", **kept}
    return "UPDATE users SET " + ", ".join(f"{name} = {value}" for name, value in columns.items())  # noqa: S608 - constants


# Corruptions of the database of one account with one completed generation, and all invariants that each violates.
CORRUPTIONS = [
    ("UPDATE users SET credits = credits + 1", {"M1", "M6"}),
    ("UPDATE users SET credits = -1, overdraft_allowed = (1 = 1)", {"M1", "M6"}),
    ("UPDATE users SET ledger_sequence = ledger_sequence + 1", {"M6"}),
    ("UPDATE users SET has_grants = (1 = 1)", {"M9"}),
    (
        "INSERT INTO credit_grants (id, user_id, type, amount, remaining, expires_at)"
        " SELECT id, user_id, type, amount, 1, created_at FROM credit_transactions WHERE type = 'BONUS'",
        {"M9", "M10"},  # it has expired, and the account is said to have none
    ),
    ("UPDATE generations SET cost = cost + 1", {"M3"}),
    ("UPDATE generations SET paid_by = 'PLAN'", {"M3"}),
    ("UPDATE generations SET refunded = (1 = 1)", {"M4"}),
    ("UPDATE generations SET size_refund = 1", {"M5"}),
    ("""UPDATE generations SET lower_costs = '{"STANDARD": 0}', delivered_quality = 'STANDARD'""", {"M5"}),
    ("UPDATE generations SET attempts = 4", {"G5"}),
    ("UPDATE generations SET provider_calls = 16", {"G5"}),
    ("UPDATE generations SET provider_called_at = NULL", {"G5"}),
    ("UPDATE generations SET result_id = original_id", {"G7", "B1"}),
    ("UPDATE files SET state = 'DELETING' WHERE kind = 'ORIGINAL'", {"G7", "B3"}),
    ("UPDATE files SET state = 'PENDING' WHERE kind = 'RESULT'", {"G7", "B3"}),
    ("UPDATE generations SET original_id = NULL", {"B1"}),
    ("UPDATE generations SET original_removed_at = created_at", {"G7"}),
    ("UPDATE files SET kind = 'RESULT'", {"G7", "B1", "B2"}),
    (deleted(), {"B1"}),  # its files stay LIVE
    (deleted(original_id="original_id"), {"G8", "B1"}),
    (deleted(prompt="'A fox'"), {"G8", "B1"}),
    (deleted(full_prompt="'A fox'"), {"G8", "B1"}),
    (deleted(search_text="'a fox'"), {"G8", "B1"}),
    (deleted(variables='\'{"a": "fox"}\''), {"G8", "B1"}),
    (deleted(style_title='\'{"en": "Fox"}\''), {"G8", "B1"}),
    (deleted(earlier_prompts="'[\"A fox\"]'"), {"G8", "B1"}),
    (deleted(is_favorite="(1 = 1)"), {"G8", "B1"}),
    (deleted(share_slug="'a-fox'", shared_at="created_at"), {"G8", "B1"}),
    (deleted_account(), {"U1"}),  # its session and generations remain
    (deleted_account(name="'Ada'"), {"U1"}),
    (deleted_account(merged_into_id="id"), {"U1", "U2"}),
    ("UPDATE files SET folder_id = 'usr_1' WHERE kind = 'RESULT'", {"B1", "B2"}),
    (
        "INSERT INTO uploads (id, owner_id, content_type, byte_size, created_at)"
        " SELECT 'upl_1', id, 'image/png', 1, created_at FROM users LIMIT 1",
        {"B3"},
    ),
    (
        "INSERT INTO webhook_events (type, user_id, subject_id, created_at)"
        " SELECT 'credits.low', id, id, created_at FROM users LIMIT 1",
        {"W1"},
    ),
]
# The same for a generation that is in an album and has a tag.
LIST_DAMAGE = [
    ("UPDATE albums SET size = 2", {"L1"}),
    ("UPDATE tags SET size = 0", {"L2"}),
    ("UPDATE album_entries SET is_favorite = (1 = 1)", {"L1"}),
    ("UPDATE tag_entries SET is_favorite = (1 = 1)", {"L2"}),
]
# The same for an account with a partly refunded credit package and a monthly plan.
PURCHASE_DAMAGE = [
    ("UPDATE purchases SET credits = credits + 1 WHERE plan_id IS NULL", {"M7"}),
    ("UPDATE purchases SET reversed_credits = reversed_credits + 1 WHERE plan_id IS NULL", {"M7"}),
    ("UPDATE purchases SET status = 'PARKED' WHERE plan_id IS NULL", {"M7"}),
    ("UPDATE purchases SET order_id = 'another' WHERE plan_id IS NULL", {"M7"}),
    ("UPDATE purchases SET is_paid = (1 = 0) WHERE plan_id IS NOT NULL", {"M7"}),
    ("UPDATE users SET member_until = NULL", {"E1"}),
    ("UPDATE users SET plan_id = NULL, member_until = NULL", {"E1"}),
    ("UPDATE users SET plan_id = (SELECT id FROM plans WHERE slug = 'pro')", {"E1"}),
    ("UPDATE users SET member_until = created_at", {"E1"}),
    ("UPDATE memberships SET status = 'ENDED'", {"E1"}),
    ("UPDATE memberships SET ends_at = renews_at", {"E1"}),
]
# Ledger lines that the application never writes: type, amount, balance after it, reference.
LINES = [
    ("'DEDUCTION', -40, -11, 'deduct:' || g.id || '!'", {"M1", "M2", "M3", "M6"}),
    ("'REFUND', 1, 30, 'refund:' || g.id", {"M1", "M4", "M6"}),
    ("'REFUND', 1, 30, 'refund-size:' || g.id", {"M1", "M5", "M6"}),
    ("'BONUS', 5, 35, 'gift'", {"M1", "M6"}),
    ("'ADMIN', 5, 35, 'admin:unknown'", {"M1", "M6", "M8"}),
    ("'EXPIRY', -5, 25, 'expire:txn_2'", {"M1", "M6"}),
    ("'TRANSFER', 5, 35, 'merge:' || g.user_id || ':to'", {"M1", "M6", "U2"}),
]


class RolledBackError(Exception):
    """Rolls a transaction back."""


@pytest.fixture
async def audit(server: Running, ada: Api) -> IntegrityAudit:
    """An audit without grace periods, of one account with one completed generation from a photo."""
    (made,) = (await ada.create(photo(), styleId=await ada.style("cute", "plushify")))["generations"]
    assert (await ada.wait_for_end(made["id"]))["status"] == "COMPLETED"
    return IntegrityAudit(
        server.services.integrations.storage.keys, generation_seconds=0, file_seconds=0, upload_seconds=0
    )


def listing(keys: list[str]) -> Callable[[], Awaitable[set[str]]]:
    """Return a listing of the storage with these keys."""

    async def listed() -> set[str]:
        return set(keys)

    return listed


async def unlock_audit_log() -> None:
    """Disable the triggers that refuse changes, until the transaction is rolled back."""
    if dialect() == "postgres":
        await rows("ALTER TABLE audit_entries DISABLE TRIGGER USER")
        return
    for trigger in await rows("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entries'"):
        await rows(f"DROP TRIGGER {trigger['name']}")


async def violated_by(audit: IntegrityAudit, statement: str) -> set[str]:
    found: set[str] = set()

    async def work() -> None:
        await rows("DROP INDEX ux_credit_transactions_deduction")  # it refuses a second deduction
        await unlock_audit_log()
        await rows(statement)
        found.update(result.name for result in await audit.run() if result.violations)
        raise RolledBackError

    with pytest.raises(RolledBackError):
        await run_tx(work)
    return found


async def test_each_corruption_violates_exactly_the_expected_invariants(audit: IntegrityAudit) -> None:
    assert [result.name for result in await audit.run() if result.violations] == []
    for statement, expected in CORRUPTIONS:
        assert (statement, await violated_by(audit, statement)) == (statement, expected)
    for values, expected in LINES:
        statement = (
            "INSERT INTO credit_transactions"  # noqa: S608 - constants
            " (id, user_id, generation_id, sequence, status, account_version, created_at,"
            " type, amount, balance, reference)"
            f" SELECT 'txn_1', g.user_id, g.id, 3, 'COMPLETED', 9, g.created_at, {values} FROM generations g"
        )
        assert (values, await violated_by(audit, statement)) == (values, expected)


async def test_corrupted_albums_and_tags_violate_exactly_the_expected_invariants(
    audit: IntegrityAudit, ada: Api
) -> None:
    made = await ids(ada)
    await new_album(ada, generations=made)
    await add_tags(ada, made, "red")
    assert [result.name for result in await audit.run() if result.violations] == []
    for statement, expected in LIST_DAMAGE:
        assert (statement, await violated_by(audit, statement)) == (statement, expected)


async def test_corrupted_purchases_violate_exactly_the_expected_invariants(server: Running, ada: Api) -> None:
    await buy(ada, package="credits-50")
    await buy(ada, plan="basic")
    (bought,) = await Purchase.filter(plan_id=None)
    webhooks = server.services.payments.webhooks
    stored = await webhooks.receive("a-refund", event("refund.updated", refund(bought.order_id, 100)))
    assert stored is not None
    assert await webhooks.handle(stored)
    audit = IntegrityAudit(
        server.services.integrations.storage.keys, generation_seconds=0, file_seconds=0, upload_seconds=0
    )
    assert [result.name for result in await audit.run() if result.violations] == []
    for statement, expected in PURCHASE_DAMAGE:
        assert (statement, await violated_by(audit, statement)) == (statement, expected)


async def test_an_object_without_a_row_and_a_row_without_its_object_are_reported(
    server: Running, audit: IntegrityAudit
) -> None:
    keys = sorted(await server.services.integrations.storage.keys())
    assert len(keys) == 5  # two pictures with a thumbnail each, and one more of the wider one
    folder, _, name = keys[0].rpartition("/")
    leftover = f"{folder}/.{name}.1f2e3d4c"
    for listed, expected in (
        ([*keys, "originals/unknown/fil_1"], {"B1": ("originals/unknown/fil_1",)}),
        ([*keys, leftover], {"B1": (leftover,)}),
        (keys[1:], {"B2": (name,)}),
    ):
        results = await IntegrityAudit(listing(listed), generation_seconds=0, file_seconds=0, upload_seconds=0).run()
        assert {result.name: result.violations for result in results if result.violations} == expected


async def test_changes_of_the_storage_between_its_two_listings_are_no_violations(
    server: Running, audit: IntegrityAudit
) -> None:
    keys = sorted(await server.services.integrations.storage.keys())
    removed = "originals/unknown/fil_1"
    for listings in (([], keys), ([*keys, removed], keys), (keys[1:], keys)):
        remaining = iter(listings)

        async def list_storage(remaining: Iterator[list[str]] = remaining) -> set[str]:
            return set(next(remaining))

        found = await IntegrityAudit(list_storage, generation_seconds=0, file_seconds=0, upload_seconds=0).run()
        assert [result for result in found if result.violations] == []


async def test_storage_without_differences_is_listed_once(server: Running, audit: IntegrityAudit) -> None:
    keys = await server.services.integrations.storage.keys()
    listings = iter([keys])  # a second listing raises StopIteration

    async def list_storage() -> set[str]:
        return set(next(listings))

    found = await IntegrityAudit(list_storage, generation_seconds=0, file_seconds=0, upload_seconds=0).run()
    assert [result for result in found if result.violations] == []


async def test_a_lost_bucket_with_more_files_than_query_parameters_is_reported(
    audit: IntegrityAudit,
) -> None:
    many = 33_000  # PostgreSQL accepts 32,767 parameters
    missing: tuple[str, ...] = ()

    async def work() -> None:
        nonlocal missing
        await rows(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)"
            " INSERT INTO files (id, owner_id, kind, state, content_type, byte_size, width, height, sha256,"
            " placeholder, created_at, updated_at)"
            " SELECT 'fil_' || n.i, f.owner_id, f.kind, 'LIVE', f.content_type, 1, 1, 1, '', '', f.created_at,"
            " f.updated_at FROM n, (SELECT * FROM files LIMIT 1) AS f",
            many,
        )
        found = await IntegrityAudit(listing([]), generation_seconds=0, file_seconds=0, upload_seconds=0).run()
        (missing,) = [result.violations for result in found if result.name == "B2"]
        raise RolledBackError

    with pytest.raises(RolledBackError):
        await run_tx(work)
    assert len(missing) == many + 2


async def test_a_leftover_of_an_interrupted_write_is_no_orphan_while_its_row_exists(
    server: Running, audit: IntegrityAudit
) -> None:
    keys = sorted(await server.services.integrations.storage.keys())
    folder, _, name = keys[0].rpartition("/")

    async def work() -> None:
        await rows("UPDATE files SET state = 'PENDING' WHERE id = $1 RETURNING id", name)
        listed = [*keys, f"{folder}/.{name}.1f2e3d4c"]
        found = await IntegrityAudit(listing(listed), generation_seconds=0, file_seconds=9, upload_seconds=9).run()
        results = {result.name: result.violations for result in found}
        assert results["B1"] == ()
        raise RolledBackError

    with pytest.raises(RolledBackError):
        await run_tx(work)


async def test_an_upload_is_no_orphan_until_it_expires(server: Running, audit: IntegrityAudit) -> None:
    storage = server.services.integrations.storage
    keys = sorted(await storage.keys())

    async def work() -> None:
        (row,) = await rows(
            "INSERT INTO uploads (id, owner_id, content_type, byte_size, created_at)"
            " SELECT 'upl_1', id, 'image/png', 1, LATER($1) FROM users LIMIT 1 RETURNING owner_id",
            -100.0,
        )
        folder = f"uploads/{row['owner_id']}"
        listed = [*keys, f"{folder}/upl_1", f"{folder}/.upl_1.1f2e3d4c"]
        for seconds, violations in ((200, ()), (50, ("upl_1",))):
            found = await IntegrityAudit(
                listing(listed), generation_seconds=0, file_seconds=0, upload_seconds=seconds
            ).run()
            results = {result.name: result.violations for result in found if result.violations}
            assert results == ({"B3": violations} if violations else {})
        raise RolledBackError

    with pytest.raises(RolledBackError):
        await run_tx(work)


@pytest.mark.any_database
async def test_an_outage_of_the_storage_does_not_hide_other_violations(server: Running) -> None:
    async def unreachable() -> set[str]:
        raise StorageError("connection refused")

    ada = await server.api.sign_up()
    await User.filter(id=ada.user["id"]).update(credits=31)
    audit = IntegrityAudit(unreachable, generation_seconds=60, file_seconds=60, upload_seconds=60)
    results = {result.name: result.violations for result in await audit.run()}
    assert results["M1"] == (str(ada.user["id"]),)
    assert results["B1"] == results["B2"] == ("the storage does not respond: connection refused",)


async def test_refunds_without_an_audit_entry_are_violations_and_admin_refunds_are_not(
    server: Running, ada: Api, audit: IntegrityAudit
) -> None:
    admin = await make_admin(server.api)
    await run_tx(passes.grant, ada.user["id"], await Plan.get(slug="flash"), "order")
    (by_pass,) = (await ada.create(prompt="A fox"))["generations"]
    assert (await ada.wait_for_end(by_pass["id"]))["paidBy"] == "PASS"
    bought = await Generation.get(paid_by="CREDITS")
    add_entry = (
        "INSERT INTO audit_entries (id, action, target, detail, created_at)"
        " SELECT 'aud' || SUBSTR(id, 4), 'REFUND_GENERATION', id, '{}', created_at FROM generations WHERE paid_by = "
    )
    unset_refunded = "UPDATE generations SET refunded = (1 = 0) WHERE paid_by = "
    delete_entry = "DELETE FROM audit_entries WHERE target = "
    set_refunded = "UPDATE generations SET refunded = (1 = 1) WHERE paid_by = 'PASS'"
    assert await violated_by(audit, add_entry + "'CREDITS'") == {"M4"}
    assert await violated_by(audit, add_entry + "'PASS'") == {"A2"}
    assert await violated_by(audit, set_refunded) == {"A1", "A2"}
    for id in (bought.id, by_pass["id"]):
        await server.services.generations.admin_refunds.refund(
            await User.get(id=admin.user["id"]), id, "Two left hands"
        )
    assert [result.name for result in await audit.run() if result.violations] == []
    for statement, expected in (
        (delete_entry + f"'{bought.id}'", {"M4"}),
        (delete_entry + f"'{by_pass['id']}'", {"A2"}),
        (add_entry + "'CREDITS'", {"M4"}),  # a second one
        (add_entry + "'PASS'", {"A2"}),
        (unset_refunded + "'CREDITS'", {"M4"}),
        (unset_refunded + "'PASS'", {"A1", "A2"}),
    ):
        assert (statement, await violated_by(audit, statement)) == (statement, expected)


async def test_admin_adjustments_and_grants_without_their_audit_entry_are_violations(
    server: Running, ada: Api, audit: IntegrityAudit
) -> None:
    admin, services = await User.get(id=(await make_admin(server.api)).user["id"]), server.services
    ada_id = str(ada.user["id"])
    await services.billing.admin_adjustments.adjust(admin, AdjustmentRequest(ada_id, -7, "Given twice"))
    await services.billing.admin_grants.grant_pass(admin, PassRequest(ada_id, "flash", 2))
    assert [result.name for result in await audit.run() if result.violations] == []
    for statement in (
        "DELETE FROM audit_entries WHERE action = 'ADJUST_CREDITS'",
        "DELETE FROM audit_entries WHERE action = 'GRANT_PASS'",
        "UPDATE audit_entries SET target = 'usr_1' WHERE action = 'ADJUST_CREDITS'",
        "UPDATE audit_entries SET target = 'usr_1' WHERE action = 'GRANT_PASS'",
        """UPDATE audit_entries SET detail = '{"amount": 7}' WHERE action = 'ADJUST_CREDITS'""",
        "UPDATE audit_entries SET action = 'SET_ROLE'",
        "UPDATE passes SET reference = 'gift'",
    ):
        assert (statement, await violated_by(audit, statement)) == (statement, {"M8"})
