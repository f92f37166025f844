"""Account deletion: personal data and files are removed, the ledger stays, the address can be used again."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from models import CreditTransaction, File, Generation, Identity, User
from models.database.connection import is_postgres, rows, run_tx
from models.enum import ErrorCode, TransactionType
from services.accounts.user import ProfileChange
from services.billing import ledger
from services.catalogue.style_input import StyleDraft, StyleFields
from services.core.error import NotFoundError
from services.generations.claim import Claim
from services.generations.regeneration import RegenerationRequest
from services.generations.specification import GenerationRequest
from tests.conftest import Running
from tests.support import factories
from tests.support.client import CREDITS, Api, photo
from tests.support.factories import NOW, insert
from tests.support.integrity import assert_invariants, stored_keys

DELETE_ACCOUNT = """
mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedIds errors { code message field } } }"""
PASSWORD = "correct canary battery"  # contains "canary", which occurs nowhere else
EMAIL = "canary@example.com"
CONFIRMATION = {"password": PASSWORD, "confirmEmail": "Canary@Example.com"}
STYLE = {"title": "Canary style", "prompt": "A canary. {instruction}", "description": "Canary", "category": "Canary"}


async def tables_containing(word: str, database: str) -> set[str]:
    """Return the names of the tables that contain the word in any column."""
    listed = (
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
        if is_postgres(database)
        else "SELECT name FROM sqlite_master WHERE type = 'table'"
    )
    names = [row["name"] for row in await rows(listed)]
    assert "credit_transactions" in names
    return {name for name in names if word in str(await rows(f'SELECT * FROM "{name}"')).casefold()}  # noqa: S608 - names of tables


async def fill_account(api: Api) -> dict[str, Any]:
    """Fill an account with data of every kind: texts in all columns, files of each kind."""
    made = await api.one(
        "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { message } } }",
        input=STYLE,
    )
    assert made["errors"] == []
    await api.verify_address()
    await api.execute('mutation { createApiKey(name: "Canary key") { key } }')
    at_issuer: dict[str, Any] = {"issuer": "https://issuer.example.com", "subject": "canary", "name": "Canary"}
    await Identity.create(user_id=api.user["id"], key_hash="1" * 64, email=EMAIL, **at_issuer)
    announce = {"contentType": "image/jpeg", "byteSize": len(photo()), "idempotencyKey": "canary-upload"}
    announced = await api.one(
        "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { url } } }", input=announce
    )
    assert (await api.http.post(announced["upload"]["url"], files={"file": photo()})).status_code == 204
    submitted = await api.create(
        photo(), styleId=made["style"]["id"], prompt="Canary words", idempotencyKey="canary-order"
    )
    assert submitted["errors"] == []
    generation: dict[str, Any] = submitted["generations"][0]
    return generation


async def test_deleted_account_leaves_no_personal_data_and_no_files(idle_server: Running) -> None:
    database = idle_server.settings.database
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD, name="Canary Lovelace", locale="en")
    made = await fill_account(ada)
    await idle_server.services.generations.worker.process(made["id"])
    shared = await ada.one(
        'mutation($id: ID!) { shareGeneration(id: $id, slug: "my-canary") { errors { message } } }', id=made["id"]
    )
    assert shared["errors"] == []
    (waiting,) = (await ada.create(photo(), prompt="Another canary"))["generations"]
    expected = {"users", "generations", "styles", "api_keys", "idempotency_keys", "uploads", "identities"}
    assert await tables_containing("canary", database) >= expected
    balance = await ada.credits()
    assert await ada.one(DELETE_ACCOUNT, input=CONFIRMATION) == {"deletedIds": [ada.user["id"]], "errors": []}

    assert await tables_containing("canary", database) == set()
    assert await idle_server.api.one('{ sharedGeneration(slug: "my-canary") { __typename } }') is None
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    assert await File.all().count() == 0
    assert (await Generation.get(id=waiting["id"])).refunded
    deleted = await User.get(id=ada.user["id"])
    assert deleted.credits == balance + waiting["cost"]
    assert await CreditTransaction.filter(user_id=deleted.id).count() == 4
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_account_deletion_ends_all_sessions_and_frees_the_address(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD)
    elsewhere = await idle_server.api.one(
        "mutation($input: SignInInput!) { signIn(input: $input) { token } }",
        input={"email": EMAIL, "password": PASSWORD},
    )
    async with Api(ada.http, ada.address, elsewhere["token"]).socket() as socket:
        stream = await socket.subscribe(CREDITS)
        await stream.next()
        await ada.execute(DELETE_ACCOUNT, input=CONFIRMATION)
        while (message := await stream.message())["type"] == "next" and "errors" not in message["payload"]:
            pass
        (error,) = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
    for token in (ada.token, elsewhere["token"]):
        assert not await Api(ada.http, ada.address, token).is_signed_in()
    for email in (EMAIL, f"{ada.user['id']}@deleted.invalid"):
        for password in (PASSWORD, "", "another password"):
            refused = await idle_server.api.refused(
                "mutation($input: SignInInput!) { signIn(input: $input) { errors { code field } } }",
                input={"email": email, "password": password},
            )
            assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["password"])
    again = await idle_server.api.sign_up(EMAIL, PASSWORD)
    assert again.user["id"] != ada.user["id"]
    assert await again.credits() == 0, "the mailbox had its sign-up bonus"


async def test_account_deletion_refuses_wrong_password_wrong_address_and_api_keys(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD)
    for wrong, field in (
        ({"password": "correct horse"}, "password"),
        ({"password": None}, "password"),
        ({"confirmEmail": "eve@example.com"}, "confirmEmail"),
        ({"confirmEmail": ""}, "confirmEmail"),
    ):
        refused = await ada.refused(DELETE_ACCOUNT, input={**CONFIRMATION, **wrong})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", [field])
    await ada.verify_address()
    key = (await ada.one('mutation { createApiKey(name: "laptop") { key } }'))["key"]
    assert (await Api(ada.http, ada.address, key).refused(DELETE_ACCOUNT, input=CONFIRMATION))["code"] == "FORBIDDEN"
    assert (await ada.one("{ viewer { email } }"))["email"] == EMAIL


async def test_sweeper_finishes_an_interrupted_account_deletion(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD)
    await ada.execute(DELETE_ACCOUNT, input=CONFIRMATION)
    ended = {"status": "CANCELED", "stage": "CANCELED", "completed_at": NOW, "cost": 0}
    for _ in range(120):  # more than one batch
        await insert("generations", factories.generation(ada.user["id"], search_text="canary", **ended))
    await idle_server.services.background.sweeper.sweep()
    assert await Generation.present().count() == 0
    assert await tables_containing("canary", idle_server.settings.database) == set()
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_requests_that_began_before_the_account_deletion_write_nothing(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD)
    made = await fill_account(ada)
    before = await User.get(id=ada.user["id"])  # as loaded by such a request
    (key,) = (await idle_server.services.accounts.api_keys.by_users([before.id]))[before.id]
    await ada.execute(DELETE_ACCOUNT, input=CONFIRMATION)
    deleted_row = await rows("SELECT * FROM users WHERE id = $1", before.id)
    services, photo_and_prompt = idle_server.services, GenerationRequest(prompt="A late canary", image=photo())
    style = StyleDraft(fields=StyleFields(title="Late canary", prompt="Canary"), wanted_locale="en")
    late: list[Callable[[], Awaitable[Any]]] = [
        lambda: services.generations.requests.create(before, photo_and_prompt),
        lambda: services.generations.requests.create(
            before, replace(photo_and_prompt, image=None, idempotency_key="canary")
        ),
        lambda: services.generations.requests.cancel(before.id, made["id"]),
        lambda: services.generations.regenerations.regenerate(before, RegenerationRequest(made["id"])),
        lambda: services.accounts.users.update_profile(before, ProfileChange(name="Canary Lovelace")),
        lambda: services.accounts.api_keys.create(before, "Late canary", None),
        lambda: services.accounts.api_keys.create(before, "Late canary", "canary-key"),
        lambda: services.accounts.api_keys.revoke(before.id, key.id),
        lambda: services.catalogue.custom_styles.create(before, style),
        lambda: services.media.uploads.create(before.id, "image/jpeg", 1000, "canary-upload"),
        lambda: services.accounts.exports.request(before),
        lambda: services.accounts.verification.request(before, "en"),
        lambda: services.gallery.favorites.set(before.id, made["id"], is_favorite=True),
        lambda: services.gallery.shares.share(before.id, made["id"], "late-canary"),
        lambda: run_tx(ledger.post, before.id, [ledger.LedgerLine(TransactionType.ADMIN, 1, "admin:late")]),
        lambda: services.accounts.deletion.delete(before, PASSWORD, EMAIL, client="127.0.0.1"),
    ]
    for request in late:
        with pytest.raises(NotFoundError):
            await request()
    assert await rows("SELECT * FROM users WHERE id = $1", before.id) == deleted_row
    assert await services.billing.signup_bonuses.grant_missing() == 0
    await services.background.sweeper.sweep()
    assert await tables_containing("canary", idle_server.settings.database) == set()
    assert await stored_keys(services) == set()
    await assert_invariants(services, all_ended=True, all_swept=True)


async def test_deleted_account_gets_no_missing_signup_bonus(idle_server: Running) -> None:
    await insert("users", factories.user(deleted_at=NOW))
    assert await idle_server.services.billing.signup_bonuses.grant_missing() == 0


async def test_worker_fails_and_refunds_a_claimed_generation_of_a_deleted_account(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD)
    (submitted,) = (await ada.create(photo(), prompt="Canary"))["generations"]
    claim = await Claim.take(submitted["id"], "worker", 60.0, 1)
    assert claim is not None
    await User.filter(id=ada.user["id"]).update(deleted_at=datetime.now(UTC))  # as if the process had died afterwards
    assert (await claim.fail(ErrorCode.UNAVAILABLE, called=False)).refunded
    await idle_server.services.background.sweeper.sweep()
    assert await Generation.present().count() == 0
    assert (await User.get(id=ada.user["id"])).credits == 10_000
