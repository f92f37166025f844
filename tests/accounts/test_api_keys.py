"""API keys: what a program may do with one, and what is left to the person who made it."""

import asyncio
import base64
import hashlib
import hmac
from dataclasses import replace
from typing import Any

from models import ids
from models.database.connection import rows
from tests.conftest import Running
from tests.support.client import CREDITS, Api

CREATE_KEY = """
mutation($name: String!, $idempotencyKey: String) {
  createApiKey(name: $name, idempotencyKey: $idempotencyKey) {
    apiKey { id name hint createdAt lastUsedAt } key errors { code message field }
  }
}"""
REVOKE = "mutation($id: ID!) { revokeApiKey(id: $id) { deletedIds errors { code message field } } }"
KEYS = "{ viewer { id version apiKeys { id name hint lastUsedAt } } }"
NODE = "query($id: ID!) { node(id: $id) { id ... on ApiKey { name hint } } }"
FORBIDDEN = {
    "changePassword": 'mutation { changePassword(input: {current: "correct horse", new: "battery staple"}) '
    "{ errors { code } } }",
    "createApiKey": 'mutation { createApiKey(name: "another") { errors { code } } }',
    "revokeApiKey": f'mutation {{ revokeApiKey(id: "{ids.new_id(ids.API_KEY)}") {{ errors {{ code }} }} }}',
    "signOut": "mutation { signOut(everywhere: true) { sessionsEnded } }",
}


async def make(owner: Api, name: str = "my script", key: str | None = None) -> dict[str, Any]:
    """createApiKey's payload."""
    made: dict[str, Any] = await owner.one(CREATE_KEY, name=name, idempotencyKey=key)
    assert made["errors"] == [], made
    return made


def program(owner: Api, made: dict[str, Any]) -> Api:
    """A client that has nothing but the key."""
    return replace(owner, token=made["key"])


async def test_a_key_signs_a_program_in_as_its_owner(ada: Api) -> None:
    made = await make(ada)
    key, row = made["key"], made["apiKey"]
    assert key.startswith("dk_")
    assert len(key) == 46, "256 bits"
    assert (row["name"], row["hint"], row["lastUsedAt"]) == ("my script", key[-4:], None)
    viewer = await program(ada, made).one(KEYS)
    assert viewer["id"] == ada.user["id"]
    assert viewer["version"] == 2, "a new key is a change that other devices hear of"
    async with program(ada, made).socket() as socket:
        assert (await (await socket.subscribe(CREDITS)).next())["credits"] == 30


async def test_of_a_key_only_its_hash_is_kept(ada: Api) -> None:
    key = (await make(ada))["key"]
    (row,) = await rows("SELECT * FROM api_keys")
    assert row["key_hash"] == hashlib.sha256(key.encode()).hexdigest()
    assert key not in str(row)
    assert key[3:-4] not in str(row)


async def test_what_is_nearly_a_key_is_nobodys(ada: Api) -> None:
    key = (await make(ada))["key"]
    for wrong in (key[:-1], key + "x", key.swapcase(), "dk_" + "A" * 43, "dk_" + "é" * 43, key.replace("dk_", "dx_")):
        response = await ada.http.post(
            "/graphql", json={"query": KEYS}, headers={b"authorization": f"Bearer {wrong}".encode()}
        )
        assert response.json() == {"data": {"viewer": None}}, wrong


async def test_a_key_does_not_take_over_the_account(ada: Api) -> None:
    script = program(ada, await make(ada))
    for name, operation in FORBIDDEN.items():
        assert (await script.refused(operation))["code"] == "FORBIDDEN", name
        assert (await replace(ada, token=None).refused(operation))["code"] == "UNAUTHENTICATED", name
    assert len((await ada.one(KEYS))["apiKeys"]) == 1


async def test_a_revoked_key_is_nobodys_at_once(ada: Api) -> None:
    kept, lost = await make(ada, "kept"), await make(ada, "lost")
    answer = await ada.one(REVOKE, id=lost["apiKey"]["id"])
    assert answer == {"deletedIds": [lost["apiKey"]["id"]], "errors": []}
    assert await program(ada, lost).one(KEYS) is None
    viewer = await program(ada, kept).one(KEYS)
    assert [key["name"] for key in viewer["apiKeys"]] == ["kept"]
    assert viewer["version"] == 4
    error = await ada.refused(REVOKE, id=lost["apiKey"]["id"])
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["id"])


async def test_a_revoked_keys_socket_ends(ada: Api) -> None:
    made = await make(ada)
    async with program(ada, made).socket() as socket:
        stream = await socket.subscribe(CREDITS)
        await stream.next()
        await ada.ask(REVOKE, id=made["apiKey"]["id"])
        message: dict[str, Any] = {"payload": {}}
        while "errors" not in message["payload"]:  # the account's news of the revocation may come first
            message = await stream.message()
        assert message["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_an_account_that_is_gone_is_refused_with_key_and_token(ada: Api) -> None:
    script = program(ada, await make(ada))
    await rows("UPDATE users SET deleted_at = NOW() WHERE id = $1 RETURNING id", ada.user["id"])
    assert [await client.one(KEYS) for client in (ada, script)] == [None, None]


async def test_keys_come_newest_first_and_only_to_their_owner(ada: Api) -> None:
    first, second = await make(ada, "first"), await make(ada, "second")
    assert [key["name"] for key in (await ada.one(KEYS))["apiKeys"]] == ["second", "first"]
    eve = await ada.sign_up("eve@example.com")
    id = first["apiKey"]["id"]
    assert (await eve.one(KEYS))["apiKeys"] == []
    assert await eve.one(NODE, id=id) is None
    assert await ada.one(NODE, id=id) == {"id": id, "name": "first", "hint": first["apiKey"]["hint"]}
    assert await eve.refused(REVOKE, id=id) == await eve.refused(REVOKE, id=ids.new_id(ids.API_KEY))
    assert (await program(ada, second).one(KEYS))["id"] == ada.user["id"]


async def test_use_is_written_down_to_the_minute(ada: Api) -> None:
    script = program(ada, await make(ada))
    seen = [(await script.one(KEYS))["apiKeys"][0]["lastUsedAt"] for _ in range(3)]
    assert seen[0] is not None
    assert len(set(seen)) == 1, "not with every request"
    await rows("UPDATE api_keys SET last_used_at = LATER($1) RETURNING id", -61.0)
    assert (await script.one(KEYS))["apiKeys"][0]["lastUsedAt"] > seen[0]


async def test_a_repeated_request_gets_the_same_key(server: Running, ada: Api) -> None:
    made = await asyncio.gather(*(make(ada, "my script", "k1") for _ in range(5)))
    assert all(one == made[0] for one in made)
    viewer = await ada.one(KEYS)
    assert (len(viewer["apiKeys"]), viewer["version"]) == (1, 2)
    error = await ada.refused(CREATE_KEY, name="another", idempotencyKey="k1")
    assert (error["code"], error["field"]) == ("CONFLICT", ["idempotencyKey"])
    eve = await ada.sign_up("eve@example.com")
    assert (await make(eve, "my script", "k1"))["key"] != made[0]["key"]
    (row,) = await rows("SELECT id, salt FROM api_keys WHERE user_id = $1", ada.user["id"])
    text = f"api-key:{row['id']}:{row['salt']}".encode()
    digest = hmac.digest(server.settings.secret().encode(), text, "sha256")
    assert made[0]["key"] == "dk_" + base64.urlsafe_b64encode(digest).decode()[:43], "and another SECRET_KEY, another"
    await ada.ask(REVOKE, id=row["id"])
    error = await ada.refused(CREATE_KEY, name="my script", idempotencyKey="k1")
    assert (error["code"], error["field"]) == ("CONFLICT", ["idempotencyKey"])


async def test_a_key_needs_a_usable_name_and_an_account_has_only_so_many(ada: Api) -> None:
    for name in ("", "  ", "x" * 101, "a\nb", "a\x00b"):
        error = await ada.refused(CREATE_KEY, name=name)
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["name"]), name
    made = await asyncio.gather(*(ada.one(CREATE_KEY, name=f"key {number}") for number in range(22)))
    codes = [error["code"] for one in made for error in one["errors"]]
    assert codes == ["CONFLICT"] * 2
    assert len((await ada.one(KEYS))["apiKeys"]) == 20
