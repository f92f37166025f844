"""The permission table through the door: signed out is signed out, and another person's things are not there."""

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

from models import ids
from models.database.connection import rows
from schema.root import schema
from schema.runtime.permission import ADMIN, ID_ARGUMENTS, SIGNED_IN
from tests.conftest import Running
from tests.support.client import Api, photo

pytestmark = pytest.mark.any_database

BUILT: GraphQLSchema = schema._schema
UNAUTHENTICATED = {"message": "Please sign in.", "code": "UNAUTHENTICATED"}
MALFORMED = ["", "x", "gen_", "gen_" + "z" * 26, "gen_\x00" + "0" * 25, "' OR 1=1 --", "gen_" + "0" * 5000, "生成"]

# What an input must hold as well, before anybody looks at its id.
COMPANIONS: dict[str, dict[str, Any]] = {"input.uploadId": {"prompt": "A fox"}}

# And what else it must name that there is.
NEEDED: dict[str, dict[str, Any]] = {"Mutation.adminGrantPass": {"plan": "flash"}}

ROOTS = ("Query", "Mutation", "Subscription")
PATHS = [(name, path) for name, rules in ID_ARGUMENTS.items() for path in rules]


def audiences() -> dict[str, type[BasePermission]]:
    """The permission of every root field, and of the fields of objects that take an ID: that of the way to them."""
    found = {
        f"{root}.{schema.config.name_converter.get_graphql_name(field)}": field.permission_classes[-1]
        for root in ROOTS
        for field in schema.get_type_by_name(root).fields  # type: ignore[union-attr]  # roots are object types
    }
    ways = {"User": SIGNED_IN, "Admin": found["Query.admin"]}
    return found | {name: ways[kind] for name in ID_ARGUMENTS if (kind := name.partition(".")[0]) not in ROOTS}


AUDIENCES = audiences()


def selection(kind: GraphQLOutputType, depth: int = 1) -> str:
    """What a type shows without being asked twice, `depth` objects deep; payloads and connections only wrap."""
    named = get_named_type(kind)
    if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    wraps = named.name.endswith(("Payload", "Connection"))
    parts = ["__typename"]
    for name, below in named.fields.items():
        inner = get_named_type(below.type)
        hides = isinstance(inner, GraphQLObjectType | GraphQLInterfaceType) and depth == 1 and not wraps
        if not hides and name != "edges" and not any(is_required_argument(item) for item in below.args.values()):
            parts.append(name + selection(below.type, depth if wraps else depth - 1))
    return " { " + " ".join(parts) + " }"


def sample(kind: Any) -> Any:
    """A value that a required argument accepts."""
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
    """One field with what it needs, as a document; `given` are the arguments' values."""

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
        return {**needed, **NEEDED.get(self.name, {}), **self.given}

    @property
    def document(self) -> str:
        kind, _, name = self.name.partition(".")
        declared = ", ".join(f"${name}: {self.definition.args[name].type}" for name in self.variables)
        passed = ", ".join(f"{name}: ${name}" for name in self.variables)
        body = name + (f"({passed})" if passed else "") + selection(self.definition.type)
        root = kind.lower() if kind in {"Query", "Mutation", "Subscription"} else "query"
        # What an object's field shows is asked for through the only such object that there is.
        body = body if root == kind.lower() else f"{'admin' if kind == 'Admin' else 'viewer'} {{ {body} }}"
        return f"{root}{f'({declared})' if declared else ''} {{ {body} }}"

    def naming(self, path: str, value: str) -> "Operation":
        """The same with an id at `path` (`input.styleId`)."""
        first, *rest = path.split(".")
        given = self.variables
        if rest:
            inner = {**(given.get(first) or {}), rest[0]: value, **COMPANIONS.get(path, {})}
            assert len(rest) == 1, "an id deeper than one input"
            given[first] = inner
        else:
            given[first] = [value] if "[" in str(self.definition.args[first].type) else value
        return Operation(self.name, given)

    async def answer(self, api: Api) -> str:
        """What a client gets: the first message of a stream, or the whole answer; as text, to be compared."""
        if not self.is_subscription:
            response = await api.raw(self.document, **self.variables)
            return json.dumps([response.status_code, response.json()])
        async with api.socket() as socket:
            stream = await socket.subscribe(self.document, **self.variables)
            message = await stream.message()
            return json.dumps([message["type"], message["payload"]])


def refusal(answer: str) -> dict[str, Any]:
    """The only GraphQL error of an answer."""
    _, payload = json.loads(answer)
    (error,) = payload if isinstance(payload, list) else payload["errors"]
    return {"message": error["message"], "code": error["extensions"]["code"]}


@dataclass
class Belongings:
    """Ids of everything that an account has, by prefix."""

    of: dict[str, str]

    @classmethod
    async def collect(cls, owner: Api) -> "Belongings":
        """An account's things, after its first picture."""
        style = await owner.one(
            'mutation { createStyle(input: {title: "Rain", prompt: "Rain."}) { style { id } errors { code } } }'
        )
        style_id = str(style["style"]["id"])
        (generation,) = (await owner.create(photo(64, 64), styleId=style_id))["generations"]
        await owner.wait_for_end(generation["id"])
        announced = {"contentType": "image/png", "byteSize": 1}
        await owner.ask(
            "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { id } } }", input=announced
        )
        await owner.ask('mutation { createApiKey(name: "script") { key } }')
        user, mine = owner.user["id"], {}
        sources = {
            ids.TRANSACTION: "SELECT id FROM credit_transactions WHERE user_id = $1",
            ids.API_KEY: "SELECT id FROM api_keys WHERE user_id = $1",
            ids.FILE: "SELECT id FROM files WHERE owner_id = $1",
            ids.SESSION: "SELECT id FROM sessions WHERE user_id = $1",
            ids.UPLOAD: "SELECT id FROM uploads WHERE owner_id = $1",
        }
        for prefix, sql in sources.items():
            mine[prefix] = str((await rows(sql, user))[0]["id"])
        return cls(
            {
                **mine,
                ids.USER: user,
                ids.STYLE: style_id,
                ids.GENERATION: generation["id"],
                ids.BATCH: generation["batchId"],
            },
        )


async def test_whatever_asks_for_an_account_says_so_when_signed_out(api: Api) -> None:
    answers = {}
    for name, audience in AUDIENCES.items():
        if issubclass(audience, SIGNED_IN) and not name.startswith("User."):
            answers[name] = refusal(await Operation(name).answer(api))
    assert len(answers) >= 7
    assert answers == dict.fromkeys(answers, UNAUTHENTICATED)


async def test_an_ended_sign_in_is_none(server: Running, api: Api) -> None:
    ada = await api.sign_up()
    await ada.ask("mutation { signOut { sessionsEnded } }")
    operation = Operation("Mutation.cancelGeneration")
    assert refusal(await operation.answer(ada)) == UNAUTHENTICATED


async def test_another_persons_ids_answer_exactly_like_missing_ones(server: Running, api: Api) -> None:
    ada, eve = await api.sign_up("ada@example.com"), await api.sign_up("eve@example.com")
    belongings = await Belongings.collect(ada)
    differing = []
    for stranger in (eve, api):
        for name, path in PATHS:
            if stranger is api and issubclass(AUDIENCES[name], SIGNED_IN):
                continue  # refused before any id is looked at
            for prefix, theirs in belongings.of.items():
                missing = await Operation(name).naming(path, ids.new_id(prefix)).answer(stranger)
                found = await Operation(name).naming(path, theirs).answer(stranger)
                if found != missing or "INTERNAL" in found:
                    differing.append((name, path, prefix, found, missing))
    assert differing == []
    assert await ada.credits() == 29
    assert (await ada.generation(belongings.of[ids.GENERATION]))["status"] == "COMPLETED"


async def super_admin(api: Api) -> Api:
    found = await api.sign_up("root@example.com")
    await rows("UPDATE users SET role = 'SUPER_ADMIN' WHERE id = $1 RETURNING id", found.user["id"])
    return found


async def test_ones_own_ids_answer_differently_from_missing_ones(server: Running, api: Api) -> None:
    ada, bob, admin = await api.sign_up(), await api.sign_up("bob@example.com"), await super_admin(api)
    own, bobs = (await Belongings.collect(ada)).of, (await Belongings.collect(bob)).of
    for name, path in sorted(PATHS, key=lambda argument: "Mutation.delete" in argument[0]):  # these at last
        # What is for admins is asked by one, about somebody whom that does no harm here.
        asks, theirs = (admin, bobs) if issubclass(AUDIENCES[name], ADMIN) else (ada, own)
        differing = set()
        for prefix, known in theirs.items():
            missing = await Operation(name).naming(path, ids.new_id(prefix)).answer(asks)
            if await Operation(name).naming(path, known).answer(asks) != missing:
                differing.add(prefix)
        assert differing, (name, path)


async def test_what_is_no_id_names_nothing(server: Running, api: Api) -> None:
    ada, admin = await api.sign_up(), await super_admin(api)
    for name, path in PATHS:
        asks = admin if issubclass(AUDIENCES[name], ADMIN) else ada
        missing = await Operation(name).naming(path, ids.new_id("xxx")).answer(asks)
        for value in MALFORMED:
            answer = await Operation(name).naming(path, value).answer(asks)
            assert "INTERNAL" not in answer, (name, path, value)
            assert answer == missing, (name, path, value)
