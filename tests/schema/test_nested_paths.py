"""Access through nested fields: no path through the schema leads to another user's objects."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_required_argument,
)

from models import ids
from models.database.connection import rows
from schema.root import schema
from schema.runtime.permission import ID_ARGUMENTS
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.named_lists import add_tags, new_album

pytestmark = pytest.mark.any_database

BUILT: GraphQLSchema = schema._schema
MAX_DEPTH = 5  # nested objects
ADMIN_ROOTS = ("admin", "node", "nodes")
# Selected without what is selected elsewhere, so that no document has too many tokens.
BRIEF = {
    "Album.cover": "cover { id prompt }",
    "AuditEntry.user": "user { id email name }",
    "AuditEntry.generation": "generation { id prompt owner { id email } }",
    "User.albums": "albums(first: 3) { nodes { id name } }",
}
SHALLOW = {"Generation.children", "Generation.chain", "Generation.batch", "Generation.albums", "Generation.tags"}
SHALLOW |= {
    "User.identities",
    "User.tags",
    "User.albums",
    "User.apiKeys",
    "User.expiringCredits",
    "User.followingPasses",
    "User.referrals",
}
ALBUM, TAG = "Ada's album", "ada-tagged"
NAME, PROMPT, TITLE, TEMPLATE = "Ada Wunderlich", "A pelican in plaid", "Ada's own look", "Paint it in peculiar plum"

Composite = GraphQLObjectType | GraphQLInterfaceType


def selection(kind: Composite, above: tuple[str, ...] = ()) -> str:
    """Return a selection of all fields of a type, nested; a type occurs within itself only as `parent`."""
    parts: list[str] = []
    seen = (*above, kind.name)
    for name, field in kind.fields.items():
        below = get_named_type(field.type)
        if any(is_required_argument(item) for item in field.args.values()) or name == "edges":
            continue
        if above and f"{kind.name}.{name}" in SHALLOW:
            continue  # from the object itself only, so that no document has too many tokens
        if f"{kind.name}.{name}" == "AccountMetric.user":  # of 50 accounts: their fields are read elsewhere
            parts.append("user { id email name }")
            continue
        if f"{kind.name}.{name}" in BRIEF:
            parts.append(BRIEF[f"{kind.name}.{name}"])
            continue
        if f"{kind.name}.{name}" == "Admin.user":  # takes one of two arguments, and returns the type of `users`
            continue
        call = f"{name}(first: 3)" if "first" in field.args else name
        if isinstance(below, GraphQLUnionType):
            raise AssertionError("unions are not supported here")
        if not isinstance(below, Composite):
            parts.append(call)
        elif len(seen) <= MAX_DEPTH and seen.count(below.name) < (2 if name == "parent" else 1):
            parts.append(call + selection(below, seen))
    for possible in BUILT.get_possible_types(kind) if isinstance(kind, GraphQLInterfaceType) else ():
        parts.append(f"... on {possible.name}{selection(possible, above)}")
    return " { " + " ".join(dict.fromkeys(parts or ["__typename"])) + " }"


def selections(kind: Composite) -> list[str]:
    """Return a selection for each field of a type, so that no document exceeds the complexity limits."""
    assert isinstance(kind, GraphQLObjectType)
    return [
        selection(GraphQLObjectType(kind.name, {name: field}, description=kind.description))
        for name, field in kind.fields.items()
    ]


def queries_by_id() -> list[tuple[str, str, str]]:
    """Return every query that takes an ID: its document, the variable's name, and the root field."""
    found = []
    assert BUILT.query_type
    for name, field in BUILT.query_type.fields.items():
        for path in ID_ARGUMENTS.get(f"Query.{name}", {}):
            if "." not in path:
                found.append((document(name, field, path), path, name))
    return found


def document(name: str, field: GraphQLField, argument: str) -> str:
    kind = get_named_type(field.type)
    assert isinstance(kind, Composite)
    of_types = BUILT.get_possible_types(kind) if isinstance(kind, GraphQLInterfaceType) else (kind,)
    # One operation for each type, so that none exceeds the complexity limits.
    return "\n".join(
        f"query By{one.name}(${argument}: {field.args[argument].type}) "
        f"{{ {name}({argument}: ${argument}) {{ __typename ... on {one.name}{selection(one)} }} }}"
        for one in of_types
    )


def batches(values: list[str]) -> list[list[str]]:
    """Return the values in batches of one, so that no query exceeds the complexity limits."""
    return [[value] for value in values]


@dataclass
class Ada:
    """An account with one object of each type, and the texts that no other user may read."""

    api: Api
    of: dict[str, str]  # prefix -> id
    secrets: set[str]

    @classmethod
    async def make(cls, api: Api) -> "Ada":
        ada = await api.sign_up("ada@example.com")
        await ada.execute("mutation($name: String) { updateProfile(input: {name: $name}) { user { id } } }", name=NAME)
        style = (
            await ada.execute(
                "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } } }",
                input={"title": TITLE, "prompt": TEMPLATE},
            )
        )["createStyle"]["style"]["id"]
        (first,) = (await ada.create(photo(64, 64), styleId=style, prompt=PROMPT))["generations"]
        await ada.wait_for_end(first["id"])
        again = "mutation($id: ID!) { regenerate(input: {id: $id}) { generations { id } } }"
        (second,) = (await ada.execute(again, id=first["id"]))["regenerate"]["generations"]
        await ada.wait_for_end(second["id"])
        album = await new_album(ada, ALBUM, [second["id"]])
        await add_tags(ada, [second["id"]], TAG)
        await ada.verify_address()
        await ada.execute('mutation { createApiKey(name: "script") { key } }')
        await ada.execute("mutation { requestDataExport { dataExport { url } } }")
        announced = {"contentType": "image/png", "byteSize": 1}
        await ada.execute(
            "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { id } } }", input=announced
        )
        user = str(ada.user["id"])
        secrets = {user, "ada@example.com", NAME, PROMPT, TITLE, TEMPLATE, ALBUM, TAG}
        of = {ids.USER: user, ids.STYLE: style, ids.GENERATION: second["id"], ids.ALBUM: album}
        for table, column in [
            ("generations", "user_id"), ("files", "owner_id"), ("credit_transactions", "user_id"),
            ("api_keys", "user_id"), ("uploads", "owner_id"), ("data_exports", "owner_id"), ("styles", "owner_id"),
            ("tags", "user_id"),
        ]:  # fmt: skip
            for row in await rows(f"SELECT id FROM {table} WHERE {column} = $1", user):  # noqa: S608 - named above
                secrets.add(row["id"])
                of.setdefault(row["id"].split("_")[0], row["id"])
        return cls(ada, of, secrets)

    async def visible_to(self, viewer: Api, without: tuple[str, ...] = ()) -> set[str]:
        """Return the secrets that a viewer can read by querying each object and all that it leads to.

        `without`: root fields that are not queried.
        """
        found: set[str] = set()
        for text, argument, name in queries_by_id():
            for one in text.split("\n") if name not in without else ():
                operation = one.split("(")[0].removeprefix("query ")
                id_values: list[Any] = [*self.of.values()]
                for value in batches(id_values) if f"${argument}: [" in one else id_values:
                    variables: dict[str, Any] = {argument: value}
                    found |= self._in(await viewer.raw(one, **variables), operation)
        assert BUILT.query_type
        for name, field in BUILT.query_type.fields.items():
            kind = get_named_type(field.type)
            if (
                not isinstance(kind, Composite)
                or name in without
                or any(map(is_required_argument, field.args.values()))
            ):
                continue
            for text in selections(kind) if name == "admin" else [selection(kind)]:
                found |= self._in(await viewer.raw(f"{{ {name}{text} }}"), name)
        return found

    def _in(self, response: httpx.Response, query: str) -> set[str]:
        body = response.json()
        codes = {error["extensions"]["code"] for error in body.get("errors", [])}
        assert codes <= {"UNAUTHENTICATED", "FORBIDDEN", "NOT_FOUND"}, (query, body["errors"][:2])
        text = json.dumps(body.get("data"), ensure_ascii=False)
        return {secret for secret in self.secrets if secret in text}


async def test_no_path_leads_to_another_users_objects(server: Running, api: Api) -> None:
    ada = await Ada.make(api)
    names = ("eve@example.com", "root@example.com", "mallory@example.com")
    eve, admin, suspended = await asyncio.gather(*(api.sign_up(name) for name in names))
    await rows("UPDATE users SET role = 'ADMIN' WHERE id = $1 RETURNING id", admin.user["id"])
    await rows("UPDATE users SET suspended_at = NOW() WHERE id = $1 RETURNING id", suspended.user["id"])
    own = await ada.visible_to(ada.api)
    hidden = {secret for secret in ada.secrets if secret.startswith(("upl_", "exp_"))}
    assert own == ada.secrets - hidden, "the owner reads everything that the API shows"
    assert await ada.visible_to(eve) == set()
    assert await ada.visible_to(api) == set()
    assert await ada.visible_to(suspended) == set()
    assert await ada.visible_to(admin, without=ADMIN_ROOTS) == set()  # admins use other root fields
    assert await ada.visible_to(admin) == own, "admins read through the admin fields what the owner reads"
    await admin.verify_address()
    key = (await admin.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    assert await ada.visible_to(Api(api.http, api.address, key)) == set(), "an admin's API key has no admin rights"


async def test_shared_generation_reveals_only_its_owners_name(server: Running, api: Api) -> None:
    ada = await Ada.make(api)
    share = 'mutation($id: ID!) { shareGeneration(id: $id, slug: "pelican") { generation { shareUrl } } }'
    await ada.api.execute(share, id=ada.of[ids.GENERATION])
    assert BUILT.query_type
    kind = get_named_type(BUILT.query_type.fields["sharedGeneration"].type)
    assert isinstance(kind, Composite)
    shared = await api.raw(f'{{ sharedGeneration(slug: "pelican"){selection(kind)} }}')
    assert shared.json()["data"]["sharedGeneration"]["result"]["url"].endswith("/s/pelican/picture")
    assert {secret for secret in ada.secrets if secret in shared.text} == {NAME}
