"""API keys: creation, use, revocation, and the operations that require a session."""

import asyncio
import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from models import ApiKey, User, ids
from models.database.connection import rows
from services.core.error import UnauthenticatedError
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
    "requestDataExport": "mutation { requestDataExport { dataExport { url } errors { code } } }",
    "signOut": "mutation { signOut(everywhere: true) { sessionsEnded } }",
}


async def create_key(owner: Api, name: str = "my script", key: str | None = None) -> dict[str, Any]:
    """Create a key for an account with a verified address and return the payload."""
    await owner.verify_address()
    made: dict[str, Any] = await owner.one(CREATE_KEY, name=name, idempotencyKey=key)
    assert made["errors"] == [], made
    return made


def with_key(owner: Api, made: dict[str, Any]) -> Api:
    """Return a client that authenticates with the key."""
    return replace(owner, token=made["key"])


async def test_api_key_signs_in_as_its_owner(ada: Api) -> None:
    made = await create_key(ada)
    key, row = made["key"], made["apiKey"]
    assert key.startswith("dk_")
    assert len(key) == 46, "256 bits"
    assert (row["name"], row["hint"], row["lastUsedAt"]) == ("my script", key[-4:], None)
    viewer = await with_key(ada, made).one(KEYS)
    assert viewer["id"] == ada.user["id"]
    assert viewer["version"] == 2, "a new key is published to other devices"
    async with with_key(ada, made).socket() as socket:
        assert (await (await socket.subscribe(CREDITS)).next())["credits"] == 30


async def test_request_that_began_before_the_password_changed_creates_no_key(server: Running, ada: Api) -> None:
    await ada.verify_address()
    before = await User.get(id=ada.user["id"])
    both = await ada.execute(
        'mutation { changePassword(input: {current: "correct horse", new: "battery staple"}) { errors { code } }'
        ' createApiKey(name: "x") { key errors { code } } }'
    )
    assert both["createApiKey"]["key"], "its own change does not count"
    with pytest.raises(UnauthenticatedError):
        await server.services.accounts.api_keys.create(before, "intruder", None)
    await User.filter(id=before.id).update(suspended_at=datetime.now(UTC))
    with pytest.raises(UnauthenticatedError):
        await server.services.accounts.api_keys.create(await User.get(id=before.id), "intruder", None)
    assert await ApiKey.filter(user_id=before.id).count() == 1


async def test_only_the_hash_of_an_api_key_is_stored(ada: Api) -> None:
    key = (await create_key(ada))["key"]
    (row,) = await rows("SELECT * FROM api_keys")
    assert row["key_hash"] == hashlib.sha256(key.encode()).hexdigest()
    assert key not in str(row)
    assert key[3:-4] not in str(row)


async def test_altered_api_keys_are_unauthenticated(ada: Api) -> None:
    key = (await create_key(ada))["key"]
    for wrong in (key[:-1], key + "x", key.swapcase(), "dk_" + "A" * 43, "dk_" + "é" * 43, key.replace("dk_", "dx_")):
        response = await ada.http.post(
            "/graphql", json={"query": KEYS}, headers={b"authorization": f"Bearer {wrong}".encode()}
        )
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED", wrong


async def test_operations_that_require_a_session_refuse_api_keys(ada: Api) -> None:
    script = with_key(ada, await create_key(ada))
    for name, operation in FORBIDDEN.items():
        assert (await script.refused(operation))["code"] == "FORBIDDEN", name
        assert (await replace(ada, token=None).refused(operation))["code"] == "UNAUTHENTICATED", name
    assert len((await ada.one(KEYS))["apiKeys"]) == 1


async def test_revoked_api_key_is_signed_out_at_once(ada: Api) -> None:
    kept, revoked = await create_key(ada, "kept"), await create_key(ada, "revoked")
    answer = await ada.one(REVOKE, id=revoked["apiKey"]["id"])
    assert answer == {"deletedIds": [revoked["apiKey"]["id"]], "errors": []}
    assert not await with_key(ada, revoked).is_signed_in()
    viewer = await with_key(ada, kept).one(KEYS)
    assert [key["name"] for key in viewer["apiKeys"]] == ["kept"]
    assert viewer["version"] == 4
    error = await ada.refused(REVOKE, id=revoked["apiKey"]["id"])
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["id"])


async def test_revocation_ends_the_sockets_of_an_api_key(ada: Api) -> None:
    made = await create_key(ada)
    async with with_key(ada, made).socket() as socket:
        stream = await socket.subscribe(CREDITS)
        await stream.next()
        await ada.execute(REVOKE, id=made["apiKey"]["id"])
        message: dict[str, Any] = {"payload": {}}
        while "errors" not in message["payload"]:  # the event of the account's change may come first
            message = await stream.message()
        assert message["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_deleted_account_is_signed_out_with_api_key_and_session(ada: Api) -> None:
    script = with_key(ada, await create_key(ada))
    await rows("UPDATE users SET deleted_at = NOW() WHERE id = $1 RETURNING id", ada.user["id"])
    assert [await client.is_signed_in() for client in (ada, script)] == [False, False]


async def test_api_keys_are_listed_newest_first_for_their_owner_only(ada: Api) -> None:
    first, second = await create_key(ada, "first"), await create_key(ada, "second")
    assert [key["name"] for key in (await ada.one(KEYS))["apiKeys"]] == ["second", "first"]
    eve = await ada.sign_up("eve@example.com")
    id = first["apiKey"]["id"]
    assert (await eve.one(KEYS))["apiKeys"] == []
    assert await eve.one(NODE, id=id) is None
    assert await ada.one(NODE, id=id) == {"id": id, "name": "first", "hint": first["apiKey"]["hint"]}
    assert await eve.refused(REVOKE, id=id) == await eve.refused(REVOKE, id=ids.new_id(ids.API_KEY))
    assert (await with_key(ada, second).one(KEYS))["id"] == ada.user["id"]


async def test_last_use_is_recorded_at_most_once_a_minute(ada: Api) -> None:
    script = with_key(ada, await create_key(ada))
    seen = [(await script.one(KEYS))["apiKeys"][0]["lastUsedAt"] for _ in range(3)]
    assert seen[0] is not None
    assert len(set(seen)) == 1, "not on every request"
    await rows("UPDATE api_keys SET last_used_at = LATER($1) RETURNING id", -61.0)
    assert (await script.one(KEYS))["apiKeys"][0]["lastUsedAt"] > seen[0]


async def test_idempotent_replay_returns_the_same_api_key(server: Running, ada: Api) -> None:
    made = await asyncio.gather(*(create_key(ada, "my script", "k1") for _ in range(5)))
    assert all(one == made[0] for one in made)
    viewer = await ada.one(KEYS)
    assert (len(viewer["apiKeys"]), viewer["version"]) == (1, 2)
    error = await ada.refused(CREATE_KEY, name="another", idempotencyKey="k1")
    assert (error["code"], error["field"]) == ("CONFLICT", ["idempotencyKey"])
    eve = await ada.sign_up("eve@example.com")
    assert (await create_key(eve, "my script", "k1"))["key"] != made[0]["key"]
    (row,) = await rows("SELECT id, salt FROM api_keys WHERE user_id = $1", ada.user["id"])
    text = f"api-key:{row['id']}:{row['salt']}".encode()
    digest = hmac.digest(server.settings.secret().encode(), text, "sha256")
    assert made[0]["key"] == "dk_" + base64.urlsafe_b64encode(digest).decode()[:43], "derived from SECRET_KEY"
    await ada.execute(REVOKE, id=row["id"])
    error = await ada.refused(CREATE_KEY, name="my script", idempotencyKey="k1")
    assert (error["code"], error["field"]) == ("CONFLICT", ["idempotencyKey"])


async def test_create_api_key_refuses_invalid_names_and_more_than_twenty_keys(ada: Api) -> None:
    await ada.verify_address()
    for name in ("", "  ", "x" * 101, "a\nb", "a\x00b"):
        error = await ada.refused(CREATE_KEY, name=name)
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["name"]), name
    made = await asyncio.gather(*(ada.one(CREATE_KEY, name=f"key {number}") for number in range(22)))
    codes = [error["code"] for one in made for error in one["errors"]]
    assert codes == ["CONFLICT"] * 2
    assert len((await ada.one(KEYS))["apiKeys"]) == 20
