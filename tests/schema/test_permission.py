"""Permissions over HTTP and WebSockets: another user's objects answer exactly like missing ones."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)
from strawberry.permission import BasePermission

from models import Collection, ExternalEvent, Identity, ids
from models.database.connection import rows
from schema.root import schema
from schema.runtime.permission import ADMIN, ID_ARGUMENTS, SIGNED_IN
from tests.conftest import Running
from tests.support import factories
from tests.support.client import Api, photo
from tests.support.factories import insert
from tests.support.named_lists import add_tags, new_album, tag_ids

pytestmark = pytest.mark.any_database

BUILT: GraphQLSchema = schema._schema
UNAUTHENTICATED = {"message": "Please sign in.", "code": "UNAUTHENTICATED"}
MALFORMED = ["", "x", "gen_", "gen_" + "z" * 26, "gen_\x00" + "0" * 25, "' OR 1=1 --", "gen_" + "0" * 5000, "生成"]

# Further fields that an input needs, so that its ID is read.
INPUT_FIELDS: dict[str, dict[str, Any]] = {
    "input.uploadId": {"prompt": "A fox"},
    "input.reference.uploadId": {"prompt": "A fox"},
    "input.generationId": {"styleId": ids.new_id(ids.STYLE)},
}

# Further arguments that must name an existing object.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Mutation.adminGrantPass": {"plan": "flash"},
    "Mutation.adminGrantPlan": {"plan": "basic"},
}

# What leads to the objects of other types whose fields take an ID.
ABOVE = {"User": "viewer { %s }", "Admin": "admin { %s }", "Album": "viewer { albums(first: 2) { nodes { %s } } }"}
# Where the ID beside it must be that of an album.
ENTRIES = {("Mutation.addToAlbum", "ids"), ("Mutation.removeFromAlbum", "ids")}
ROOTS = ("Query", "Mutation", "Subscription")
PATHS = [(name, path) for name, rules in ID_ARGUMENTS.items() for path in rules]


def audiences() -> dict[str, type[BasePermission]]:
    """Return the permission of every root field; for other fields that take an ID, that of the root field above."""
    found = {
        f"{root}.{schema.config.name_converter.get_graphql_name(field)}": field.permission_classes[-1]
        for root in ROOTS
        for field in schema.get_type_by_name(root).fields  # type: ignore[union-attr]  # roots are object types
    }
    above = {"User": SIGNED_IN, "Album": SIGNED_IN, "Admin": found["Query.admin"]}
    return found | {name: above[kind] for name in ID_ARGUMENTS if (kind := name.partition(".")[0]) not in ROOTS}


AUDIENCES = audiences()


def selection(kind: GraphQLOutputType, depth: int = 1) -> str:
    """Return a selection of a type's fields, `depth` objects deep; payloads and connections do not count."""
    named = get_named_type(kind)
    if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    is_wrapper = named.name.endswith(("Payload", "Connection"))
    parts = ["__typename"]
    for name, below in named.fields.items():
        inner = get_named_type(below.type)
        is_too_deep = isinstance(inner, GraphQLObjectType | GraphQLInterfaceType) and depth == 1 and not is_wrapper
        if not is_too_deep and name != "edges" and not any(is_required_argument(item) for item in below.args.values()):
            parts.append(name + selection(below.type, depth if is_wrapper else depth - 1))
    return " { " + " ".join(parts) + " }"


def sample(kind: Any) -> Any:
    """Return a value that a required argument accepts."""
    named = get_named_type(kind)
    if isinstance(named, GraphQLInputObjectType):
        given = {name: item for name, item in named.fields.items() if is_required_input_field(item)}
        return {name: sample(item.type) for name, item in given.items()}
    if isinstance(named, GraphQLEnumType):
        value: Any = next(iter(named.values))
    else:
        value = {"Int": 1, "Float": 1.0, "Boolean": True, "ID": ids.new_id(ids.GENERATION)}.get(named.name, "sample")
    bare = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    return [value] if is_list_type(bare) else value


@dataclass
class Operation:
    """One field with its required arguments as a document; `given`: values of arguments."""

    name: str  # Type.field
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def definition(self) -> GraphQLField:
        kind, _, name = self.name.partition(".")
        found = BUILT.type_map[kind]
        assert isinstance(found, GraphQLObjectType)
        defined: GraphQLField = found.fields[name]
        return defined

    @property
    def is_subscription(self) -> bool:
        return self.name.startswith("Subscription.")

    @property
    def variables(self) -> dict[str, Any]:
        needed = {name: sample(item.type) for name, item in self.definition.args.items() if is_required_argument(item)}
        return {**needed, **ARGUMENTS.get(self.name, {}), **self.given}

    @property
    def document(self) -> str:
        kind, _, name = self.name.partition(".")
        declared = ", ".join(f"${name}: {self.definition.args[name].type}" for name in self.variables)
        passed = ", ".join(f"{name}: ${name}" for name in self.variables)
        body = name + (f"({passed})" if passed else "") + selection(self.definition.type)
        root = kind.lower() if kind in {"Query", "Mutation", "Subscription"} else "query"
        # A field of another type is selected through the root field that leads to it.
        body = body if root == kind.lower() else ABOVE[kind] % body
        return f"{root}{f'({declared})' if declared else ''} {{ {body} }}"

    def naming(self, path: str, value: str) -> "Operation":
        """Return the operation with an ID at `path` (`input.styleId`)."""
        first, *rest = path.split(".")
        given = self.variables
        if rest:
            nested: Any = value
            for step in reversed(rest[1:]):
                nested = {step: nested}
            inner = {**(given.get(first) or {}), rest[0]: nested, **INPUT_FIELDS.get(path, {})}
            given[first] = inner
        else:
            given[first] = [value] if "[" in str(self.definition.args[first].type) else value
        return Operation(self.name, given)

    async def response(self, api: Api) -> str:
        """Return the response as text, or the first message of a stream."""
        if not self.is_subscription:
            response = await api.raw(self.document, **self.variables)
            return json.dumps([response.status_code, response.json()])
        async with api.socket() as socket:
            stream = await socket.subscribe(self.document, **self.variables)
            message = await stream.message()
            return json.dumps([message["type"], message["payload"]])


def refusal(response: str) -> dict[str, Any]:
    """Return the only GraphQL error of a response."""
    _, payload = json.loads(response)
    (error,) = payload if isinstance(payload, list) else payload["errors"]
    return {"message": error["message"], "code": error["extensions"]["code"]}


@dataclass
class OwnedIds:
    """One ID of each type that an account owns, by prefix."""

    of: dict[str, str]

    @classmethod
    async def collect(cls, owner: Api) -> "OwnedIds":
        """Create one object of each type, and return their IDs."""
        style = await owner.one(
            'mutation { createStyle(input: {title: "Rain", prompt: "Rain."}) { style { id } errors { code } } }'
        )
        style_id = str(style["style"]["id"])
        (generation,) = (await owner.create(photo(64, 64), styleId=style_id))["generations"]
        await owner.wait_for_end(generation["id"])
        announced = {"contentType": "image/png", "byteSize": 1}
        await owner.execute(
            "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { id } } }", input=announced
        )
        await owner.verify_address()
        await owner.execute('mutation { createApiKey(name: "script") { key } }')
        user: Any = owner.user["id"]
        found: dict[str, str] = {}
        event = {"source": "polar", "event_id": user, "type": "order.paid", "data": {"data": {}}, "outcome": "PARKED"}
        await ExternalEvent.create(**event)
        endpoint = await insert("webhook_endpoints", factories.webhook_endpoint(user_id=user))
        delivery = await insert("webhook_deliveries", factories.webhook_delivery(endpoint["id"], state="DEAD"))
        album_id = await new_album(owner, generations=[generation["id"]])
        await add_tags(owner, [generation["id"]], "red")
        found |= {ids.ALBUM: album_id, ids.TAG: (await tag_ids(owner))["red"]}
        found |= {ids.WEBHOOK_ENDPOINT: endpoint["id"], ids.WEBHOOK_DELIVERY: delivery["id"]}
        await Identity.create(user_id=user, issuer="https://id.example.com", subject=user, key_hash=user)
        sources = {
            ids.TRANSACTION: "SELECT id FROM credit_transactions WHERE user_id = $1",
            ids.API_KEY: "SELECT id FROM api_keys WHERE user_id = $1",
            ids.FILE: "SELECT id FROM files WHERE owner_id = $1",
            ids.IDENTITY: "SELECT id FROM identities WHERE user_id = $1",
            ids.SESSION: "SELECT id FROM sessions WHERE user_id = $1",
            ids.UPLOAD: "SELECT id FROM uploads WHERE owner_id = $1",
            ids.EXTERNAL_EVENT: "SELECT id FROM external_events WHERE event_id = $1",
        }
        for prefix, sql in sources.items():
            found[prefix] = str((await rows(sql, user))[0]["id"])
        return cls(
            {
                **found,
                ids.USER: user,
                ids.STYLE: style_id,
                ids.GENERATION: generation["id"],
                ids.BATCH: generation["batchId"],
            },
        )


async def test_fields_for_accounts_answer_unauthenticated_when_signed_out(api: Api) -> None:
    refusals = {}
    for name, audience in AUDIENCES.items():
        if issubclass(audience, SIGNED_IN) and not name.startswith(("User.", "Album.")):
            refusals[name] = refusal(await Operation(name).response(api))
    assert len(refusals) >= 7
    assert refusals == dict.fromkeys(refusals, UNAUTHENTICATED)


async def test_ended_session_is_unauthenticated(server: Running, api: Api) -> None:
    ada = await api.sign_up()
    await ada.execute("mutation { signOut { sessionsEnded } }")
    operation = Operation("Mutation.cancelGeneration")
    assert refusal(await operation.response(ada)) == {
        "message": "This token is not valid, or its session has ended. Please sign in again.",
        "code": "UNAUTHENTICATED",
    }


async def test_another_users_ids_answer_exactly_like_missing_ones(server: Running, api: Api) -> None:
    ada, eve = await api.sign_up("ada@example.com"), await api.sign_up("eve@example.com")
    owned = await OwnedIds.collect(ada)
    differing = []
    for other in (eve, api):
        for name, path in PATHS:
            if other is api and issubclass(AUDIENCES[name], SIGNED_IN):
                continue  # refused before any ID is read
            for prefix, known in owned.of.items():
                missing = await Operation(name).naming(path, ids.new_id(prefix)).response(other)
                found = await Operation(name).naming(path, known).response(other)
                if found != missing or "INTERNAL" in found:
                    differing.append((name, path, prefix, found, missing))
    assert differing == []
    assert await ada.credits() == 29
    assert (await ada.generation(owned.of[ids.GENERATION]))["status"] == "COMPLETED"


async def super_admin(api: Api) -> Api:
    found = await api.sign_up("root@example.com")
    await rows("UPDATE users SET role = 'SUPER_ADMIN' WHERE id = $1 RETURNING id", found.user["id"])
    return found


async def test_owned_ids_answer_differently_from_missing_ones(server: Running, api: Api) -> None:
    ada, bob, admin = await api.sign_up(), await api.sign_up("bob@example.com"), await super_admin(api)
    own, bobs = (await OwnedIds.collect(ada)).of, (await OwnedIds.collect(bob)).of
    await Collection.all().update(reuse_share=0.5)  # so that a quote reads the photo
    ending = ("Mutation.delete", "Mutation.revokeSession")
    for name, path in sorted(PATHS, key=lambda argument: argument[0].startswith(ending)):  # deletions last
        # An admin's fields are requested by the admin, about another account that the test does not need.
        caller, existing = (admin, bobs) if issubclass(AUDIENCES[name], ADMIN) else (ada, own)
        differing = set()
        operation = Operation(name, {"id": existing[ids.ALBUM]} if (name, path) in ENTRIES else {})
        for prefix, known in existing.items():
            missing = await operation.naming(path, ids.new_id(prefix)).response(caller)
            if await operation.naming(path, known).response(caller) != missing:
                differing.add(prefix)
        assert differing, (name, path)


async def test_malformed_ids_answer_like_missing_ones(server: Running, api: Api) -> None:
    ada, admin = await api.sign_up(), await super_admin(api)
    for name, path in PATHS:
        caller = admin if issubclass(AUDIENCES[name], ADMIN) else ada
        missing = await Operation(name).naming(path, ids.new_id("xxx")).response(caller)
        for value in MALFORMED:
            response = await Operation(name).naming(path, value).response(caller)
            assert "INTERNAL" not in response, (name, path, value)
            assert response == missing, (name, path, value)
