"""Every field that runs statements has a price, which is not below its statements."""

import contextlib
import inspect
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type, is_composite_type

from models import User
from models.enum import AdminAction, Role
from schema.root import schema
from schema.runtime.price import FREE, PRICES, WRITE_STATEMENTS
from services.events import audit_log
from services.integrations.messaging import refresh
from tests.conftest import Running
from tests.database.test_statement_counts import fill
from tests.support import factories
from tests.support.authenticator_app import App, set_up
from tests.support.client import Api, tasks_ended
from tests.support.factories import insert
from tests.support.named_lists import add_tags, new_album

pytestmark = pytest.mark.any_database

# Objects whose fields share statements: the field that returns the object has the price of all.
PRICED_TOGETHER = {"Metrics", "LedgerCheck"}

# For each type, a document that leads to its objects.
PATHS = {
    "Query": "{ %s }",
    "SignInOptions": "{ deployment { signIn { %s } } }",
    "Collection": "{ collections { %s } }",
    "StyleConnection": "{ styles { %s } }",
    "Pass": "{ viewer { pass { %s } } }",
    "FollowingPass": "{ viewer { followingPasses { %s } } }",
    "User": "{ viewer { %s } }",
    "UserConnection": "{ admin { users { %s } } }",
    "Generation": "{ viewer { generations(first: 5) { nodes { %s } } } }",
    "GenerationConnection": "{ viewer { generations { %s } } }",
    "Album": "{ viewer { isMember albums { nodes { %s } } } }",
    "AlbumConnection": "{ viewer { albums { %s } } }",
    "CreditTransaction": "{ admin { transactions { nodes { %s } } } }",
    "CreditTransactionConnection": "{ viewer { transactions { %s } } }",
    "ApiKey": "{ viewer { apiKeys { %s } } }",
    "SecondFactor": "{ viewer { secondFactor { %s } } }",
    "MediaFile": "{ viewer { generations { nodes { result { %s } } } } }",
    "AuditEntry": "{ admin { auditLog { nodes { %s } } } }",
    "PaymentReviewConnection": "{ admin { paymentReviews { %s } } }",
    "Admin": "{ admin { %s } }",
    "WebhookEndpoint": "{ webhookEndpoints { %s } }",
    "AccountMetric": "{ admin { metrics { byAccount { %s } } } }",
}

# Mutations in an order in which each succeeds, with {ids} of objects from the responses before.
WRITES = {
    "signUp": '(input: {email: "bob@example.com", password: "correct horse"}) { user { id } }',
    "createGuest": " { token }",
    "signIn": '(input: {email: "root@example.com", password: "correct horse"}) { token }',
    "createSignInNonce": " { nonce }",
    "updateProfile": '(input: {name: "Root"}) { user { id } }',
    "changePassword": '(input: {current: "correct horse", new: "correct horse"}) { user { id } }',
    "requestEmailVerification": " { sent }",
    "requestEmailChange": '(input: {email: "carol@example.com", password: "correct horse"}) { sent }',
    "requestPasswordReset": '(email: "root@example.com") { sent }',
    "startSecondFactor": " { secret }",
    "confirmSecondFactor": '(code: "{code}") { recoveryCodes }',
    "verifySecondFactor": '(code: "{next_code}") { user { id } }',
    "removeSecondFactor": '(code: "{recovery}") { user { id } }',
    "createApiKey": '(name: "script") { apiKey { id } }',
    "updateApiKey": '(input: {id: "{key}", name: "renamed"}) { apiKey { id } }',
    "revokeApiKey": '(id: "{key}") { deletedIds }',
    "revokeOtherSessions": " { deletedIds }",
    "createWebhookEndpoint": '(input: {url: "https://hooks.invalid/"}) { endpoint { id } }',
    "updateWebhookEndpoint": '(id: "{whk}", input: {description: "a"}) { endpoint { id } }',
    "rotateWebhookSecret": '(id: "{whk}") { endpoint { id } }',
    "sendTestWebhook": '(id: "{whk}") { delivery { id } }',
    "replayWebhookDelivery": '(id: "{whd}") { delivery { id } }',
    "deleteWebhookEndpoint": '(id: "{whk}") { deletedIds }',
    "createUpload": '(input: {contentType: "image/png", byteSize: 1}) { upload { id } }',
    "createStyle": '(input: {title: "Rain", prompt: "Rain."}) { style { id } }',
    "updateStyle": '(id: "{sty}", input: {title: "Snow"}) { style { id } }',
    "setStylePicture": '(input: {styleId: "{sty}"}) { style { id } }',
    "createGeneration": '(input: {prompt: "A fox", styleId: "{sty}"}) { generations { id } }',
    "cancelGeneration": '(id: "{gen}") { generation { id } }',
    "regenerate": '(input: {id: "{gen}"}) { generations { id } }',
    "setFavorite": '(id: "{gen}", isFavorite: true) { generation { id } }',
    "setFavorites": '(ids: ["{gen}", "{last_gen}"], isFavorite: false) { generations { id } }',
    "createAlbum": '(name: "Foxes") { album { id } }',
    "addToAlbum": '(id: "{alb}", ids: ["{gen}", "{last_gen}"]) { album { count } }',
    "updateAlbum": '(id: "{alb}", input: {name: "Animals", position: 3}) { album { id } }',
    "removeFromAlbum": '(id: "{alb}", ids: ["{gen}"]) { album { count } }',
    "deleteAlbum": '(id: "{alb}") { deletedIds }',
    "addTags": '(ids: ["{gen}", "{last_gen}"], tags: ["red", "blue"]) { generations { id tags { id } } }',
    "setTags": '(ids: ["{gen}", "{last_gen}"], tags: ["green", "blue"]) { generations { id } }',
    "renameTag": '(id: "{tag}", name: "green") { tag { id } }',
    "removeTags": '(ids: ["{gen}"], tags: ["green", "blue"]) { generations { id } }',
    "adminRetryGeneration": '(id: "{gen}", reason: "down") { generation { id } }',
    "adminUnshareGeneration": '(id: "{gen}", reason: "test") { generation { id } }',
    "adminDeleteGeneration": '(id: "{gen}", reason: "test") { deletedIds }',
    "deleteGenerations": '(ids: ["{last_gen}"]) { deletedIds }',
    "deleteStyle": '(id: "{sty}") { deletedIds }',
    "requestDataExport": " { dataExport { url } }",
    "adminAdjustCredits": '(input: {userId: "{usr}", amount: 5, reason: "test", idempotencyKey: "a"}) { user { id } }',
    "adminSetMembership": '(userId: "{usr}", isMember: true) { user { id } }',
    "adminGrantPass": '(userId: "{usr}", plan: "flash") { user { id } }',
    "adminGrantPlan": '(userId: "{usr}", plan: "enterprise", reason: "test") { user { id } }',
    "adminEndPlan": '(userId: "{usr}", reason: "test") { user { id } }',
    "adminSetRole": '(userId: "{usr}", role: ADMIN) { user { id } }',
    "adminSetSuspended": '(userId: "{usr}", suspended: true, reason: "test") { user { id } }',
    "adminSetMaintenance": "(input: {readOnly: false, dailySpendCap: 5}) { maintenance { readOnly } }",
    "adminImportCatalogue": "(catalogue: {collections: []}) { created }",
    "requestSignInLink": '(email: "root@example.com") { sent }',  # its mail is sent later
    "signOut": " { sessionsEnded }",
}

STREAMS = {
    "generationProgress": '(id: "{gen}") { id }',
    "galleryChanged": "(after: 1) { kind generation { id } }",
    "favoriteChanged": " { kind }",
    "creditsChanged": " { credits }",
}

UNCOUNTED = {
    # Reached only by adminActivity, which has no opening message; they use the loaders of other fields.
    *("Subscription.adminActivity", "AdminActivity.user", "AdminActivity.generation", "AdminActivity.transaction"),
    # The account as a mutation, or an event, left it: one statement.
    *("GenerationPayload.viewer", "DeletedPayload.viewer", "CreditsChange.user"),
    *("AlbumPayload.viewer", "ChangedGenerationsPayload.viewer", "TagPayload.viewer"),
    "ChangedGenerationsPayload.generations",  # the generations, by their loader
    # They need a mail, a socket, a payment provider or a finished generation, and do less than the mutations above.
    *(
        "Mutation.verifyEmail",
        "Mutation.changeEmail",
        "Mutation.resetPassword",
        "Mutation.signInByLink",
        "Mutation.createCheckout",
    ),
    *("Mutation.deleteAccount", "Mutation.renewConnection", "Mutation.signInWithIdToken", "Mutation.linkIdentity"),
    *("Mutation.unlinkIdentity", "Mutation.createMergeToken", "Mutation.mergeGuest"),
    "Mutation.revokeSession",  # as revokeOtherSessions
    *("Mutation.createArchive", "Mutation.refineGeneration", "Mutation.shareGeneration", "Mutation.unshareGeneration"),
    *("Mutation.adminRefundGeneration", "Mutation.adminSettlePayment", "Mutation.adminDismissPayment"),
}


def resolved_fields() -> dict[str, Any]:
    """Return every field whose resolver can run a statement, because it is asynchronous."""
    return {
        f"{kind.name}.{name}": field
        for kind in schema._schema.type_map.values()
        if isinstance(kind, GraphQLObjectType) and kind.name not in PRICED_TOGETHER
        for name, field in kind.fields.items()
        if (definition := field.extensions.get("strawberry-definition")) and definition.base_resolver
        if inspect.iscoroutinefunction(function := definition.base_resolver.wrapped_func)
        or inspect.isasyncgenfunction(function)
    }


@pytest.fixture(autouse=True)
def _without_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no statement of the server itself be counted with a request's."""
    monkeypatch.setattr(refresh, "_POLL_SECONDS", 3600.0)


def test_every_resolved_field_has_a_price() -> None:
    resolved = resolved_fields()
    writes = {name for name in resolved if name.startswith("Mutation.")}
    assert set(PRICES) - writes == set(resolved) - writes
    assert writes == {f"Mutation.{name}" for name in WRITES} | {name for name in UNCOUNTED if name in writes}


@contextlib.contextmanager
def counted(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Collect the statements that run while the body runs."""
    found: list[str] = []
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
        yield found
    found += [record.getMessage() for record in caplog.records if record.name == "tortoise.db_client"]


async def statements(caplog: pytest.LogCaptureFixture, api: Api, query: str) -> int:
    """Return the statements that a document needs: the fewer of two times, as some values are cached."""
    found = []
    for _ in range(2):
        with counted(caplog) as ran:
            await api.execute(query)
        found.append(len(ran))
    return min(found)


def selected(name: str, arguments: dict[str, str]) -> str:
    """Return a field with its arguments, and what is priced with it."""
    kind = get_named_type(resolved_fields()[name].type)
    leaves = ["__typename"]
    if kind.name in PRICED_TOGETHER:
        leaves += [leaf for leaf, inner in kind.fields.items() if not is_composite_type(get_named_type(inner.type))]
    body = f" {{ {' '.join(leaves)} }}" if is_composite_type(kind) else ""
    return name.partition(".")[2] + arguments.get(name, "") + body


async def test_price_of_a_field_covers_its_statements(idle_server: Running, caplog: pytest.LogCaptureFixture) -> None:
    root = await super_admin(idle_server)
    user_id = str(root.user["id"])
    made = await fill(root)
    await audit_log.record(user_id, AdminAction.SET_MAINTENANCE, None)
    await insert("api_keys", factories.api_key(user_id))
    await set_up(root)
    await insert("webhook_endpoints", factories.webhook_endpoint(user_id=user_id))
    await new_album(root, generations=made)
    await add_tags(root, made, "red", "blue")
    style = await root.style("noir", "avenger")
    collection = (await root.one("{ collections { id } }"))[0]["id"]
    package = (await root.one("{ creditPackages { id } }"))[0]["id"]
    every_id = ", ".join(f'"{id}"' for id in (style, made[0], user_id, collection, package))
    arguments = {
        "Query.node": f'(id: "{made[0]}")',
        "Query.nodes": f"(ids: [{every_id}])",
        "Query.style": '(slug: "noir")',
        "Query.quote": f'(input: {{styleId: "{style}"}})',
        "Query.sharedGeneration": '(slug: "pelican")',
        "User.generation": f'(id: "{made[0]}")',
        "Admin.user": '(email: "root@example.com")',
    }
    found: dict[str, int] = {}
    without: dict[str, int] = {}
    for name in sorted(set(PRICES) - UNCOUNTED):
        kind = name.partition(".")[0]
        if kind not in ("Mutation", "Subscription"):
            if kind not in without:
                without[kind] = await statements(caplog, root, PATHS[kind] % "__typename")
            with_field = await statements(caplog, root, PATHS[kind] % f"__typename {selected(name, arguments)}")
            objects = 1 if PRICES[name].is_batched or kind != "Generation" else len(made)
            found[name] = (with_field - without[kind]) // objects
    assert sum(found.values()) > len(found) / 2
    assert {name: count for name, count in found.items() if count > PRICES[name].statements} == {}


async def super_admin(server: Running) -> Api:
    """Return a client of a super admin with a verified address."""
    root = await server.api.sign_up("root@example.com")
    await root.verify_address()
    await User.filter(id=root.user["id"]).update(role=Role.SUPER_ADMIN)
    return root


async def test_price_of_a_write_covers_its_statements(idle_server: Running, caplog: pytest.LogCaptureFixture) -> None:
    root = await super_admin(idle_server)
    found: dict[str, int] = {}
    known: dict[str, str] = {}
    for name, rest in WRITES.items():
        for prefix, value in known.items():
            rest = rest.replace("{" + prefix + "}", value)
        await tasks_ended("mail")  # of the write before
        with counted(caplog) as ran:
            text = (await root.raw(f"mutation {{ {name}{rest} }}")).text
        assert '"errors"' not in text, (name, text)
        found[name] = len(ran) - 1  # the session
        for prefix in ("gen", "sty", "key", "usr", "whk", "whd", "alb", "tag"):
            if f'"{prefix}_' in text:
                known[f"last_{prefix}"] = f"{prefix}_" + text.partition(f'"{prefix}_')[2][:26]
                known.setdefault(prefix, known[f"last_{prefix}"])
        known |= codes(json.loads(text)["data"][name])
    prices = {name: WRITE_STATEMENTS + PRICES.get(f"Mutation.{name}", FREE).statements for name in WRITES}
    assert {name: count for name, count in found.items() if count > prices[name]} == {}


def codes(payload: dict[str, Any]) -> dict[str, str]:
    """Return the codes of a second factor that a response leads to."""
    if secret := payload.get("secret"):
        app = App("", secret, [])
        return {"code": app.code(), "next_code": app.code(ahead=1)}
    return {"recovery": found[0]} if (found := payload.get("recoveryCodes")) else {}


async def test_price_of_a_stream_covers_its_statements(idle_server: Running, caplog: pytest.LogCaptureFixture) -> None:
    root = await super_admin(idle_server)
    (made,) = (await root.create(prompt="A fox"))["generations"]
    async with root.socket() as socket:
        for name, rest in STREAMS.items():
            with counted(caplog) as ran:
                stream = await socket.subscribe(f"subscription {{ {name}{rest.replace('{gen}', made['id'])} }}")
                await stream.next()
                await stream.stop()
            assert len(ran) - 1 <= PRICES[f"Subscription.{name}"].statements, name
