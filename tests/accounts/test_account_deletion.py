"""Deleting an account: everything that says who it was goes, the ledger stays, and the address is free again."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from models import CreditTransaction, File, Generation, User
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

LEAVE = """
mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedIds errors { code message field } } }"""
PASSWORD = "correct canary battery"  # what nobody but its owner has said
EMAIL = "canary@example.com"
MINE = {"password": PASSWORD, "confirmEmail": "Canary@Example.com"}
STYLE = {"title": "Canary style", "prompt": "A canary. {instruction}", "description": "Canary", "category": "Canary"}


async def tables_that_name(word: str, database: str) -> set[str]:
    """Every table with a row that holds the word, in whatever column."""
    listed = (
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
        if is_postgres(database)
        else "SELECT name FROM sqlite_master WHERE type = 'table'"
    )
    names = [row["name"] for row in await rows(listed)]
    assert "credit_transactions" in names
    return {name for name in names if word in str(await rows(f'SELECT * FROM "{name}"')).casefold()}  # noqa: S608 - names of tables


async def settle_down(api: Api) -> dict[str, Any]:
    """Fill an account with everything that a person can leave: words everywhere, files of each kind."""
    made = await api.one(
        "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { message } } }",
        input=STYLE,
    )
    assert made["errors"] == []
    await api.ask('mutation { createApiKey(name: "Canary key") { key } }')
    announce = {"contentType": "image/jpeg", "byteSize": len(photo()), "idempotencyKey": "canary-upload"}
    announced = await api.one(
        "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { url } } }", input=announce
    )
    assert (await api.http.post(announced["upload"]["url"], files={"file": photo()})).status_code == 204
    sold = await api.create(photo(), styleId=made["style"]["id"], prompt="Canary words", idempotencyKey="canary-order")
    assert sold["errors"] == []
    generation: dict[str, Any] = sold["generations"][0]
    return generation


async def test_an_account_that_is_deleted_leaves_no_word_and_no_file(idle_server: Running) -> None:
    database = idle_server.settings.database
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD, name="Canary Lovelace", locale="en")
    made = await settle_down(ada)
    await idle_server.services.generations.worker.process(made["id"])
    shared = await ada.one(
        'mutation($id: ID!) { shareGeneration(id: $id, slug: "my-canary") { errors { message } } }', id=made["id"]
    )
    assert shared["errors"] == []
    (waiting,) = (await ada.create(photo(), prompt="Another canary"))["generations"]
    told = {"users", "generations", "styles", "api_keys", "idempotency_keys", "uploads"}
    assert await tables_that_name("canary", database) >= told
    balance = await ada.credits()
    assert await ada.one(LEAVE, input=MINE) == {"deletedIds": [ada.user["id"]], "errors": []}

    assert await tables_that_name("canary", database) == set()
    assert await idle_server.api.one('{ sharedGeneration(slug: "my-canary") { __typename } }') is None
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    assert await File.all().count() == 0
    assert (await Generation.get(id=waiting["id"])).refunded
    left = await User.get(id=ada.user["id"])
    assert left.credits == balance + waiting["cost"]
    assert await CreditTransaction.filter(user_id=left.id).count() == 4
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_nobody_is_signed_in_to_an_account_that_is_gone_and_its_address_is_free(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD)
    elsewhere = await idle_server.api.one(
        "mutation($input: SignInInput!) { signIn(input: $input) { token } }",
        input={"email": EMAIL, "password": PASSWORD},
    )
    async with Api(ada.http, ada.address, elsewhere["token"]).socket() as socket:
        stream = await socket.subscribe(CREDITS)
        await stream.next()
        await ada.ask(LEAVE, input=MINE)
        while (message := await stream.message())["type"] == "next" and "errors" not in message["payload"]:
            pass
        (error,) = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
    for token in (ada.token, elsewhere["token"]):
        assert await Api(ada.http, ada.address, token).one("{ viewer { id } }") is None
    for email in (EMAIL, f"{ada.user['id']}@deleted.invalid"):
        for password in (PASSWORD, "", "nobody's password"):
            refused = await idle_server.api.refused(
                "mutation($input: SignInInput!) { signIn(input: $input) { errors { code field } } }",
                input={"email": email, "password": password},
            )
            assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["password"])
    again = await idle_server.api.sign_up(EMAIL, PASSWORD)
    assert again.user["id"] != ada.user["id"]
    assert await again.credits() == 10_000


async def test_a_wrong_password_or_address_and_a_program_delete_no_account(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD)
    for wrong, field in (
        ({"password": "correct horse"}, "password"),
        ({"password": None}, "password"),
        ({"confirmEmail": "eve@example.com"}, "confirmEmail"),
        ({"confirmEmail": ""}, "confirmEmail"),
    ):
        refused = await ada.refused(LEAVE, input={**MINE, **wrong})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", [field])
    key = (await ada.one('mutation { createApiKey(name: "laptop") { key } }'))["key"]
    assert (await Api(ada.http, ada.address, key).refused(LEAVE, input=MINE))["code"] == "FORBIDDEN"
    assert (await ada.one("{ viewer { email } }"))["email"] == EMAIL


async def test_what_an_interrupted_deletion_left_is_finished_by_the_sweeper(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD)
    await ada.ask(LEAVE, input=MINE)
    ended = {"status": "CANCELED", "stage": "CANCELED", "completed_at": NOW, "cost": 0}
    for _ in range(120):  # more than one transaction takes
        await insert("generations", factories.generation(ada.user["id"], search_text="canary", **ended))
    await idle_server.services.background.sweeper.sweep()
    assert await Generation.present().count() == 0
    assert await tables_that_name("canary", idle_server.settings.database) == set()
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_a_request_that_began_before_the_deletion_leaves_nothing_in_the_account(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD)
    made = await settle_down(ada)
    before = await User.get(id=ada.user["id"])  # as such a request knows it
    (key,) = (await idle_server.services.accounts.api_keys.by_users([before.id]))[before.id]
    await ada.ask(LEAVE, input=MINE)
    gone = await rows("SELECT * FROM users WHERE id = $1", before.id)
    services, photo_and_words = idle_server.services, GenerationRequest(prompt="A late canary", image=photo())
    style = StyleDraft(fields=StyleFields(title="Late canary", prompt="Canary"), wanted_locale="en")
    late: list[Callable[[], Awaitable[Any]]] = [
        lambda: services.generations.requests.create(before, photo_and_words),
        lambda: services.generations.requests.create(
            before, replace(photo_and_words, image=None, idempotency_key="canary")
        ),
        lambda: services.generations.requests.cancel(before.id, made["id"]),
        lambda: services.generations.regenerations.regenerate(before, RegenerationRequest(made["id"])),
        lambda: services.accounts.users.update_profile(before, ProfileChange(name="Canary Lovelace")),
        lambda: services.accounts.api_keys.create(before, "Late canary", None),
        lambda: services.accounts.api_keys.create(before, "Late canary", "canary-key"),
        lambda: services.accounts.api_keys.revoke(before.id, key.id),
        lambda: services.catalogue.custom_styles.create(before, style),
        lambda: services.media.uploads.create(before.id, "image/jpeg", 1000, "canary-upload"),
        lambda: services.accounts.exports.request(before.id),
        lambda: services.accounts.verification.request(before, "en"),
        lambda: services.gallery.favorites.set(before.id, made["id"], is_favorite=True),
        lambda: services.gallery.shares.share(before.id, made["id"], "late-canary"),
        lambda: run_tx(ledger.post, before.id, [ledger.LedgerLine(TransactionType.ADMIN, 1, "admin:late")]),
        lambda: services.accounts.deletion.delete(before, PASSWORD, EMAIL),
    ]
    for request in late:
        with pytest.raises(NotFoundError):
            await request()
    assert await rows("SELECT * FROM users WHERE id = $1", before.id) == gone
    assert await services.billing.ledger.grant_missing_signup_bonuses(5) == 0
    await services.background.sweeper.sweep()
    assert await tables_that_name("canary", idle_server.settings.database) == set()
    assert await stored_keys(services) == set()
    await assert_invariants(services, all_ended=True, all_swept=True)


async def test_nobody_who_has_gone_is_paid_a_missing_welcome(idle_server: Running) -> None:
    await insert("users", factories.user(deleted_at=NOW))
    assert await idle_server.services.billing.ledger.grant_missing_signup_bonuses(5) == 0


async def test_a_worker_ends_what_an_account_that_is_gone_had_begun(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up(EMAIL, PASSWORD)
    (sold,) = (await ada.create(photo(), prompt="Canary"))["generations"]
    claim = await Claim.take(sold["id"], "worker", 60.0, 1)
    assert claim is not None
    await User.filter(id=ada.user["id"]).update(deleted_at=datetime.now(UTC))  # and then its process died
    assert (await claim.fail(ErrorCode.UNAVAILABLE, called=False)).refunded
    await idle_server.services.background.sweeper.sweep()
    assert await Generation.present().count() == 0
    assert (await User.get(id=ada.user["id"])).credits == 10_000
